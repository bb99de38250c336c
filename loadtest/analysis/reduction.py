"""What a report needs of a run's intervals, kept while they are read."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce

import numpy as np

from loadtest.analysis.columns import Columns, Ints, Mask
from loadtest.analysis.columns_builder import ColumnsBuilder, split
from loadtest.analysis.driven.measured_process import MeasuredProcess, joined_processes
from loadtest.analysis.recordings.blocks import without_places
from loadtest.analysis.statistics.batches import Batches, BatchOfRequests, joined
from loadtest.model.distribution import Distribution
from loadtest.model.interval import SERVER, Fair, Interval, SlowCheckout
from loadtest.model.named_values import by_name
from loadtest.model.request_use import RequestUse, is_of_name
from loadtest.model.task_use import TaskUse
from loadtest.runfile.reader import FilePart
from loadtest.runfile.schema import Header


@dataclass
class Stretch:
    """The measurements of one process in one period, or one stage of it, without a break.

    waiting: the ages of the unfinished waits at its end. fair: its state then. role: the process's.
    """

    process: str
    period: str
    stage: str
    second: int
    histograms: dict[str, Distribution] = field(default_factory=dict)
    waiting: Distribution = field(default_factory=Distribution)
    fair: Fair = field(default_factory=Fair)
    tasks: dict[str, TaskUse] = field(default_factory=dict)
    role: str = ""
    requests: dict[str, RequestUse] = field(default_factory=dict)

    @property
    def place(self) -> tuple[str, str, str]:
        """The process, and its period and stage."""
        return self.process, self.period, self.stage

    def add(self, interval: Interval) -> None:
        """Add an interval to its end."""
        self._add(interval.histograms, interval.tasks, interval.requests)
        # A copy: the arrays of many intervals are kept by any of them.
        self.waiting, self.fair = Distribution() + interval.unfinished, interval.fair

    def extend(self, later: Stretch) -> None:
        """Add the stretch that follows it."""
        self._add(later.histograms, later.tasks, later.requests)
        self.waiting, self.fair = later.waiting, later.fair

    def _add(
        self,
        times: Mapping[str, Distribution],
        tasks: Mapping[str, TaskUse],
        requests: dict[str, RequestUse],
    ) -> None:
        for name, one in times.items():
            self.histograms.setdefault(name, Distribution()).add(one)
        for name in self.tasks.keys() | tasks.keys():
            use = self.tasks.get(name, TaskUse())
            # A task that no longer occurs keeps nothing.
            self.tasks[name] = use.then(tasks.get(name, TaskUse()))
        self.requests = by_name(self.requests, requests, RequestUse.then, RequestUse())


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

    @classmethod
    def joined(cls, parts: Sequence[Slow]) -> Slow:
        """The checkouts of some parts of a run."""
        tasks = tuple(dict.fromkeys(task for part in parts for task in part.tasks))
        names = ("total", "wait", "connect", "ping", "overflow", "waiting")
        columns = [np.concatenate([getattr(part, name) for part in parts]) for name in names]
        places = [np.array([tasks.index(t) for t in p.tasks], dtype=np.int64) for p in parts]
        moved = [place[part.task] for place, part in zip(places, parts, strict=True)]
        return cls(tasks, *[*columns, np.concatenate(moved)])


class _SlowBuilder:
    def __init__(self) -> None:
        self._tasks: dict[str | None, int] = {}
        self._rows = array("q")

    def add(self, slowest: Iterable[SlowCheckout]) -> None:
        for one in slowest:
            task = self._tasks.setdefault(one.task, len(self._tasks))
            told = (one.total, one.wait, one.connect, one.ping, one.overflow, one.waiting, task)
            self._rows.extend(told)

    def build(self) -> Slow:
        return Slow(tuple(self._tasks), *split(self._rows, 7))


@dataclass(frozen=True, eq=False)
class Reduced:
    """What is kept of a run's intervals.

    columns, server, application: those of the processes under load, of the server, and of the
    application that the run drove. stretches: of all, in the order in which they began. batches:
    the measured seconds. examples: the first error of each kind, including the warm-up and the
    drain. application_waits: the waits of the application in each measured second.
    application_processes: what its processes recorded, by name.
    """

    columns: Columns
    server: Columns
    stretches: Sequence[Stretch]
    slow: Slow
    batches: Sequence[BatchOfRequests]
    examples: Mapping[str, str]
    application: Columns
    application_waits: Mapping[int, Distribution]
    application_processes: Mapping[str, MeasuredProcess]

    @property
    def wait_p95s(self) -> Sequence[float]:
        """The p95 of the waits (s) of each measured second that had any."""
        found = [one.percentile_seconds(95) for one in self.application_waits.values()]
        if not len(self.application):
            found = [one.wait_p95 for one in self.batches]
        return [p95 for p95 in found if p95 is not None]

    @classmethod
    def joined(cls, parts: Sequence[Reduced]) -> Reduced:
        """Some parts of a run that follow each other."""
        return cls(
            Columns.joined([part.columns for part in parts]),
            Columns.joined([part.server for part in parts]),
            reduce(_continued, (part.stretches for part in parts)),
            Slow.joined([part.slow for part in parts]),
            reduce(joined, (part.batches for part in parts)),
            {kind: words for part in reversed(parts) for kind, words in part.examples.items()},
            Columns.joined([part.application for part in parts]),
            _summed([part.application_waits for part in parts]),
            joined_processes([part.application_processes for part in parts]),
        )


def _summed(parts: Sequence[Mapping[int, Distribution]]) -> Mapping[int, Distribution]:
    """The waits of all parts; a second may be in two of them."""
    waits: dict[int, Distribution] = {}
    for part in parts:
        for second, times in part.items():
            waits.setdefault(second, Distribution()).add(times)
    return waits


def _continued(one: Sequence[Stretch], later: Sequence[Stretch]) -> Sequence[Stretch]:
    """Stretches of two parts; what one of them ends with may go on in the other."""
    last = {stretch.process: stretch for stretch in one}
    all_ = [*one]
    for stretch in later:
        before = last.pop(stretch.process, None)
        if before and before.place == stretch.place:
            before.extend(stretch)
        else:
            all_.append(stretch)
    return all_


class _Reducer:
    """Takes the intervals of a run one by one."""

    def __init__(self, header: Header) -> None:
        late = header.pool.pool_timeout if header.load.faults else None
        self._clients, self._application = ColumnsBuilder(late), ColumnsBuilder(late)
        self._waits: dict[int, Distribution] = {}
        self._processes: dict[str, MeasuredProcess] = {}
        self._server, self._slow, self._batches = ColumnsBuilder(), _SlowBuilder(), Batches()
        self._stretches: list[Stretch] = []
        self._latest: dict[str, Stretch] = {}
        self._examples: dict[str, str] = {}

    def add(self, interval: Interval) -> None:
        if interval.period == "measured":
            self._slow.add(interval.slowest)
        if interval.role:
            interval = self._add_application(interval)
        self._stretch(interval).add(interval)
        if interval.process == SERVER:
            self._server.add(interval)
        elif not interval.role:
            self._add_client(_without_names(interval))

    def _add_application(self, whole: Interval) -> Interval:
        """Add an interval of the application; returns it without most of its memory."""
        interval = without_places(whole)
        self._application.add(interval)
        if interval.period == "measured":
            name = interval.process
            self._processes.setdefault(name, MeasuredProcess(name)).add(whole)
            if waits := interval.histograms.get("wait"):
                self._waits.setdefault(interval.second, Distribution()).add(waits)
        return interval

    def _add_client(self, interval: Interval) -> None:
        self._clients.add(interval)
        for kind, words in interval.examples.items():
            self._examples.setdefault(kind, words)
        if interval.period == "measured":
            self._batches.add(interval)

    def _stretch(self, interval: Interval) -> Stretch:
        """The stretch that an interval belongs to, which it may begin."""
        stretch = self._latest.get(interval.process)
        place = interval.process, interval.period, interval.stage
        if stretch is None or stretch.place != place:
            stretch = Stretch(*place, interval.second, role=interval.role)
            self._latest[interval.process] = stretch
            self._stretches.append(stretch)
        return stretch

    def build(self) -> Reduced:
        return Reduced(
            columns=self._clients.build(),
            server=self._server.build(),
            stretches=self._stretches,
            slow=self._slow.build(),
            batches=self._batches.all,
            examples=self._examples,
            application=self._application.build(),
            application_waits=self._waits,
            application_processes=self._processes,
        )


def _without_names(interval: Interval) -> Interval:
    """An interval without the requests by name, of which no column is looked at."""
    if not interval.requests:
        return interval
    times = {name: one for name, one in interval.histograms.items() if not is_of_name(name)}
    return replace(interval, histograms=times, requests={})


def reduced(header: Header, intervals: Iterable[Interval]) -> Reduced:
    """What is kept of some intervals of a run."""
    reducer = _Reducer(header)
    for interval in intervals:
        reducer.add(interval)
    return reducer.build()


def read_part(header: Header, part: FilePart) -> tuple[FilePart, Reduced]:
    """What is kept of a part of a run; the part then tells what it has found, too."""
    data = reduced(header, part)
    return part, data
