"""What the shell offers at Tab, and the groups of the help."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from loadtest.cli import completion
from loadtest.cli.main import COMMANDS, app


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with scenarios and results."""
    for name in ("scenarios/hot_row.py", "scenarios/hot_row.toml", "scenarios/notes.txt", "own.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    for name in ("shop-20261130-101500", "demo-20261130-101600"):
        (tmp_path / "reports" / name / "runs").mkdir(parents=True)
    (tmp_path / "reports" / "latest").symlink_to("demo-20261130-101600")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def offered(words: str, number: int) -> list[str]:
    """The answers to a shell at this word of a line."""
    asked = {"_LOADTEST_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(number)}
    return CliRunner().invoke(app, [], prog_name="loadtest", env=asked).stdout.split()


def test_scenarios_and_experiments_are_offered_by_path(here: Path) -> None:
    assert completion.complete_scenario("") == ["own.py", "reports/", "scenarios/"]
    assert completion.complete_scenario("scenarios/h") == [
        "scenarios/hot_row.py",
        "scenarios/hot_row.toml",
    ]
    assert completion.complete_scenario("nowhere/h") == []
    assert completion.complete_scenario(f"{here}/o") == [f"{here}/own.py"]


def test_results_are_offered_the_newest_first(here: Path) -> None:
    names = ["latest", "demo-20261130-101600", "shop-20261130-101500"]
    assert completion.complete_result("") == [f"reports/{name}" for name in names]
    assert completion.complete_result("reports/s") == ["reports/shop-20261130-101500/"]


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("line", "number", "expected"),
    [
        ("loadtest run scen", 2, ["scenarios/"]),
        ("loadtest compare scenarios/hot_row.t", 2, ["scenarios/hot_row.toml"]),
        ("loadtest run own.py --pool 2", 4, ["20+0"]),
        ("loadtest open reports/l", 2, ["reports/latest/"]),
        ("loadtest diff reports/latest reports/shop", 3, ["reports/shop-20261130-101500/"]),
        ("loadtest sce", 1, ["scenarios"]),
    ],
)
def test_the_shell_is_answered(line: str, number: int, expected: list[str]) -> None:
    assert offered(line, number) == expected


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_its_script(shell: str) -> None:
    asked = {"_LOADTEST_COMPLETE": f"source_{shell}"}
    shown = CliRunner().invoke(app, [], prog_name="loadtest", env=asked)
    assert shown.exit_code == 0, shown.output
    assert f"_LOADTEST_COMPLETE=complete_{shell}" in shown.stdout


def test_the_command_alone_says_how_to_begin() -> None:
    shown = CliRunner().invoke(app, [])
    assert shown.exit_code == 0
    begun = [line.split()[1] for line in shown.stdout.splitlines() if line.startswith("  loadtest")]
    assert begun == ["demo", "scenarios", "init", "record"]
    assert set(begun) < set(COMMANDS)


def test_the_help_has_its_options_in_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "TERM", "dumb")
    shown = CliRunner().invoke(app, ["compare", "--help"]).stdout
    groups = [line.split()[1] for line in shown.splitlines() if line.startswith("╭")]
    assert groups == [
        *("Arguments", "Options", "Pool", "Load", "Application", "Database", "Output")
    ]
    of_pool = shown.partition("╭─ Pool")[2].partition("╰")[0]
    assert "--pool " in of_pool
    assert "--users" not in of_pool
