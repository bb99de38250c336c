"""The flags of Python that keep it from loading the recorder."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtest.recording.python_flags import ignoring_flags


@pytest.mark.parametrize(
    ("command", "flags"),
    [
        ("python3 -IB -S app.py -E", "-I -S"),
        ("/usr/bin/python3.11 -X dev -E -m shop -S", "-E"),
        ("python -Wignore -c pass -I", ""),
        ("pypy3 -m shop", ""),
        ("gunicorn -I", ""),
    ],
)
def test_flags(command: str, flags: str) -> None:
    assert ignoring_flags(command.split()) == flags


@pytest.mark.parametrize(
    ("line", "flags"),
    [
        ("#!/usr/bin/python3 -I", "-I"),
        ("#!/usr/bin/env -S python3 -Es", "-E"),
        ("#!/usr/bin/env python3", ""),
        ("#!/bin/sh -E", ""),
        ("#!/usr/bin/env -S sh -c 'echo", ""),
        ("print(1)", ""),
    ],
)
def test_flags_in_the_first_line_of_a_script(tmp_path: Path, line: str, flags: str) -> None:
    script = tmp_path / "shop"
    script.write_text(line + "\n")
    assert ignoring_flags([str(script)]) == flags
