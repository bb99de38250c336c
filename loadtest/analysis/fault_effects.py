"""What each fault did to a pool: the first failed request, and the time to recover.

A pool has recovered in the first whole second after the fault in which no request fails and the
throughput is at least 90 % of that before the first fault. Without a measurement before the fault
the recovery is unknown. The reported time is at most one second too long. If no second until then
was affected, recovery took no time.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from loadtest.analysis.columns import Columns
from loadtest.analysis.pool_runs import PoolRuns
from loadtest.analysis.round import Round
from loadtest.analysis.statistics.estimate import mean
from loadtest.model.fault import Fault
from loadtest.model.fault_effect import FaultEffect
from loadtest.model.interval import SECOND
from loadtest.model.summary import Finding
from loadtest.runfile.schema import Footer, RecordedFault

RECOVERED_SHARE = 0.90
WHOLE_SECOND_SHARE = 0.95


@dataclass(frozen=True)
class _Second:
    """A measured second of all processes together; at: its beginning (UTC seconds)."""

    at: int
    length: float
    successes: int
    failures: int

    @property
    def whole(self) -> bool:
        return self.length >= WHOLE_SECOND_SHARE

    def sound(self, before: float) -> bool:
        """Whether nothing failed, at the throughput of before (successes per second)."""
        return not self.failures and self.successes >= RECOVERED_SHARE * before * self.length


@dataclass(frozen=True)
class _Window:
    """What followed a fault in one round, until the next fault or the end (UTC seconds)."""

    round: Round
    begin: float
    end: float
    stop: float
    before: float | None

    @cached_property
    def rows(self) -> Columns:
        """The measured rows, including all of the second in which it began."""
        first, last = math.floor(self.begin), math.floor(self.stop)
        rows = self.round.measured
        return rows.where((first <= rows.second) & (rows.second < last))

    @property
    def first_error(self) -> float | None:
        """Seconds from the beginning of the fault to the first request that failed."""
        # Python divides integers of this size exactly, numpy does not.
        moments = [moment / SECOND for moment in self.rows.first_failure.tolist() if moment]
        return min((m - self.begin for m in moments if m >= self.begin), default=None)

    @property
    def recovery(self) -> float | None:
        """Seconds from the fault's end until the pool had recovered; None if it had not."""
        if self.before is None:
            return None
        noticed = False
        for second in _seconds(self.rows):
            sound = second.sound(self.before)
            if sound and second.whole and second.at >= self.end:
                return second.at - self.end if noticed else 0.0
            noticed |= not sound
        return None

    @property
    def late(self) -> int:
        """Checkouts that took longer than pool_timeout, including unfinished ones."""
        last = dict(zip(self.rows.process.tolist(), self.rows.late_waits.tolist(), strict=True))
        return int(self.rows.late.sum()) + sum(last.values())

    @property
    def counters(self) -> Counter[str]:
        """The sums of all counters."""
        return Counter(self.rows.totals())


def fault_effects(pool: PoolRuns) -> Iterator[FaultEffect]:
    """The effects of the faults of a pool's load, in order, without lasting faults."""
    faults = _planned(pool)
    alone = sum(not fault.lasting for fault in faults) == 1
    for number, fault in enumerate(faults):
        if not fault.lasting:
            windows = [w for round_ in pool.rounds if (w := _window(round_, faults, number))]
            yield _effect(pool, number, windows, alone)


def outside_faults(pool: PoolRuns) -> tuple[int, int]:
    """The requests and the failures in the measured seconds without a fault."""
    if not _planned(pool):
        return pool.counters["requests"], pool.counters["failures"]
    rows = [_without_faults(round_, _planned(pool)) for round_ in pool.rounds]
    requests, failures = (
        sum(int(one.counter(name).sum()) for one in rows) for name in ("requests", "failures")
    )
    return requests, failures


def _without_faults(round_: Round, faults: Sequence[Fault]) -> Columns:
    """The measured rows of the seconds in which no fault was in effect."""
    rows = round_.measured
    free = np.full(len(rows), not any(fault.lasting for fault in faults))
    for begin, end in filter(None, (_span(round_, faults, n) for n in range(len(faults)))):
        free &= (rows.second < math.floor(begin)) | (rows.second > end)
    return rows.where(free)


