"""Folders of results: how they are named, made and found."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from loadtest.model.errors import CannotGoOn, LoadtestError, UsageError

# Two tools that begin in the same second want folders of the same name; so many may.
MOST_OF_A_SECOND = 100


def new_folder(parent: Path, name: str, *, latest: bool = True) -> Path:
    """Make a folder `<name>-<YYYYmmdd-HHMMSS>` for results and let `latest` point at it.

    latest: False where nobody knows yet whether there will be any. Raises UsageError if it cannot
    be made.
    """
    stamp = time.strftime("%Y%m%d-%H%M%S")
    try:
        folder = _first_free(parent / f"{name}-{stamp}")
        (folder / "runs").mkdir()
        if latest:
            point_latest_at(folder)
    except OSError as error:
        raise UsageError(f"cannot make a results folder in {parent}: {error.strerror}") from None
    return folder


def _first_free(folder: Path) -> Path:
    """Make a folder under this name, or with a number behind it where others were quicker."""
    for number in range(1, MOST_OF_A_SECOND):
        free = folder.with_name(f"{folder.name}.{number}") if number > 1 else folder
        with suppress(FileExistsError):
            free.mkdir(parents=True)
            return free
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))


@contextmanager
def written_in(folder: Path) -> Iterator[None]:
    """Whatever fails here at writing into a folder is a LoadtestError, or a CannotGoOn."""
    try:
        yield
    except OSError as error:
        if not folder.exists():
            raise CannotGoOn(f"the results folder {folder} is gone") from None
        where = error.filename2 or error.filename or folder
        raise LoadtestError(f"{where}: {error.strerror}") from None


def point_latest_at(folder: Path) -> None:
    """Let `latest` beside a folder of results point at it."""
    fresh = folder.parent / f".latest-{os.getpid()}"
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(folder.name)
    fresh.replace(folder.parent / "latest")


def as_typed(path: Path) -> str:
    """A path as a person would type it here: relative where it is below the current folder."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def folder_of(path: Path) -> Path:
    """The folder of results that a path belongs to: itself, or the one that a run file is in."""
    if path.is_dir():
        return path
    return path.parent.parent if path.parent.name == "runs" else path.parent


def find_runs(paths: Sequence[Path]) -> list[Path]:
    """The run files among some files and result folders, in order of their names.

    Raises UsageError where a path holds none.
    """
    found: list[Path] = []
    for path in paths:
        inside = sorted(path.glob("runs/*.jsonl")) or sorted(path.glob("*.jsonl"))
        if not path.is_file() and not inside:
            raise UsageError(f"{path}: no run files there (expected {path}/runs/*.jsonl)")
        found += [path] if path.is_file() else inside
    return found
