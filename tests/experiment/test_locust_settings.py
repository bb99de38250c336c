"""Locust's settings from outside: which have no effect on a run, and what is said of them."""

from __future__ import annotations

from locust import argument_parser

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import URL

from loadtest.experiment import locust_settings
from tests.conftest import ROOT, without_database
from tests.experiment.test_single_run import plan

CONF = """
headless = true
users = 3
run-time = 20m
stop-timeout = 10s
tags = [smoke, slow]
csv = results
"""


def said(folder: Path, **environment: str) -> str:
    """What is said before a run with two users and these settings."""
    patterns = [str(folder / name) for name in ("locust.conf", "pyproject.toml")]
    line = locust_settings.described(plan().arguments(), environment, patterns)
    return line.replace(f"{folder}/", "")


def test_without_settings_nothing_is_said(tmp_path: Path) -> None:
    assert said(tmp_path) == ""


def test_settings_that_a_run_does_not_have_are_named_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "locust.conf").write_text(CONF)
    (tmp_path / "pyproject.toml").write_text("[tool.locust]\nexclude-tags = ['a']\nmaster = true\n")

    assert said(tmp_path, LOCUST_PROCESSES="2", LOCUST_USERS="2", LOCUST_TAGS="") == (
        "Ignored, because loadtest sets up its own runs: "
        "locust.conf (users, run-time, tags, csv), "
        "pyproject.toml (exclude-tags, master), "
        "LOCUST_PROCESSES"
    )


@pytest.mark.parametrize("line", ["users = many", "nonsense = 1", "version = true", "help = yes"])
def test_settings_that_locust_would_not_take_are_named_too(tmp_path: Path, line: str) -> None:
    (tmp_path / "locust.conf").write_text(line)

    assert said(tmp_path).endswith(f": locust.conf ({line.split(maxsplit=1)[0]})")


@pytest.mark.parametrize("content", [b"[tool.locust\n", b"\xff\xfe = 1\n"])
def test_a_file_that_cannot_be_read_is_named_alone(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "pyproject.toml").write_bytes(content)

    assert said(tmp_path).endswith(": pyproject.toml")


def test_what_locust_looks_up_without_its_parser_is_named(tmp_path: Path) -> None:
    given = {"LOCUST_USER_CLASSES": "Other", "LOCUST_SKIP_MONKEY_PATCH": "1"}

    assert said(tmp_path, **given).endswith(": LOCUST_USER_CLASSES, LOCUST_SKIP_MONKEY_PATCH")


def test_this_projects_own_settings_are_those_of_a_run() -> None:
    from loadtest.load import plugin  # noqa: F401 - it sets Locust's defaults

    settings = argument_parser.LocustConfigParser()
    with (ROOT / "pyproject.toml").open() as stream:
        assert len(settings.parse(stream)) >= 4
    assert locust_settings.described(plan().arguments(), {}, [str(ROOT / "pyproject.toml")]) == ""


def test_locusts_parser_sees_the_command_line_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        argument_parser, "LocustArgumentParser", argument_parser.LocustArgumentParser
    )
    monkeypatch.setattr(locust_settings, "_shut_out", {})
    monkeypatch.chdir(tmp_path)
    (tmp_path / "locust.conf").write_text(CONF)
    for name in ("LOCUST_PROCESSES", "LOCUST_USER_CLASSES", "LOCUST_MINE"):
        monkeypatch.setenv(name, "2")
    before = argument_parser.get_parser().parse_known_args([])[0]

    locust_settings.shut_out()

    after = argument_parser.get_parser().parse_args([])
    assert (before.num_users, before.processes, before.user_classes) == (3, 2, ["2"])
    assert (after.num_users, after.processes, after.user_classes) == (None, None, [])
    assert locust_settings.os.environ["LOCUST_MINE"] == "2", "a scenario may read it"
    assert locust_settings.ignored(plan().arguments()) == (
        "Ignored, because loadtest sets up its own runs: "
        "locust.conf (users, run-time, tags, csv), LOCUST_PROCESSES, LOCUST_USER_CLASSES"
    )


@pytest.mark.server
def test_a_run_goes_on_as_if_they_were_not_there(
    tmp_path: Path, loadtest: Callable[..., subprocess.CompletedProcess[str]], url: URL
) -> None:
    """Their files stay as they are, no task is left out, and nothing waits for workers."""
    mine = {name: f"of the other tests: {name}\n" for name in ("r_stats.csv", "last.html")}
    for name, text in mine.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "locust.conf").write_text("tags = smoke\ncsv = r\nhtml = last.html\nmaster = true")
    scenario = str(ROOT / "scenarios" / "point_select.py")
    address = {"LOADTEST_DATABASE_URL": url.render_as_string(hide_password=False)}
    environment = {"LOCUST_PROCESSES": "2", "LOCUST_SKIP_MONKEY_PATCH": "1", **address}

    ran = loadtest(
        *("run", scenario, "-u", 2, "-t", "2s", "--warmup", "0s", "--no-try", "--json"),
        cwd=tmp_path,
        env={**without_database(), **environment, "PYTHONPATH": str(ROOT)},
    )

    assert '"per_second"' in ran.stdout, ran.stderr
    (ignored,) = [line for line in ran.stderr.splitlines() if line.startswith("Ignored")]
    assert ignored == (
        "Ignored, because loadtest sets up its own runs: locust.conf (tags, csv, html, master), "
        "LOCUST_SKIP_MONKEY_PATCH, LOCUST_PROCESSES"
    )
    (header,) = [
        path.read_text().splitlines()[0]
        for path in tmp_path.glob("reports/*-*/runs/*")
        if path.suffix == ".jsonl"
    ]
    assert '"processes":1' in header.replace(" ", "")
    assert {name: (tmp_path / name).read_text() for name in mine} == mine
    assert [path.name for path in tmp_path.glob("r_*")] == ["r_stats.csv"]
