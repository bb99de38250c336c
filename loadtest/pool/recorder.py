"""Turns raw clock readings of checkouts and holds into an Interval, once a second.

The hot path only appends numbers to lists; sorting, binning and adding up happen in `cut`.
"""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from greenlet import getcurrent, greenlet

from loadtest.model.distribution import Distribution
from loadtest.model.errors import MoreThanAnnounced
from loadtest.model.interval import SLOWEST_KEPT, Fair, Gauge, Interval, Period, SlowCheckout
from loadtest.model.steps import LetOthersRun, go_on
from loadtest.pool.checkout_batch import (
    Batch,
    Checkout,
    Phases,
    clock,
    counters,
    histograms,
    slow_checkout,
)
from loadtest.pool.deadlock_watch import DeadlockWatch
from loadtest.pool.levels import steady
from loadtest.pool.place_recorder import PlaceRecorder
from loadtest.pool.pool_gauges import pool_gauges
from loadtest.pool.task_usage import NO_TASK, Task, Uses, as_rows, summed_up, taken
from loadtest.pool.user_shares import Fairness

LEAST_STEP = 100_000_000


class Recorder:
    """Collects the use of the pool in one process, and returns it as Intervals.

    `pending`, `phases` and `tasks` are keyed by greenlet (in a thread, its main greenlet), and so
    are the users in `connecting`; `held` (since, task, id of the user) and `opened` are keyed by
    connection record. `aside` has the checkouts (user, start, phases) whose listeners use the pool
    meanwhile. `connections` is locked while a connection is opened or closed, so that it is in one
    place only. A Batch describes the lists; `quick` is flat, because tuples cost the garbage
    collector more time.
    no_task: the task for work outside of tasks. pool_size: connections above it are overflow; None
    without overflow. ceiling: returns the limit of open connections, including those that are being
    opened; None without a limit. beyond: how many more were refused. wait_timeout: how long (s) the
    server keeps an idle session; infinite if unknown. levels: more gauges, read at each cut.
    rising: more counters, each a function that returns its total so far. correction:
    returns the correction of this machine's wall clock (ns). open_loop: whether users may be idle.
    current_user: returns the user that is running. own_users: whether the users are the tool's own,
    not an application's; only then their shares, helpers and lost connections are looked at.
    places: records an application's places and routes; None in a load test. let_others_run: called
    between the steps of a cut.
    """

    def __init__(self, process: str = "", pool_size: int | None = None) -> None:
        self.process = process
        self.pool_size = pool_size
        self.current_user: Callable[[], greenlet] = getcurrent
        self.own_users = True
        self.places: PlaceRecorder | None = None
        self.let_others_run: LetOthersRun = go_on
        self.ceiling: Callable[[], int] | None = None
        self.beyond = 0
        self.wait_timeout = math.inf
        self.connecting: set[greenlet] = set()
        self.pending: dict[greenlet, int] = {}
        self.phases: dict[greenlet, Phases] = {}
        self.aside: list[tuple[greenlet, int, Phases | None]] = []
        self.tasks: dict[greenlet, Task] = {}
        self.held: dict[object, tuple[int, Task, int]] = {}
        self.uses = Uses()
        self.no_task = Task(NO_TASK, self.uses[NO_TASK])
        self.deadlocks = DeadlockWatch(
            self.held, self.pending, self.phases, self.aside, self.tasks, self.no_task
        )
        self.opened: dict[object, int] = {}
        self.connections = threading.RLock()
        self.openings: list[int] = []
        self.contexts: list[int] = []
        self.quick: list[int] = []
        self.noticed: list[Checkout] = []
        self.resets: list[int] = []
        self.closes: list[tuple[int, int, str]] = []
        self.requests: list[int] = []
        self.failures: list[tuple[int, str]] = []
        self.abandoned: list[int] = []
        self.lags: list[int] = []
        self.thinks: list[int] = []
        self.schedule_lags: list[int] = []
        self.open_loop = False
        self.levels: dict[str, Callable[[], int]] = {}
        self.rising: dict[str, Callable[[], int]] = {"cpu": time.process_time_ns}
        self.correction: Callable[[], int] = lambda: 0
        self._risen: Counter[str] = Counter(cpu=time.process_time_ns())
        self._fairness = Fairness()
        self._seen: set[str] = set()
        self._examples: dict[str, str] = {}
        self._first_failure = 0
        self._cut_at = clock()
        self._epoch = self._wall = _wall_ahead()

    def phases_of(self, user: greenlet, began: int) -> Phases:
        """The phases of a user's checkout; new ones end its wait at `began`."""
        return self.phases.setdefault(user, Phases(began))

    @contextmanager
    def set_aside(self, user: greenlet) -> Iterator[None]:
        """Keep a user's checkout apart from what its listeners do with the pool meanwhile."""
        start, phases = self.pending.pop(user), self.phases.pop(user, None)
        checkout = (user, start, phases)
        self.aside.append(checkout)
        try:
            yield
        finally:
            self.aside.remove(checkout)
            self.pending[user] = start
            if phases:
                self.phases[user] = phases

    def take_room(self, user: greenlet) -> None:
        """Count the connection that a user is about to open, until it is open or has failed.

        Raises MoreThanAnnounced if the ceiling leaves no room for it.
        """
        if self.ceiling is None:
            return
        most = self.ceiling()
        with self.connections:
            if len(self.opened) + len(self.connecting) < most:
                self.connecting.add(user)
                return
            self.beyond += 1
        raise MoreThanAnnounced(
            f"a checkout needed one connection more than the {most} announced for this process"
        )

    def restart(self) -> None:
        """Discard earlier recordings and begin the first interval now."""
        self.cut("warmup")
        self._seen.clear()

    def second(self, moment: int) -> int:
        """The UTC second of a clock reading; steps of the wall clock do not change it."""
        return self._utc(moment) // 1_000_000_000

    @property
    def wall_ahead(self) -> int:
        """How far the wall clock was set forward (ns) since the start, as of the last cut."""
        return self._wall - self._epoch

    def follow_wall_clock(self) -> None:
        """Take the wall clock's time from now on, as of the last cut."""
        self._epoch = self._wall

    def _utc(self, moment: int) -> int:
        return moment + self._epoch + self.correction()

    def failed(self, elapsed: int, kind: str, words: str) -> None:
        """Record a failed request with its duration (ns), and the first message of its kind."""
        self.failures.append((elapsed, kind))
        self._first_failure = self._first_failure or clock()
        if kind not in self._seen:
            self._seen.add(kind)
            self._examples[kind] = words

    def cut(self, period: Period) -> Interval:
        """Everything since the last cut as an interval, which ends now."""
        batch = self._batch()
        self.let_others_run()
        interval = Interval(self.second(batch.begin), self.process, period, batch.now - batch.begin)
        interval.counters = counters(batch)
        interval.counters.update(self._rise())
        interval.counters["clock_step"] = self._clock_step()
        self.let_others_run()
        interval.histograms = histograms(batch)
        self.let_others_run()
        interval.gauges = self._gauges(batch)
        self.let_others_run()
        going_on = [now - start for _, start, now in batch.waiting if now == batch.now]
        interval.unfinished = Distribution.of(going_on)
        interval.slowest = self._slowest(batch)
        interval.tasks = summed_up(batch.uses, batch.holders)
        self.deadlocks.note(interval.tasks, batch.now, failed=batch.failed_checkouts)
        if self.places:
            self.places.add_to(interval, batch, self._utc, self.let_others_run)
        interval.examples, self._examples = self._examples, {}
        if self._first_failure:
            interval.first_failure, self._first_failure = self._utc(self._first_failure), 0
        if period == "measured" and self.own_users:
            interval.fair = self._fair(batch)
        return interval

    def _fair(self, batch: Batch) -> Fair:
        self._fairness.add(batch.users, batch.waits, batch.served)
        # In an open loop a user without a connection may never have asked for one.
        everybody = "users" in self.levels and not self.open_loop
        users = batch.levels["users"] if everybody else 0
        ages = [(user, end - start) for user, start, end in batch.waiting]
        return self._fairness.totals(users, ages)

    def _batch(self) -> Batch:
        begin, self._cut_at = self._cut_at, clock()
        now = self._cut_at
        # Threads go on: an event after `now`, between the two readings, is in both.
        held, waiting = self.held.copy(), self._waits_going_on(now)
        levels = {name: read() for name, read in self.levels.items()}
        uses, noticed = self.uses.taken(), taken(self.noticed)
        quick_numbers, resets = len(self.quick), len(self.resets)
        openings, contexts = len(taken(self.openings)), len(taken(self.contexts))
        with self.connections:
            # In this order: the garbage collector takes no lock, and a connection that it closes in
            # between would be counted twice.
            closes = taken(self.closes)
            opened = list(self.opened.values())
        columns = 4 if self.places else 3
        quick = as_rows(self.quick, columns, self.let_others_run, quick_numbers)
        spans = [use.spans(self.let_others_run) for use in uses.values()]
        of_places = as_rows(self.places.ended if self.places else [], 6, self.let_others_run)
        holds = np.concatenate([of_places[:, :2], *spans])
        ended = set(holds[holds[:, 1] > now, 0].tolist())
        answered = {(user, start) for start, _, user in quick[quick[:, 1] > now, :3].tolist()}
        answered |= {(checkout.user, checkout.start) for checkout in noticed if checkout.end > now}
        since = [start for start, _, _ in held.values() if start <= now and start not in ended]
        return Batch(
            begin=begin,
            now=now,
            openings=openings,
            contexts=contexts,
            quick=quick,
            noticed=noticed,
            uses=uses,
            holds=holds,
            ended=of_places,
            held=as_rows([edge for start in since for edge in (start, now)], 2),
            resets=as_rows(self.resets, 1, self.let_others_run, resets)[:, 0],
            closes=closes,
            opened=opened,
            holders=[task for _, task, _ in held.values()],
            levels=levels,
            waiting=[wait for wait in waiting if wait[:2] not in answered],
            requests=taken(self.requests),
            failures=taken(self.failures),
            abandoned=taken(self.abandoned),
            lags=taken(self.lags),
            thinks=taken(self.thinks),
            schedule_lags=taken(self.schedule_lags),
            let_others_run=self.let_others_run,
        )

    def _rise(self) -> Counter[str]:
        before, self._risen = self._risen, Counter({n: read() for n, read in self.rising.items()})
        return self._risen - before

    def _clock_step(self) -> int:
        """The step of the wall clock since the last cut (ns); slow corrections do not count."""
        before, self._wall = self._wall, _wall_ahead()
        step = abs(self._wall - before)
        return step if step >= LEAST_STEP else 0

    def _gauges(self, batch: Batch) -> dict[str, Gauge]:
        gauges = pool_gauges(batch, self.pool_size)
        for name, level in batch.levels.items():
            gauges[name] = steady(level, (batch.begin, batch.now))
        return gauges

    def _slowest(self, batch: Batch) -> list[SlowCheckout]:
        start, end = batch.columns[:2]
        worst = np.argsort(start - end, kind="stable")[:SLOWEST_KEPT].tolist()
        return [slow_checkout(batch.noticed[index], batch, self.pool_size) for index in worst]

    def _waits_going_on(self, now: int) -> list[tuple[int, int, int]]:
        under_way = [(user, at, self.phases.get(user)) for user, at in self.pending.copy().items()]
        return [
            (id(user), start, min(phases.began, now) if phases else now)
            for user, start, phases in [*under_way, *self.aside]
            if start < now
        ]


def _wall_ahead() -> int:
    """How far the wall clock is ahead of `clock` (ns): of three readings, the shortest.

    A busy machine can interrupt a reading of both clocks; the time in between is no step.
    """
    readings = []
    for _ in range(3):
        begin, wall, end = clock(), time.time_ns(), clock()
        readings.append((end - begin, wall - begin))
    return min(readings)[1]
