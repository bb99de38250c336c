"""Logs of the processes that a run starts."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from loadtest.experiment import child_logs
from loadtest.experiment.child_logs import end_of_log, end_of_output, shorten_log


def test_the_last_lines_are_shown(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("\n".join(map(str, range(30))) + "\n\n")
    shown = "\n".join(f"  {number}" for number in range(18, 30))
    assert end_of_log(log) == shown
    with log.open("rb") as output:
        assert end_of_output(output, log) == f"the end of its log ({log}):\n{shown}"


def test_a_long_log_that_does_not_stay_is_copied_without_passwords(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with tempfile.TemporaryFile() as output:
        assert end_of_output(output) == "its log is empty"
        output.write(b"no tables\n")
        assert end_of_output(output) == "its log:\n  no tables"
        assert not list(tmp_path.iterdir())  # the message has all of it
        output.seek(0)
        output.write(b"first\n" * 20 + b"cannot open mysql://shop:s3cret@db/shop\n")
        told = end_of_output(output)
    (copy,) = tmp_path.iterdir()
    assert told.startswith(f"the end of its log ({copy}):\n  first\n")
    assert told.endswith("\n  cannot open mysql://shop:***@db/shop")
    assert copy.read_text() == "first\n" * 20 + "cannot open mysql://shop:***@db/shop\n"
    assert copy.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("0123456789", "0123456789"),
        ("0123456789ABC", "01234\n[3 bytes are left out]\n89ABC"),
    ],
)
def test_the_middle_of_a_long_log_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, kept: str
) -> None:
    monkeypatch.setattr(child_logs, "KEPT_BYTES", 5)
    log = tmp_path / "log"
    log.write_text(text)
    shorten_log(log)
    assert log.read_text() == kept
