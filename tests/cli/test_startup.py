"""What the command imports before it knows what is wanted: no more than that needs."""

from __future__ import annotations

import gc
import inspect
import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from loadtest import cli
from loadtest.cli.main import COMMANDS
from loadtest.experiment import bundled_scenarios
from loadtest.model.garbage import OBJECTS_PER_COLLECTION
from tests.cli.test_cli import Loadtest

# What takes long to import.
HEAVY = {
    *("pydantic", "numpy", "sqlalchemy", "hdrh", "scipy", "matplotlib", "locust", "gevent"),
    *("psutil", "jinja2", "prometheus_client"),
}
PROGRAM = """
import json, sys
from loadtest.__main__ import main
try:
    main()
except SystemExit as ended:
    print(json.dumps([ended.code, *sys.modules]), file=sys.stderr)
"""


def started(*arguments: str) -> tuple[int, set[str], str]:
    """The exit code, the modules that were imported, and what was shown on standard output."""
    command = [sys.executable, "-c", PROGRAM, *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    code, *modules = json.loads(ended.stderr.splitlines()[-1])
    return code or 0, set(modules), ended.stdout


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--help"], 0),
        (["--version"], 0),
        (["nonsense"], 2),
        (["compare", "--help"], 0),
        (["run", "scenario.py", "--colour", "green"], 2),
    ],
)
def test_help_and_wrong_usage_import_nothing_that_takes_long(
    arguments: list[str], code: int
) -> None:
    ended, modules, _ = started(*arguments)
    assert ended == code
    assert "typer" in modules
    # Typer itself converts the values of a command's options with pydantic.
    assert modules & HEAVY <= ({"pydantic"} if arguments[0] in COMMANDS or code else set())


@pytest.mark.parametrize(("argument", "shown"), [("--help", "demo"), ("--version", "loadtest")])
def test_without_a_command_none_is_imported(argument: str, shown: str) -> None:
    _, modules, said = started(argument)
    assert shown in said
    assert {f"loadtest.cli.{name}" for name in COMMANDS} & modules == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_says_how_each_begins(name: str) -> None:
    documented = inspect.getdoc(function_of(name)) or ""
    assert " ".join(documented.partition("\n\n")[0].split()) == COMMANDS[name]


def function_of(name: str) -> Any:
    return getattr(import_module(f"loadtest.cli.{name}"), name, None)


def test_every_module_with_a_command_is_listed() -> None:
    modules = {path.stem for path in Path(cli.__path__[0]).glob("*.py")} - {"main", "__init__"}
    assert {name for name in modules if function_of(name)} == COMMANDS.keys()


def test_garbage_is_collected_less_often_while_a_command_runs_and_as_usual_after_it(
    loadtest: Loadtest, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = gc.get_threshold()
    seen: list[int] = []

    def looked() -> list[str]:
        seen.append(gc.get_threshold()[0])
        return ["x"]

    monkeypatch.setattr(bundled_scenarios, "scenario_names", looked)
    monkeypatch.setattr(bundled_scenarios, "first_line_of", lambda name: name)
    assert loadtest("scenarios").stdout == "x  x\n"
    assert loadtest("nonsense").returncode == 2
    assert set(seen) == {OBJECTS_PER_COLLECTION}
    assert gc.isenabled()
    assert gc.get_threshold() == usual
