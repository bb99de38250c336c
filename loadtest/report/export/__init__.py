"""Results in the formats of other tools: HdrHistogram logs, CSV and JUnit XML."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from loadtest.model.end_reason import EndReason
from loadtest.model.errors import UsageError
from loadtest.report.export.csv_rows import csv_lines
from loadtest.report.export.histogram_log import histogram_log_lines
from loadtest.report.export.junit import junit_lines
from loadtest.runfile.folders import find_runs
from loadtest.runfile.footer import footer_of
from loadtest.runfile.reader import RunFile

FORMATS: dict[str, Callable[[Sequence[Path]], Iterator[str]]] = {
    "hlog": histogram_log_lines,
    "csv": csv_lines,
    "junit": junit_lines,
}


def exported(result: Path, name: str) -> Iterator[str]:
    """The lines of a result in a format, one of FORMATS.

    Raises UsageError for another format, and for a result that cannot be exported: it was
    interrupted, or it has no objectives and the format needs them.
    """
    if name not in FORMATS:
        raise UsageError(f"--format {name}: choose one of {', '.join(FORMATS)}")
    paths = sorted(find_runs([result]), key=_started)
    if interrupted := [path for path in paths if not _whole(path)]:
        raise UsageError(
            f"{interrupted[0]} was interrupted, and its export would look complete: export a run "
            "that finished"
        )
    return FORMATS[name](paths)


def write_new(path: Path, lines: Iterator[str]) -> None:
    """Write lines to a file that does not exist yet; raises UsageError if it cannot be written."""
    try:
        with path.open("x", encoding="utf-8", newline="") as file:
            _write_or_remove(file, lines, path)
    except FileExistsError:
        raise UsageError(f"{path} exists already: choose another file") from None
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None


def _write_or_remove(file: TextIO, lines: Iterator[str], path: Path) -> None:
    try:
        file.writelines(lines)
    except BaseException:
        with suppress(OSError):
            path.unlink()
        raise


def _started(path: Path) -> float:
    return RunFile(path).header.started


def _whole(path: Path) -> bool:
    """Whether a run has a footer, and no signal or person ended it early."""
    footer = footer_of(path)
    return footer is not None and footer.end.reason is not EndReason.INTERRUPTED
