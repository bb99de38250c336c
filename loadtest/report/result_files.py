"""The files of a result as a page links to them: paths from its own folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from loadtest.analysis.pool_runs import Measurements

_BESIDE = ("summary.json", "experiment.json")


@dataclass(frozen=True)
class FileLink:
    """The name of a file and where it is, from the folder of the page."""

    name: str
    href: str


@dataclass(frozen=True)
class ResultFiles:
    """The files beside the page; run files and logs by the names of the pools."""

    beside: tuple[FileLink, ...] = ()
    runs: Mapping[str, tuple[FileLink, ...]] = field(default_factory=dict)
    application_logs: Mapping[str, tuple[FileLink, ...]] = field(default_factory=dict)


NO_FILES = ResultFiles()


def result_files(measurements: Measurements, out: Path) -> ResultFiles:
    """The files of a result whose page is in the folder `out`."""

    def link(path: Path) -> FileLink:
        return FileLink(path.name, quote(os.path.relpath(path, out)))

    runs, logs = {}, {}
    for pool in measurements.pools:
        known = [one for run in pool.runs for one in (run.path, run.path.with_suffix(".log"))]
        runs[pool.name] = tuple(link(path) for path in known if path.exists())
        told = [run.application_log for run in pool.runs]
        logs[pool.name] = tuple(link(path) for path in told if path)
    beside = tuple(FileLink(name, name) for name in _BESIDE if (out / name).exists())
    return ResultFiles(beside, runs, logs)
