"""Workers that missed a part of a run, or whose reports were late, incomplete or misdated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from loadtest.analysis.columns import PERIODS
from loadtest.analysis.pool_runs import PoolRuns
from loadtest.analysis.round import Round
from loadtest.analysis.units import count, duration, listed, plural
from loadtest.model.interval import SECOND
from loadtest.model.summary import Finding
from loadtest.runfile.schema import WorkerRecord

# Workers begin and end within a second of each other, which may lie in two UTC seconds.
NOTABLE_SECONDS = 2
LATE_REPORT = 1.0
NOTABLE_OFFSET = 0.5
MOST_NAMED = 4
THE_REST_STANDS = "The results of the other workers are valid."


@dataclass(frozen=True)
class Presence:
    """One process in one round: its first and last UTC second under load, and those of all.

    state: the master's record of its end; empty if there is none.
    """

    file: str
    process: str
    first: int
    last: int
    earliest: int
    latest: int
    state: str = ""

    @property
    def missing_before(self) -> int:
        """Seconds in which others were already under load."""
        return self.first - self.earliest

    @property
    def missing_after(self) -> int:
        """Seconds in which others were still under load."""
        return self.latest - self.last

    @property
    def lost(self) -> bool:
        """Whether it ended before the others, or without its last interval."""
        unheard = self.state not in ("", "ended")
        return unheard or self.missing_after >= NOTABLE_SECONDS


def worker_late(pool: PoolRuns) -> Iterator[Finding]:
    """Workers that joined when others were already under load."""
    late = [p for p in _presences(pool) if p.missing_before >= NOTABLE_SECONDS]
    if late:
        told = [f"{p.process} ({plural(p.missing_before, 'second')} late)" for p in late]
        yield Finding(
            code="worker_late",
            severity="warning",
            message=f"{_named(told)} joined after the run had started. Their load is missing until "
            f"then, and afterwards their pools were newer than the others'. "
            f"{THE_REST_STANDS} Make the master wait for all workers: --expect-workers.",
            evidence={"workers": [_evidence(p, p.missing_before) for p in late]},
        )


def worker_lost(pool: PoolRuns) -> Iterator[Finding]:
    """Workers that ended before the others, or whose last interval is missing."""
    lost = [p for p in _presences(pool) if p.lost]
    if lost:
        yield Finding(
            code="worker_lost",
            severity="warning",
            message=f"{_named([_how(p) for p in lost])}. What they did from then on is not in the "
            f"results, and throughput is that of fewer workers. {THE_REST_STANDS}",
            evidence={"workers": [_evidence(p, p.missing_after) for p in lost]},
        )


def late_reports(pool: PoolRuns) -> Iterator[Finding]:
    """Workers whose seconds reached the master more than one second late."""
    late = [w for w in _workers(pool) if (w.latest_seconds or 0) > LATE_REPORT]
    if late:
        told = [f"{w.process} ({duration(w.latest_seconds)})" for w in late]
        yield Finding(
            code="late_reports",
            severity="info",
            message=f"{_named(told)} sent a report more than one second late. Live figures "
            "lagged behind, but the result is complete. The worker, the master or the "
            "network between them was busy.",
            evidence={"workers": {w.process: w.latest_seconds for w in late}},
        )


def intervals_lost(pool: PoolRuns) -> Iterator[Finding]:
    """Workers with intervals that did not reach the master."""
    short = [w for w in _workers(pool) if w.lost]
    if short:
        told = [f"{plural(w.lost or 0, 'interval')} of {w.process}" for w in short]
        yield Finding(
            code="intervals_lost",
            severity="warning",
            message=f"{_named(told)} did not reach the master: what happened in them is not in "
            "the results. Check the network between the machines.",
            evidence={"workers": {w.process: w.lost for w in short}},
        )


def clock_offset(pool: PoolRuns) -> Iterator[Finding]:
    """Workers whose wall clock differs from the master's by more than half a second."""
    apart = [w for w in _workers(pool) if abs(w.clock_ahead_seconds or 0.0) > NOTABLE_OFFSET]
    if apart:
        yield Finding(
            code="clock_offset",
            severity="warning",
            message=f"Clocks differ from the master's: {_named([_ahead(w) for w in apart])}. "
            "The results are corrected for that, timestamps in the workers' logs are not. "
            "Synchronise the machines (NTP).",
            evidence={
                "workers": {
                    w.process: {
                        "ahead": w.clock_ahead_seconds,
                        "round_trip": w.round_trip_seconds,
                    }
                    for w in apart
                }
            },
        )


def _presences(pool: PoolRuns) -> list[Presence]:
    return [presence for round_ in pool.rounds for presence in _of_round(round_)]


def _of_round(round_: Round) -> Iterator[Presence]:
    columns = round_.data.columns
    rows = columns.where(columns.period != PERIODS.index("drain"))
    # One interval of a blocked process covers several seconds.
    lasts = rows.second + np.maximum(np.rint(rows.length / SECOND).astype(np.int64), 1) - 1
    seconds: dict[str, list[int]] = {}
    for process in rows.present:
        own = rows.process == rows.processes.index(process)
        covered = np.stack([rows.second[own], lasts[own]], axis=1)
        seconds[process] = covered.ravel().tolist()
    earliest = min(min(own) for own in seconds.values())
    latest = max(max(own) for own in seconds.values())
    states = {w.process: w.state for w in _in_footer(round_) if w.process}
    for process in [*seconds, *(states.keys() - seconds.keys())]:
        own = seconds.get(process, [earliest, earliest - 1])  # gone before its first interval
        file, state = round_.run.path.name, states.get(process, "")
        yield Presence(file, process, own[0], own[-1], earliest, latest, state)


def _in_footer(round_: Round) -> Sequence[WorkerRecord]:
    return round_.run.footer.workers if round_.run.footer else ()


def _workers(pool: PoolRuns) -> list[WorkerRecord]:
    return [worker for round_ in pool.rounds for worker in _in_footer(round_)]


def _how(presence: Presence) -> str:
    early = presence.missing_after
    when = f"{plural(early, 'second')} before the others" if early > 0 else "at the end"
    unheard = {"no heartbeat": "without a heartbeat", "silent": "without its last interval"}
    how = unheard.get(presence.state, "")
    return f"{presence.process} was lost {when}{' ' + how if how else ''}"


def _ahead(worker: WorkerRecord) -> str:
    ahead = worker.clock_ahead_seconds or 0.0
    relation = "ahead" if ahead > 0 else "behind"
    return f"{worker.process} is {duration(abs(ahead))} {relation}"


def _named(told: list[str]) -> str:
    rest = len(told) - MOST_NAMED
    return listed(told[:MOST_NAMED] + ([f"{count(rest)} more"] if rest > 0 else []))


def _evidence(presence: Presence, missing: int) -> dict[str, Any]:
    return {
        "file": presence.file,
        "process": presence.process,
        "missing_seconds": missing,
        "first": presence.first,
        "last": presence.last,
        "state": presence.state,
    }
