"""One run, reduced to what a report needs while its file is read."""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, reduce
from itertools import chain

import numpy as np

from loadtest.analysis.columns import Columns, ColumnsBuilder, Ints, Mask
from loadtest.analysis.statistics.batches import Batches, BatchOfRequests, joined
from loadtest.analysis.statistics.censoring import CensoredTimes
from loadtest.model.distribution import Distribution
from loadtest.model.interval import SECOND, SERVER, Fair, Interval, SlowCheckout, TaskUse
from loadtest.runfile.reader import FilePart, Run, RunFacts, RunFile
from loadtest.runfile.schema import Header


@dataclass
class Stretch:
    """The measurements of one process in one period, or one stage of it, without a break.

    waiting: the ages of the unfinished waits at its end. fair: its state then.
    """

    process: str
    period: str
    stage: str
    second: int
    histograms: dict[str, Distribution] = field(default_factory=dict)
    waiting: Distribution = field(default_factory=Distribution)
    fair: Fair = field(default_factory=Fair)
    tasks: dict[str, TaskUse] = field(default_factory=dict)

    @property
    def place(self) -> tuple[str, str, str]:
        """The process, and its period and stage."""
        return self.process, self.period, self.stage

    def add(self, interval: Interval) -> None:
        """Add an interval to its end."""
        self._add(interval.histograms, interval.tasks)
        # A copy: the arrays of many intervals are kept by any of them.
        self.waiting, self.fair = Distribution() + interval.unfinished, interval.fair

    def extend(self, later: Stretch) -> None:
        """Add the stretch that follows it."""
        self._add(later.histograms, later.tasks)
        self.waiting, self.fair = later.waiting, later.fair

    def _add(self, times: Mapping[str, Distribution], tasks: Mapping[str, TaskUse]) -> None:
        for name, one in times.items():
            self.histograms.setdefault(name, Distribution()).add(one)
        for name in self.tasks.keys() | tasks.keys():
            use = self.tasks.get(name, TaskUse())
            # A task that no longer occurs keeps nothing.
            self.tasks[name] = use.then(tasks.get(name, TaskUse()))


@dataclass(frozen=True, eq=False)
class Slow:
    """The slowest checkouts of all intervals, as columns (ns); task: an index into `tasks`."""

    tasks: Sequence[str | None]
    total: Ints
    wait: Ints
    connect: Ints
    ping: Ints
    overflow: Ints
    waiting: Ints
    task: Ints

    def where(self, rows: Mask) -> Slow:
        """Some of them."""
        names = ("total", "wait", "connect", "ping", "overflow", "waiting", "task")
        return replace(self, **{name: getattr(self, name)[rows] for name in names})

    def then(self, later: Slow) -> Slow:
        """The checkouts of two parts of a run."""
        tasks = tuple(dict.fromkeys([*self.tasks, *later.tasks]))
        moved = np.array([tasks.index(task) for task in later.tasks], dtype=np.int64)[later.task]
        names = ("total", "wait", "connect", "ping", "overflow", "waiting")
        columns = {n: np.concatenate((getattr(self, n), getattr(later, n))) for n in names}
        return Slow(tasks, **columns, task=np.concatenate((self.task, moved)))


class _SlowBuilder:
    def __init__(self) -> None:
        self._tasks: dict[str | None, int] = {}
        self._columns = [array("q") for _ in range(7)]

    def add(self, slowest: Iterable[SlowCheckout]) -> None:
        for one in slowest:
            task = self._tasks.setdefault(one.task, len(self._tasks))
            told = (one.total, one.wait, one.connect, one.ping, one.overflow, one.waiting, task)
            for column, number in zip(self._columns, told, strict=True):
                column.append(number)

    def build(self) -> Slow:
        return Slow(tuple(self._tasks), *(np.array(one, dtype=np.int64) for one in self._columns))


@dataclass(frozen=True, eq=False)
class Reduced:
    """What is kept of a run's intervals.

    columns, server: those of the processes under load, and of the server. stretches: of both, in
    the order in which they began. batches: the measured seconds. examples: the first error of each
    kind, including the warm-up and the drain.
    """

    columns: Columns
    server: Columns
    stretches: Sequence[Stretch]
    slow: Slow
    batches: Sequence[BatchOfRequests]
    examples: Mapping[str, str]

    def then(self, later: Reduced) -> Reduced:
        """Two parts of a run that follow each other."""
        return Reduced(
            self.columns.then(later.columns),
            self.server.then(later.server),
            _continued(self.stretches, later.stretches),
            self.slow.then(later.slow),
            joined(self.batches, later.batches),
            {**later.examples, **self.examples},
        )


def _continued(one: Sequence[Stretch], later: Sequence[Stretch]) -> list[Stretch]:
    """Stretches of two parts; the last one of a part may continue in the next."""
    last = {stretch.process: stretch for stretch in one}
    all_ = [*one]
    for stretch in later:
        before = last.pop(stretch.process, None)
        if before and before.place == stretch.place:
            before.extend(stretch)
        else:
            all_.append(stretch)
    return all_


