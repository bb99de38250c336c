"""Reads many or large run files, in several processes if that is faster."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from pathlib import Path

from loadtest.analysis.reduction import read_part
from loadtest.analysis.round import Round
from loadtest.model.errors import UsageError
from loadtest.runfile.reader import RunFile

# Reading fewer bytes takes less time than starting processes for it.
WORTH_PROCESSES_BYTES = 1_000_000
PART = 16_000_000


def read_rounds(
    paths: Sequence[Path], part: int = PART, meanwhile: Callable[[], object] = lambda: None
) -> list[Round | UsageError]:
    """The runs of some files, reduced, in order; an error for a file that is no run.

    part: the bytes that a process reads at once. meanwhile: is called if other processes read.
    """
    opened = [_opened(path) for path in paths]
    files = [file for file in opened if isinstance(file, RunFile)]
    rounds = iter(_read(files, part, meanwhile))
    return [next(rounds) if isinstance(file, RunFile) else file for file in opened]


def _opened(path: Path) -> RunFile | UsageError:
    try:
        return RunFile(path)
    except UsageError as error:
        return error


def _read(files: Sequence[RunFile], part: int, meanwhile: Callable[[], object]) -> list[Round]:
    parts = [file.parts(part) for file in files]
    jobs = [(file.header, one) for file, of in zip(files, parts, strict=True) for one in of]
    workers = min(os.cpu_count() or 1, len(jobs))
    if workers < 2 or sum(file.size for file in files) < WORTH_PROCESSES_BYTES:
        return list(map(Round.read, files))
    with ProcessPoolExecutor(workers) as processes:
        done = processes.map(read_part, *zip(*jobs, strict=True))
        meanwhile()
        return [
            Round.joined(file, list(islice(done, len(of))))
            for file, of in zip(files, parts, strict=True)
        ]
