"""The footer of a run file is read without the lines before it."""

from pathlib import Path

import pytest

from loadtest.model.end_reason import End, EndReason
from loadtest.runfile.footer import footer_of
from loadtest.runfile.line import to_line
from loadtest.runfile.writer import RunWriter
from tests.runfile.test_run_files import HEADER, INTERVALS, TOTALS

STOPPED = End(EndReason.STOPPED)


@pytest.fixture
def lines(tmp_path: Path) -> list[bytes]:
    """The lines of a run that was stopped, the footer last."""
    path = tmp_path / "stopped.jsonl"
    writer = RunWriter(path, HEADER)
    for one in INTERVALS:
        writer.add(one)
    writer.close(STOPPED, TOTALS)
    return path.read_bytes().splitlines(keepends=True)


def file_of(lines: list[bytes], folder: Path) -> Path:
    path = folder / "run.jsonl"
    path.write_bytes(b"".join(lines))
    return path


def test_the_footer_tells_why_the_run_ended(lines: list[bytes], tmp_path: Path) -> None:
    footer = footer_of(file_of(lines, tmp_path))
    assert footer
    assert (footer.end, footer.totals.counters) == (STOPPED, TOTALS["counters"])


def test_the_lines_before_it_do_not_matter(lines: list[bytes], tmp_path: Path) -> None:
    lines[1] = b"\xff not JSON\n" * 100_000  # more than is read at once
    footer = footer_of(file_of(lines, tmp_path))
    assert footer
    assert footer.end == STOPPED


@pytest.mark.parametrize(
    "last",
    [
        b"",
        b'{"type":"footer","reason":',
        to_line({"type": "footer", "reason": "stopped", "totals": {}}).replace(b"{}", b"[]"),
        to_line({"type": "footer", "reason": "bored", "totals": {}}),
    ],
    ids=["missing", "cut", "changed", "unknown reason"],
)
def test_without_a_sound_footer_there_is_none(
    lines: list[bytes], tmp_path: Path, last: bytes
) -> None:
    assert footer_of(file_of([*lines[:-1], last], tmp_path)) is None
