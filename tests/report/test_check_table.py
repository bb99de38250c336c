"""The checks of `loadtest doctor` as they are printed."""

from __future__ import annotations

import io

from rich.console import Console

from loadtest.database.preflight.situation import PreflightCheck
from loadtest.report.check_table import checks_json, print_checks

CHECKS = [
    PreflightCheck("open_files", "ok", "a process needs 500 open files for its connections"),
    PreflightCheck(
        "unlimited", "note", "nobody waits " * 20, "give it a limit " * 10, {"pool": "[bold]"}
    ),
    PreflightCheck(
        "max_user_connections", "error", "this run may open 300 connections", "take 120"
    ),
    PreflightCheck("in_use", "warning", "140 of [bold]151[/] connections are in use\x1b[31m"),
    PreflightCheck("driver", "note", "it yields"),
]


def printed(*checks: PreflightCheck, **options: object) -> str:
    console = Console(file=io.StringIO(), width=80, **options)  # type: ignore[arg-type]
    print_checks("MariaDB at h:1", checks, console)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_it_fits_a_terminal_of_80_columns() -> None:
    lines = printed(*CHECKS, force_terminal=True, no_color=True, color_system=None).splitlines()
    assert max(map(len, lines)) <= 80
    assert sum("nobody waits" in line for line in lines) > 1


def test_what_is_wrong_comes_first_and_is_counted() -> None:
    first, *rows, last = printed(*CHECKS).splitlines()
    heads = [row.split()[0] for row in rows if not row.startswith(" ")]
    assert first == "MariaDB at h:1"
    assert heads == ["error", "warning", "note", "note", "ok"]
    assert last == "1 error, 1 warning, 2 notes, 1 ok: a run would be refused"
    assert printed(CHECKS[0]).splitlines()[-1] == "1 ok"


def test_markup_and_control_characters_are_text() -> None:
    said = " ".join(printed(*CHECKS).split())
    assert "140 of [bold]151[/] connections are in use\\x1b[31m" in said
    assert "\x1b" not in said


def test_json_has_all_of_it() -> None:
    answer = checks_json("MariaDB at h:1", CHECKS)
    assert answer["server"] == "MariaDB at h:1"
    assert [check["severity"] for check in answer["checks"]] == [
        *("error", "warning", "note", "note", "ok")
    ]
    assert answer["checks"][2]["evidence"] == {"pool": "[bold]"}