def fault_failed(pool: PoolRuns) -> Iterator[Finding]:
    """Faults that could not be started or undone as planned."""
    for number, fault in enumerate(_planned(pool)):
        told = [one for run in pool.runs if (one := _happened(run.footer, number))]
        problems = [one.problem for one in told if one.problem is not None]
        if problems:
            yield Finding(
                code="fault_failed",
                severity="warning",
                message=f"{fault} did not go as planned in {len(problems)} of {len(told)} runs: "
                f"{problems[0]}",
                evidence={"fault": str(fault), "runs": len(problems), "problem": problems[0]},
            )


def _planned(pool: PoolRuns) -> Sequence[Fault]:
    return pool.header.load.faults


def _happened(footer: Footer | None, number: int) -> RecordedFault | None:
    """The record of a fault in the run's footer; None if there is none."""
    told = footer.faults if footer else ()
    return told[number] if number < len(told) else None


def _span(round_: Round, faults: Sequence[Fault], number: int) -> tuple[float, float] | None:
    """When a fault of a round began and ended (UTC), as planned if there is no record."""
    footer, header = round_.run.footer, round_.run.header
    if footer and footer.faults:
        told = _happened(footer, number)
        if told is None or told.begin is None or told.end is None:
            return None
        return told.begin, told.end
    measuring = header.started + (header.load.warmup or 0.0)
    return measuring + faults[number].at, measuring + faults[number].end


def _window(round_: Round, faults: Sequence[Fault], number: int) -> _Window | None:
    """What followed a fault in a round; None if the fault did not happen."""
    spans = [_span(round_, faults, n) for n, fault in enumerate(faults) if not fault.lasting]
    own = _span(round_, faults, number)
    if own is None:
        return None
    begins = [span[0] for span in spans if span]
    rows = round_.measured
    stop = min((b for b in begins if b > own[0]), default=int(rows.second.max()) + 1)
    calm = [s for s in _seconds(rows) if s.at + 1 <= min(begins)]
    length = sum(second.length for second in calm)
    before = sum(second.successes for second in calm) / length if length else None
    return _Window(round_, *own, stop, before)


def _seconds(rows: Columns) -> list[_Second]:
    """The seconds of some rows, in order."""
    lengths: dict[int, Counter[int]] = defaultdict(Counter)
    columns = (column.tolist() for column in (rows.second, rows.process, rows.length))
    for second, process, length in zip(*columns, strict=True):
        lengths[second][process] += length
    successes, failures = rows.by_second(rows.successes), rows.by_second(rows.counter("failures"))
    return [
        _Second(at, max(lengths[at].values()) / SECOND, successes[at], failures[at])
        for at in successes
    ]


def _effect(pool: PoolRuns, number: int, windows: Sequence[_Window], alone: bool) -> FaultEffect:
    fault = _planned(pool)[number]
    recoveries = [r for window in windows if (r := window.recovery) is not None]
    known = all(window.before is not None for window in windows)
    counters: Counter[str] = sum((window.counters for window in windows), Counter())
    sums = _sums(pool) if alone else {}
    return FaultEffect(
        fault=str(fault),
        begin=fault.at,
        rounds=len(windows),
        lasted_seconds=mean([window.end - window.begin for window in windows]),
        first_error_seconds=mean([e for w in windows if (e := w.first_error) is not None]),
        errors=counters["failures"],
        by_kind={n.removeprefix("errors."): c for n, c in counters.items() if "errors." in n},
        recovered=len(recoveries) if known else None,
        recovery_seconds=mean(recoveries) if len(recoveries) == len(windows) else None,
        beyond_pool_timeout=sum(window.late for window in windows),
        checked=sums.get("checked"),
        lost=sums.get("lost"),
        doubled=sums.get("doubled"),
        killed=_killed(windows, number),
    )


def _killed(windows: Sequence[_Window], number: int) -> int | None:
    """How many connections a fault killed in its rounds; None if unknown."""
    told = [_happened(window.round.run.footer, number) for window in windows]
    found = [one.killed for one in told if one and one.killed is not None]
    return sum(found) if found else None


def _sums(pool: PoolRuns) -> dict[str, int]:
    """The results of the users' own checks over all runs; empty if there were none."""
    names = ("checked", "lost", "doubled")
    columns = [round_.data.columns for round_ in pool.attempts]
    sums = {name: sum(int(c.counter(f"sums.{name}").sum()) for c in columns) for name in names}
    return sums if sums["checked"] else {}