def reduced(header: Header, intervals: Iterable[Interval]) -> Reduced:
    """What is kept of some intervals of a run."""
    clients = ColumnsBuilder(header.pool.pool_timeout if header.load.faults else None)
    server, slow, batches = ColumnsBuilder(), _SlowBuilder(), Batches()
    stretches: list[Stretch] = []
    latest: dict[str, Stretch] = {}
    examples: dict[str, str] = {}
    for interval in intervals:
        stretch = latest.get(interval.process)
        place = interval.process, interval.period, interval.stage
        if stretch is None or stretch.place != place:
            stretch = latest[interval.process] = Stretch(*place, interval.second)
            stretches.append(stretch)
        stretch.add(interval)
        if interval.process == SERVER:
            server.add(interval)
            continue
        clients.add(interval)
        for kind, words in interval.examples.items():
            examples.setdefault(kind, words)
        if interval.period == "measured":
            slow.add(interval.slowest)
            batches.add(interval)
    kept = slow.build(), batches.all, examples
    return Reduced(clients.build(), server.build(), stretches, *kept)


def read_part(header: Header, part: FilePart) -> tuple[FilePart, Reduced]:
    """What is kept of a part of a run; reading also completes the part's facts."""
    data = reduced(header, part)
    return part, data


@dataclass(frozen=True, eq=False)
class Round:
    """The measured time of one run: what all of its processes did together.

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
        data = reduce(Reduced.then, (data for _, data in parts))
        return cls(file.facts([part for part, _ in parts]), data)

    def in_stage(self, name: str) -> Round:
        """What a run measured in one stage."""
        return replace(self, stage=name)

    @cached_property
    def measured(self) -> Columns:
        """The measured rows of the processes under load."""
        return self._own(self.data.columns)

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
        """The total of each process, by the process's name."""
        return {name: self._total(self.measured, name) for name in self.measured.present}

    def _total(self, columns: Columns, process: str) -> Interval:
        own, rows = Interval(0, process, length=0), columns.of(process)
        mine = [one for one in self.data.stretches if one.process == process and self._holds(one)]
        for stretch in mine:
            part = Interval(stretch.second, process, length=0, histograms=stretch.histograms)
            part.unfinished, part.fair = stretch.waiting, stretch.fair
            part.tasks = stretch.tasks
            own.absorb(part)
        own.second, own.length = int(rows.second[0]), int(rows.length.sum())
        own.counters = Counter(rows.totals())
        known = {name: levels for name, levels in rows.gauges.items() if levels.known.any()}
        own.gauges = {name: levels.whole for name, levels in known.items()}
        return own

    @cached_property
    def together(self) -> Interval:
        """All processes side by side, with the length of the longest.

        If one process took over from another, the length is the time with any process.
        """
        together = reduce(Interval.beside, self.processes.values(), Interval(0, length=0))
        covered = sum(max(lengths.values()) for lengths in self._lengths.values())
        if covered > together.length + SECOND:  # not begun within a second
            together.length = covered
        return together

    @cached_property
    def _lengths(self) -> Mapping[int, Mapping[int, int]]:
        """How much of each second each process measured (ns)."""
        lengths: dict[int, Counter[int]] = defaultdict(Counter)
        rows = self.measured
        for second, process, length in zip(
            rows.second.tolist(), rows.process.tolist(), rows.length.tolist(), strict=True
        ):
            lengths[second][process] += length
        return lengths

    @property
    def most_at_once(self) -> int:
        """The most processes that measured in the same second."""
        return max((len(lengths) for lengths in self._lengths.values()), default=1)

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
        """A histogram of the measured time, with unfinished waits if they affect it."""
        finished = self.together.histograms.get(name, Distribution())
        if not cut_off_by_waits:
            return CensoredTimes(finished)
        going_on, entered = self.together.unfinished, self._waiting_at_the_start()
        return CensoredTimes(finished, going_on, entered, self._throughout(going_on, entered))

    def _waiting_at_the_start(self) -> Distribution:
        """The ages of the waits that were unfinished when measuring began."""
        before: dict[str, Distribution] = {}
        begun: set[str] = set()
        for stretch in self.data.stretches:
            if stretch.process == SERVER:
                continue
            if self._holds(stretch):
                begun.add(stretch.process)
            elif stretch.process not in begun and (self.stage or stretch.period == "warmup"):
                before[stretch.process] = stretch.waiting
        return sum(before.values(), Distribution())

    def _throughout(self, going_on: Distribution, entered: Distribution) -> int:
        """The number of waits that began before the measured time and outlasted it."""
        if not going_on.count or not entered.count:
            return 0
        longer = sum(n for end, n in going_on.bins() if end * 1000 > self.together.length)
        return min(longer, entered.count)

    def peak(self, gauge: str) -> int | None:
        """The highest level of a gauge, an upper bound with several processes; None if unknown."""
        rows = self.measured.where(self.measured.gauge(gauge).known)
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
        """The process that used the most CPU for its time."""
        return max(self.processes.values(), key=lambda p: p.counters["cpu"] / max(p.length, 1))

    def saturated_share(self, limit: float) -> float:
        """The share of the busiest process's measured time at or above this CPU."""
        mine = self.measured.of(self.busiest.process)
        busy = mine.length[mine.counter("cpu") >= limit * mine.length].sum()
        return int(busy) / max(int(mine.length.sum()), 1)
