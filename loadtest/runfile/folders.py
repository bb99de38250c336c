"""Folders of results: their names, how to create and to find them."""

from __future__ import annotations

import errno
import gzip
import os
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from loadtest.model.errors import CannotGoOn, LoadtestError, UsageError

# The page in a folder of results.
REPORT_PAGE = "report.html"
# Where the files of runs are in a folder; those of recordings may be compressed.
_PATTERNS = ("runs/*.jsonl", "runs/*.jsonl.gz", "*.jsonl", "*.jsonl.gz")
# In the header of a recording only.
_RECORDED = b'"recording":{'

# The most folders of the same name, for tools that begin in the same second.
MOST_OF_A_SECOND = 100


def new_folder(parent: Path, name: str, *, latest: bool = True) -> Path:
    """Create a folder `<name>-<YYYYmmdd-HHMMSS>` for results and let `latest` point at it.

    latest: False if the folder may stay without results. Raises UsageError if it cannot be created.
    """
    stamp = time.strftime("%Y%m%d-%H%M%S")
    try:
        folder = _first_free(parent / f"{name}-{stamp}")
        (folder / "runs").mkdir()
        if latest:
            point_latest_at(folder)
    except OSError as error:
        raise UsageError(f"cannot create a results folder in {parent}: {error.strerror}") from None
    return folder


def _first_free(folder: Path) -> Path:
    """Create a folder under this name, with a number added if the name is taken."""
    for number in range(1, MOST_OF_A_SECOND):
        free = folder.with_name(f"{folder.name}.{number}") if number > 1 else folder
        with suppress(FileExistsError):
            free.mkdir(parents=True)
            return free
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))


@contextmanager
def written_in(folder: Path) -> Iterator[None]:
    """Raise a failure to write into a folder as LoadtestError or CannotGoOn."""
    try:
        yield
    except OSError as error:
        if not folder.exists():
            raise CannotGoOn(f"the results folder {folder} no longer exists") from None
        where = error.filename2 or error.filename or folder
        raise LoadtestError(f"{where}: {error.strerror}") from None


def point_latest_at(folder: Path) -> None:
    """Let the link `latest` beside a folder of results point at it."""
    fresh = folder.parent / f".latest-{os.getpid()}"
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(folder.name)
    fresh.replace(folder.parent / "latest")


def as_typed(path: Path) -> str:
    """A path for display: relative if it is below the current folder."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def folder_of(path: Path) -> Path:
    """The folder of results of a path: the path itself, or the folder of a run file."""
    if path.is_dir():
        return path
    return path.parent.parent if path.parent.name == "runs" else path.parent


def find_runs(paths: Sequence[Path]) -> list[Path]:
    """The run files among some files and result folders, in order of their names.

    Raises UsageError for a path without run files.
    """
    found: list[Path] = []
    for path in paths:
        inside = sorted(path.glob("runs/*.jsonl")) or sorted(path.glob("*.jsonl"))
        if not path.exists():
            raise UsageError(f"there is no result {path}: loadtest demo and loadtest run make one")
        if not path.is_file() and not inside:
            if holds_recording([path]):
                raise UsageError(f"{path} is a recording; give results of load tests only")
            raise UsageError(
                f"{path} contains no run files (expected {path}/runs/*.jsonl): give the folder of "
                "a result, such as reports/latest"
            )
        found += [path] if path.is_file() else inside
    return found


def run_files(paths: Sequence[Path]) -> Iterator[Path]:
    """The files of runs and recordings among some files and folders.

    Compressed ones only without their original, which is deleted after it has been compressed.
    """
    for path in paths:
        inside = [one for pattern in _PATTERNS for one in sorted(path.glob(pattern))]
        for one in [path] if path.is_file() else inside:
            if one.suffix != ".gz" or not one.with_suffix("").exists():
                yield one


def holds_recording(paths: Sequence[Path]) -> bool:
    """Whether the first run file with a header among some files and folders is a recording's."""
    heads = (_first_line(path) for path in run_files(paths))
    return next((_RECORDED in head for head in heads if b'"header"' in head), False)


def _first_line(path: Path) -> bytes:
    """The first line of a file that may be compressed; empty if it cannot be read."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            return bytes(file.readline())
    except (OSError, EOFError, zlib.error):
        return b""


def reported_folders(parent: Path) -> list[Path]:
    """The folders in a folder that have a report, the newest report first; links are left out."""
    found = []
    for folder in _folders_in(parent):
        with suppress(OSError):  # removed, or not reported yet
            found.append(((folder / REPORT_PAGE).stat().st_mtime_ns, folder))
    return [folder for _, folder in sorted(found, reverse=True)]


def unreported_runs(parent: Path) -> list[tuple[int, Path]]:
    """When it was written (ns), and the run file, for each folder with a single run and no report.

    The newest first; links are left out.
    """
    found = []
    for folder in _folders_in(parent):
        files = [] if (folder / REPORT_PAGE).exists() else list(folder.glob("runs/*.jsonl"))
        if len(files) == 1:
            with suppress(OSError):  # removed
                found.append((files[0].stat().st_mtime_ns, files[0]))
    return sorted(found, reverse=True)


def _folders_in(parent: Path) -> list[Path]:
    try:
        with os.scandir(parent) as found:
            return [Path(one.path) for one in found if one.is_dir(follow_symlinks=False)]
    except OSError:  # no run yet
        return []
