"""Folders of results: their names, how to create and to find them."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from loadtest.model.errors import CannotGoOn, LoadtestError, UsageError

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
        if not path.is_file() and not inside:
            raise UsageError(f"{path} contains no run files (expected {path}/runs/*.jsonl)")
        found += [path] if path.is_file() else inside
    return found
