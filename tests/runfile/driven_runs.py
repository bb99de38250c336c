"""Runs that drove an application, made by hand: the run's file, and the parts of a recording."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from loadtest.model.end_reason import End, EndReason
from loadtest.model.interval import Interval
from loadtest.model.pool import PoolSettings
from loadtest.runfile.reader import Run, read_run
from loadtest.runfile.writer import RunWriter
from tests.analysis.builders import START, interval, run

FINISHED = End(EndReason.FINISHED)
OF_APPLICATION = PoolSettings(name="shop", pool_size=2, max_overflow=0)


def load_second(second: int, requests: int = 10, **more: Any) -> Interval:
    """What a load generator measured in a second."""
    counters = {"requests": requests, "cpu": 500_000_000}
    one = interval(second, process="locust", counters=counters, request=[40] * requests, **more)
    one.gauges = {}
    return one


def application_second(second: int, process: str = "web-7", checkouts: int = 10) -> Interval:
    """What a process of an application measured in a second."""
    return interval(
        second,
        process=process,
        counters={"checkouts": checkouts, "cpu": 900_000_000},
        gauges={"open": 2, "in_use": 1, "waiting": 1},
        wait=[20] * checkouts,
        hold=[10] * checkouts,
    )


def part(
    folder: Path,
    intervals: Iterable[Interval],
    *,
    process: str = "web-7",
    number: int = 1,
    pool: PoolSettings = OF_APPLICATION,
    ended: bool = True,
) -> Path:
    """A part of a recording as a process writes it."""
    path = folder / f"{pool.name}-{process}-20260101-000000-{number:04}.jsonl"
    recorded = {"process": process, "began": START, "part": number, "database": "sqlite+pysqlite"}
    header = {"name": "shop", "pool": asdict(pool), "started": START, "recording": recorded}
    writer = RunWriter(path, {**header, "versions": {"sqlalchemy": "2.0.22"}})
    for one in intervals:
        writer.add(one)
    if ended:
        writer.close(FINISHED, {"counters": {}})
    else:
        writer.abandon()
    return path


def driven(folder: Path, generator: Sequence[Interval], **more: Any) -> tuple[Path, Path]:
    """The file of a run that drove an application, and the folder of its recordings."""
    path = run(folder, generator, "as-is", **more).path
    return path, path.with_suffix(".app")


def of_application(path: Path) -> list[Interval]:
    """The application's intervals in a run."""
    return [one for one in read(path).intervals if one.role == "application"]


def read(path: Path) -> Run:
    """A run that must be sound."""
    found = read_run(path)
    assert found.problems == ()
    return found
