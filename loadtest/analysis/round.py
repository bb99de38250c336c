"""The measured time of one run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from itertools import chain

import numpy as np

from loadtest.analysis.columns import Columns
from loadtest.analysis.reduction import Reduced, Stretch, read_part, reduced
from loadtest.analysis.statistics.censoring import CensoredTimes
from loadtest.model.distribution import Distribution
from loadtest.model.interval import SECOND, SERVER, Interval
from loadtest.model.request_use import IN_PROGRESS, ages_in_progress, is_of_name, name_in
from loadtest.runfile.driven_schema import PROCESS_COUNTERS
from loadtest.runfile.reader import FilePart, Run, RunFacts, RunFile

# How long each process measured in each second (ns).
_Lengths = Mapping[int, Mapping[int, int]]


@dataclass(frozen=True, eq=False)
class Round:
    """The measured time of one run: what all of its processes did together.

    The processes of the load generator have the pools, unless the run drove an application.
    stage: the one that it is reduced to; empty for all of the measured time.
    """

    run: RunFacts
    data: Reduced
    stage: str = ""

    @classmethod
    def of(cls, run: Run) -> Round:
        """A run that is in memory with all of its intervals."""
        return cls(run, reduced(run.header, chain(run.intervals, run.server)))

    @classmethod
    def read(cls, file: RunFile) -> Round:
        """A run that is reduced while it is read."""
        return cls.joined(file, [read_part(file.header, file.whole())])

    @classmethod
    def joined(cls, file: RunFile, parts: Sequence[tuple[FilePart, Reduced]]) -> Round:
        """A run from its parts."""
        data = Reduced.joined([data for _, data in parts])
        return cls(file.facts([part for part, _ in parts]), data)

    def in_stage(self, name: str) -> Round:
        """What a run measured in one stage."""
        return replace(self, stage=name)

    @property
    def driven(self) -> bool:
        """Whether the run drove an application, whose processes have the pools."""
        return self.run.header.driven is not None

    @cached_property
    def measured(self) -> Columns:
        """The measured rows of the load generator's processes."""
        return self._own(self.data.columns)

    @cached_property
    def of_pools(self) -> Columns:
        """The measured rows of the processes that have the pools: the application's, if any."""
        return self._own(self.data.application) if self.driven else self.measured

    def _own(self, columns: Columns) -> Columns:
        rows = columns.measured
        if self.stage:
            known = self.stage in columns.stages
            rows &= columns.stage == (columns.stages.index(self.stage) if known else -1)
        return columns.where(rows)

    def _holds(self, stretch: Stretch) -> bool:
        return stretch.period == "measured" and self.stage in ("", stretch.stage)

    @cached_property
    def processes(self) -> Mapping[str, Interval]:
        """The total of each process of the load generator, by the process's name."""
        return {name: self._total(self.measured, name) for name in self.measured.present}

    def _total(self, columns: Columns, process: str) -> Interval:
        own, rows = Interval(0, process, length=0), columns.of(process)
        mine = [one for one in self.data.stretches if one.process == process and self._holds(one)]
        for stretch in mine:
            part = Interval(stretch.second, process, length=0, histograms=stretch.histograms)
            part.unfinished, part.fair = stretch.waiting, stretch.fair
            part.tasks, part.requests = stretch.tasks, stretch.requests
            own.absorb(part)
        own.second, own.length = int(rows.second[0]), int(rows.length.sum())
        own.counters = Counter(rows.totals())
        known = {name: levels for name, levels in rows.gauges.items() if levels.known.any()}
        own.gauges = {name: levels.whole for name, levels in known.items()}
        return own

    @cached_property
    def together(self) -> Interval:
        """All processes side by side, with the length of the longest of the load generator.

        If one process took over from another, the length is the time with any process.
        """
        load = _side_by_side(self.processes.values(), self._lengths)
        if not self.driven:
            return load
        together = load.beside(self._application(load.length))
        together.length = load.length
        return together

    def _application(self, length: int) -> Interval:
        """The application's processes side by side; the mean levels are right for a length."""
        rows = self.of_pools
        totals = [self._total(rows, name) for name in rows.present]
        found = _side_by_side(totals, self._lengths_of_pools)
        for name in PROCESS_COUNTERS:
            del found.counters[name]
        for name, gauge in found.gauges.items():
            integral = gauge.integral * length // max(found.length, 1)
            found.gauges[name] = replace(gauge, integral=integral)
        return found

    @cached_property
    def _lengths(self) -> _Lengths:
        return self.measured.lengths()

    @cached_property
    def _lengths_of_pools(self) -> _Lengths:
        return self.of_pools.lengths() if self.driven else self._lengths

    @property
    def most_at_once(self) -> int:
        """The most processes with pools that measured in the same second."""
        return max((len(lengths) for lengths in self._lengths_of_pools.values()), default=1)

    @cached_property
    def server(self) -> Interval:
        """The status of the database server in the measured time; empty if not read."""
        rows = self._own(self.data.server)
        return self._total(rows, SERVER) if len(rows) else Interval(0, length=0)

    @property
    def key(self) -> tuple[str, int]:
        """What rounds of different pools are paired by: their folder and number."""
        return str(self.run.path.parent), self.run.header.round

    @property
    def seconds(self) -> float:
        """How long was measured."""
        return self.together.length / SECOND

    @property
    def successes(self) -> int:
        """Requests that succeeded."""
        return self.together.counters["requests"] - self.together.counters["failures"]

    @property
    def throughput(self) -> float:
        """Requests per second that succeeded."""
        return self.successes / self.seconds

    def times(self, name: str, cut_off_by_waits: bool = False) -> CensoredTimes:
        """A histogram of the measured time, with unfinished waits if they affect it.

        Times of requests are cut off by the ages of unfinished requests, if these are known.
        """
        finished = self.together.histograms.get(name, Distribution())
        if not cut_off_by_waits:
            return CensoredTimes(finished)
        going_on, entered = self.together.unfinished, self._waiting_at_the_start()
        if is_of_name(name) or (name == "request" and self.knows_requests):
            of = name_in(name)
            going_on = ages_in_progress(self.together.requests, of)
            entered = self._requested_at_the_start(of)
        return CensoredTimes(finished, going_on, entered, self._throughout(going_on, entered))

    @property
    def knows_requests(self) -> bool:
        """Whether the requests in progress are known."""
        return IN_PROGRESS in self.together.gauges

    def _waiting_at_the_start(self) -> Distribution:
        """The ages of the waits that were unfinished when measuring began."""
        before = [one.waiting for one in self._before() if bool(one.role) == self.driven]
        return sum(before, Distribution())

    def _requested_at_the_start(self, name: str) -> Distribution:
        """The ages of the requests that were in progress when measuring began."""
        before = (ages_in_progress(stretch.requests, name) for stretch in self._before())
        return sum(before, Distribution())

    def _before(self) -> Iterable[Stretch]:
        """The last stretch of each process before the measured time."""
        before: dict[str, Stretch] = {}
        begun: set[str] = set()
        for stretch in self.data.stretches:
            if stretch.process == SERVER:
                continue
            if self._holds(stretch):
                begun.add(stretch.process)
            elif stretch.process not in begun and (self.stage or stretch.period == "warmup"):
                before[stretch.process] = stretch
        return before.values()

    def _throughout(self, going_on: Distribution, entered: Distribution) -> int:
        """The number of waits that began before the measured time and outlasted it."""
        if not going_on.count or not entered.count:
            return 0
        longer = sum(n for end, n in going_on.bins() if end * 1000 > self.together.length)
        return min(longer, entered.count)

    def peak(self, gauge: str) -> int | None:
        """The highest level of a gauge, an upper bound with several processes; None if unknown."""
        rows = self.of_pools if gauge in self.of_pools.gauges else self.measured
        rows = rows.where(rows.gauge(gauge).known)
        if not len(rows):
            return None
        number = len(rows.processes)
        places, at = np.unique(rows.second * number + rows.process, return_inverse=True)
        highest = np.zeros(len(places), dtype=np.int64)
        np.maximum.at(highest, at, rows.gauges[gauge].max)  # of each process in each second
        _, second = np.unique(places // number, return_inverse=True)
        return int(np.bincount(second, weights=highest).max())

    @property
    def busiest(self) -> Interval:
        """The process of the load generator that used the most CPU for its time."""
        return max(self.processes.values(), key=lambda p: p.counters["cpu"] / max(p.length, 1))

    def saturated_share(self, limit: float) -> float:
        """The share of the busiest process's measured time at or above this CPU."""
        mine = self.measured.of(self.busiest.process)
        busy = mine.length[mine.counter("cpu") >= limit * mine.length].sum()
        return int(busy) / max(int(mine.length.sum()), 1)


def _side_by_side(processes: Iterable[Interval], by_second: _Lengths) -> Interval:
    """The totals of some processes together; by_second: how long each measured."""
    together = reduce(Interval.beside, processes, Interval(0, length=0))
    covered = sum(max(lengths.values()) for lengths in by_second.values())
    if covered > together.length + SECOND:  # not begun within a second
        together.length = covered
    return together
