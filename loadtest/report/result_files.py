"""The files of a result as a page links to them: paths from its own folder."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
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


LinkRows = Sequence[tuple[str, Sequence[FileLink]]]
"""Files, and for each group of them what it is."""


@dataclass(frozen=True)
class ResultFiles:
    """The files beside the page; run files and logs by the names of the pools."""

    beside: tuple[FileLink, ...] = ()
    runs: Mapping[str, tuple[FileLink, ...]] = field(default_factory=dict)
    application_logs: Mapping[str, tuple[FileLink, ...]] = field(default_factory=dict)

    @property
    def rows(self) -> LinkRows:
        """The files beside the page, then those of each pool."""
        of_pools = [(f"runs and logs of {name}", some) for name, some in self.runs.items()]
        return named_rows([("all numbers, and the plan", self.beside), *of_pools])


NO_FILES = ResultFiles()


def named_rows(rows: Iterable[tuple[str, Sequence[FileLink]]]) -> LinkRows:
    """The groups that have files."""
    return [(name, links) for name, links in rows if links]


def file_link(path: Path, page: Path, name: str = "") -> FileLink:
    """The link to a file or folder from a page in the folder `page`."""
    return FileLink(name or path.name, quote(os.path.relpath(path, page)))


def existing_links(folder: Path, names: Iterable[str], page: Path) -> list[FileLink]:
    """Links to the files with these names that are in a folder."""
    return [file_link(folder / name, page) for name in names if (folder / name).exists()]


def result_files(measurements: Measurements, out: Path) -> ResultFiles:
    """The files of a result whose page is in the folder `out`."""
    runs, logs = {}, {}
    for pool in measurements.pools:
        known = [one for run in pool.runs for one in (run.path, run.path.with_suffix(".log"))]
        runs[pool.name] = tuple(file_link(path, out) for path in known if path.exists())
        told = [run.application_log for run in pool.runs]
        logs[pool.name] = tuple(file_link(path, out) for path in told if path)
    return ResultFiles(tuple(existing_links(out, _BESIDE, out)), runs, logs)
