"""The runs that have a report in a folder of results: they outlive the process that measured them.

Their numbers are those of the report.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from loadtest.runfile.folders import reported_folders
from loadtest.runfile.written_summary import read_summary

MOST_LISTED = 50
SUMMARY = "summary.json"
_NOT_VALID = "The measurement is not valid."


@dataclass(frozen=True)
class FinishedRun:
    """A run, and its numbers without the warm-up.

    name: of its folder of results. begun: UTC seconds. seconds: measured. per_second: requests
    that succeeded. wait_p95: of the waits for a connection (s). at_least: whether it is a lower
    bound. errors: the share of requests that failed. problem: why the run is not valid, empty if
    it is.
    """

    name: str
    file: Path
    pool: str
    begun: float
    seconds: float
    per_second: float | None
    wait_p95: float | None
    at_least: bool
    errors: float | None
    problem: str

    def facts(self) -> dict[str, Any]:
        """The run in JSON's types, without its path."""
        return {name: value for name, value in asdict(self).items() if name != "file"}


def finished_run(folder: Path) -> FinishedRun | None:
    """The run of a folder of results; None if it has several, or if its summary is unreadable."""
    files = sorted(folder.glob("runs/*.jsonl"))
    summary = read_summary(folder / SUMMARY)
    if len(files) != 1 or summary is None or len(summary.pools) != 1:
        return None
    (pool,) = summary.pools
    return FinishedRun(
        name=folder.name,
        file=files[0],
        pool=pool.name,
        begun=summary.environment.started or 0.0,
        seconds=pool.seconds,
        per_second=pool.throughput.per_second,
        wait_p95=pool.checkout.wait_seconds.p95,
        at_least="p95" in pool.checkout.wait_seconds.at_least,
        errors=pool.errors.rate,
        problem="" if pool.valid else next((one.message for one in pool.findings), _NOT_VALID),
    )


class FinishedRuns:
    """The finished runs in a folder of results; each summary is read when it is new.

    folder: returns the folder, which may not exist yet.
    """

    def __init__(self, folder: Callable[[], Path]) -> None:
        self.folder = folder
        self._known: dict[Path, tuple[int, FinishedRun | None]] = {}

    def newest(self) -> list[FinishedRun]:
        """The runs with the newest reports, the one that began last first."""
        found: list[FinishedRun] = []
        for folder in reported_folders(self.folder()):
            if len(found) < MOST_LISTED and (run := self._read(folder)):
                found.append(run)
        return sorted(found, key=lambda run: -run.begun)

    def _read(self, folder: Path) -> FinishedRun | None:
        try:
            written = (folder / SUMMARY).stat().st_mtime_ns
        except OSError:
            return None
        before, run = self._known.get(folder, (0, None))
        if before != written:
            run = finished_run(folder)
            self._known[folder] = written, run
        return run
