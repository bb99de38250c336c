"""Runs of two pools in several applications, made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from loadtest.model.pool import PoolSettings, parse_pool
from loadtest.runfile.merged_recording import merge
from loadtest.runfile.reader import Run, read_run
from tests.analysis.builders import interval, run
from tests.analysis.driven_pools import web
from tests.runfile.driven_runs import part

SPREAD = [1.0, 1.01, 0.99, 1.02, 0.98]
# Successes a second of the pools 5+10 and 20+0.
SMALL, LARGE = (646, 760), (760, 646)
POOLS = ("5+10", "20+0")
COMMANDS = {"threads": "gunicorn --threads 16 shop.web:app", "loop": "uvicorn shop.aweb:app"}
SECONDS = range(2)


def in_applications(
    folder: Path, *, named: bool = True, rounds: int = 5, **speeds: tuple[int, int]
) -> list[Run]:
    """The runs of both pools in each application; named: whether the pools have its name."""
    return [
        found
        for started, (application, of_application) in enumerate(speeds.items())
        for pool, speed in zip(POOLS, of_application, strict=True)
        for found in steady_visits(
            folder,
            f"{pool}.{application}:{pool}" if named else pool,
            application,
            [round(speed * factor) for factor in SPREAD[:rounds]],
            started=started,
        )
    ]


def steady_visits(
    folder: Path, pool: str, application: str, per_second: Sequence[int], **more: Any
) -> list[Run]:
    """One run per round, with this number of requests to the application in each second."""
    settings = parse_pool(pool)
    sizes = PoolSettings("shop", pool_size=settings.pool_size, max_overflow=settings.max_overflow)
    found = []
    for number, requests in enumerate(per_second, start=1):
        path = run(folder, [_load(second, requests) for second in SECONDS], pool, number, **more)
        recordings = path.path.with_suffix(".app")
        peak = settings.most_connections or 0
        part(
            recordings,
            web(0, SECONDS, gauges={"open": peak, "in_use": peak}, checkouts=requests),
            process="web-0",
            pool=sizes,
        )
        told = {"name": application, "command": COMMANDS[application]}
        merge(path.path, recordings, told)
        found.append(read_run(path.path))
    return found


def _load(second: int, requests: int) -> Any:
    counters = {"requests": requests, "cpu": 500_000_000}
    return interval(second, process="locust", counters=counters, request=[20] * 600)


def planned(**more: Any) -> dict[str, Any]:
    """The content of experiment.json of such runs."""
    pools = [
        {**asdict(PoolSettings(f"{pool}.{application}")), "poolclass": "as-is"}
        for pool in POOLS
        for application in COMMANDS
    ]
    driven = [{"name": name, "command": command} for name, command in COMMANDS.items()]
    return {"name": "hot-row", "pool": pools, "driven": driven, **more}
