"""Pools of applications that were driven, made by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from loadtest.analysis.findings.rules import doubts, remarks
from loadtest.analysis.pool_runs import PoolRuns, gather
from loadtest.model.interval import Interval
from loadtest.model.place_use import PlaceUse
from loadtest.model.pool import PoolSettings
from loadtest.model.summary import Finding
from loadtest.runfile.merged_recording import merge
from tests.analysis.builders import interval
from tests.runfile.driven_runs import OF_APPLICATION, driven, load_second, part, read

COMMAND = "python -m shop"
SECONDS = range(10)


def web(
    number: int = 0,
    seconds: Iterable[int] = SECONDS,
    *,
    cpu: int = 300,
    checkouts: int = 10,
    counters: Mapping[str, int] | None = None,
    gauges: Mapping[str, int] | None = None,
    places: Mapping[str, PlaceUse] | None = None,
    **histograms: Iterable[int],
) -> list[Interval]:
    """The seconds of one process of an application; cpu: milliseconds of each."""
    counted = {"checkouts": checkouts, "cpu": cpu * 1_000_000, **(counters or {})}
    levels = {"open": 2, "in_use": 1, "waiting": 0, **(gauges or {})}
    times: dict[str, Iterable[int]] = {"wait": [1] * checkouts, "hold": [9] * checkouts}
    found = [
        interval(
            second,
            process=f"web-{number}",
            counters=counted,
            gauges=levels,
            **(times | histograms),
        )
        for second in seconds
    ]
    for one in found:
        one.places = dict(places or {})
    return found


def load(seconds: Iterable[int] = SECONDS, **counters: int) -> list[Interval]:
    """What a generator with some CPU left measured in each second."""
    found = [load_second(second) for second in seconds]
    for one in found:
        one.counters.update({name.replace("__", "."): n for name, n in counters.items()})
    return found


def driven_pool(
    folder: Path,
    requests: Iterable[Interval],
    *processes: Iterable[Interval],
    command: str = COMMAND,
    pool: PoolSettings = OF_APPLICATION,
    ended: Sequence[str] = (),
    asked: Sequence[int] = (),
    **header: Any,
) -> PoolRuns:
    """The pool of a run in which the processes of an application answered these requests.

    ended: those that had ended when the load did. asked: their number, if one was asked for.
    """
    scenario = {"files": ["visitors.py"], "other_classes": ["Visitor"]}
    path, recordings = driven(folder, [*requests], **{"scenario": scenario, **header})
    for intervals in processes:
        rows = [*intervals]
        part(recordings, rows, process=rows[0].process, pool=pool)
    facts = {"command": command, "ended": list(ended), "processes": list(asked)}
    merge(path, recordings, facts)
    (found,) = gather([read(path)]).pools
    return found


def findings_of(pool: PoolRuns) -> dict[str, Finding]:
    """A pool's findings by their codes."""
    doubted = doubts(pool)
    return {one.code: one for one in chain(doubted, remarks(pool, doubted))}
