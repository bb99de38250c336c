"""How many connections were open, in use, idle and beyond the pool's size, by hand and by model."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from measuring import MILLISECOND, Bench, Connection, others_go_on
from sqlalchemy import NullPool, QueuePool

from loadtest.model.interval import Gauge, Interval, total
from loadtest.pool.fair_pool import FairPool
from loadtest.pool.levels import gauge, level_steps, subtract_levels

SIZE, OVERFLOW = 2, 2


def level_milliseconds(interval: Interval, name: str) -> float:
    """The integral of a gauge in connections x milliseconds."""
    return interval.gauges[name].integral / MILLISECOND


# ---- By hand


def test_holds_are_counted_where_they_happen_however_the_time_is_cut():
    with Bench() as bench:
        bench.connecting = 0
        bench.forward(10)
        connection = bench.take()
        bench.forward(90)
        cuts = [bench.cut()]
        bench.forward(100)
        cuts.append(bench.cut())
        bench.forward(50)
        connection.close()
        bench.forward(50)
        cuts.append(bench.cut())
        assert [level_milliseconds(cut, "in_use") for cut in cuts] == [90, 100, 50]
        assert [(g.min, g.max, g.last) for g in (cut.gauges["in_use"] for cut in cuts)] == [
            (0, 1, 1),
            (1, 1, 1),
            (0, 1, 0),
        ]
        whole = total(cuts)
        assert whole.gauges["in_use"].integral == whole.histograms["hold"].sum
        assert level_milliseconds(whole, "open") == 290
        assert level_milliseconds(whole, "idle") == 50


def test_waiters_are_counted_while_they_wait():
    with Bench(pool_size=1, max_overflow=0) as bench:
        held = bench.take()
        bench.cut()
        users = [bench.begin_to_take(), bench.begin_to_take()]
        bench.forward(100)
        first = bench.cut()
        bench.forward(30)
        held.close()
        others_go_on()
        bench.forward(70)
        second = bench.cut()
        assert first.gauges["waiting"] == Gauge(200 * MILLISECOND, 2, 2, 2)
        assert second.gauges["waiting"] == Gauge((2 * 30 + 70) * MILLISECOND, 1, 2, 1)
        for user in users:
            user.get().close()


def test_a_wait_before_a_connect_that_still_goes_on_is_counted_too():
    with Bench(pool_size=1, max_overflow=0, pool_recycle=0) as bench:
        held = bench.take()
        bench.cut()
        bench.connecting, bench.hang = 0, "connecting"
        user = bench.begin_to_take()
        bench.forward(60)
        held.close()
        others_go_on()
        bench.forward(40)
        cut = bench.cut()
        assert level_milliseconds(cut, "waiting") == 60
        assert cut.unfinished.count == 0
        user.kill()


def test_a_checkout_from_an_idle_pool_is_no_waiter():
    with Bench() as bench:
        kept = [bench.take() for _ in range(5)]
        assert bench.cut().gauges["waiting"].max == 0
        for connection in kept:
            connection.close()


def test_overflow_is_what_is_open_beyond_the_pools_size_and_never_negative():
    with Bench(pool_size=2, max_overflow=2) as bench:
        bench.connecting = 0
        bench.forward(10)
        kept = []
        for _ in range(4):
            kept.append(bench.take())
            bench.forward(10)
            assert bench.cut().gauges["overflow"].last == max(0, bench.engine.pool.overflow())
        for connection in kept:
            connection.close()
            bench.forward(10)
            level = bench.cut().gauges["overflow"]
            assert level.min >= 0
            assert level.last == max(0, bench.engine.pool.overflow())


@pytest.mark.parametrize("pool", [{"poolclass": NullPool}, {"pool_size": 0}])
def test_a_pool_without_a_size_has_no_overflow(pool):
    with Bench(**pool) as bench:
        kept = [bench.take() for _ in range(20)]
        bench.forward(10)
        interval = bench.cut()
        assert interval.gauges["overflow"] == Gauge()
        assert interval.gauges["open"].last == interval.gauges["in_use"].last == len(kept)
        assert interval.counters["checkouts.overflow"] == 0
        assert interval.counters["checkouts.new"] == 20
        for connection in kept:
            connection.close()


def test_an_interval_of_no_length_has_no_level():
    with Bench() as bench:
        bench.cut()
        assert bench.cut().gauges["open"] == Gauge()


def test_a_change_is_counted_from_the_moment_of_the_change():
    spans = [(0, 4), (2, 10), (6, 6), (-5, 1), (8, 99)]
    assert gauge(level_steps([spans], (0, 10)), (0, 10)) == Gauge(4 + 8 + 1 + 2, 1, 2, 2)
    assert gauge(level_steps([spans], (0, 10)), (0, 10), above=1) == Gauge(1 + 2 + 2, 0, 1, 1)


def test_a_difference_of_levels_is_never_below_zero():
    one, other = level_steps([[(0, 5)]], (0, 10)), level_steps([[(0, 10)]], (0, 10))
    assert gauge(subtract_levels(one, other), (0, 10)) == Gauge(0, 0, 0, 0)
    assert gauge(subtract_levels(other, one), (0, 10)) == Gauge(5, 0, 1, 1)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(-5, 60), st.integers(0, 30)), max_size=12))
def test_a_level_is_the_number_of_spans_at_every_moment(found):
    spans = [(begin, begin + length) for begin, length in found]
    moments = [sum(begin <= t < end for begin, end in spans) for t in range(50)]
    expected = Gauge(sum(moments), min(moments), max(moments), moments[-1])
    assert gauge(level_steps([spans], (0, 50)), (0, 50)) == expected


# ---- By model


@dataclass
class Model:
    """A pool as it should be seen, beside the real one: what is in use, open and returned for ever.

    held: pairs of a connection and the pool it came from. seen: (ms, in use, open) since the cut.
    """

    bench: Bench
    held: list[tuple[Any, QueuePool]] = field(default_factory=list)
    detached: list[Any] = field(default_factory=list)
    abandoned: set[Connection] = field(default_factory=set)
    seen: list[tuple[int, int, int]] = field(default_factory=list)
    known: set[Connection] = field(default_factory=set)

    def open(self) -> set[Connection]:
        return self.bench.lives - self.abandoned

    def take(self, _: int) -> None:
        pool = self.bench.engine.pool
        if sum(of is pool for _, of in self.held) < SIZE + OVERFLOW:
            self.held.append((self.bench.take(), pool))

    def give(self, which: int) -> None:
        if self.held:
            connection, pool = self.held.pop(which % len(self.held))
            raw = connection.dbapi_connection
            connection.close()
            if pool is not self.bench.engine.pool and raw in self.bench.lives:
                self.abandoned.add(raw)

    def detach(self, which: int) -> None:
        if self.held:
            connection, _ = self.held.pop(which % len(self.held))
            connection.detach()
            self.detached.append(connection)

    def break_(self, which: int) -> None:
        if self.held:
            self.held.pop(which % len(self.held))[0].invalidate()

    def close_detached(self, which: int) -> None:
        if self.detached:
            self.detached.pop(which % len(self.detached)).close()

    def dispose(self, _: int) -> None:
        self.bench.engine.dispose()

    def wait(self, milliseconds: int) -> None:
        self.bench.forward(milliseconds)
        self.seen.append((milliseconds, len(self.held), len(self.open())))

    def cut(self, _: int) -> None:
        self.wait(1)
        interval, seen, self.seen = self.bench.cut(), self.seen, []
        self._same(interval.gauges["in_use"], [(ms, held) for ms, held, _ in seen])
        self._same(interval.gauges["open"], [(ms, is_open) for ms, _, is_open in seen])
        self._same(interval.gauges["idle"], [(ms, o - held) for ms, held, o in seen])
        self._same(interval.gauges["overflow"], [(ms, max(0, o - SIZE)) for ms, _, o in seen])
        closed = sum(n for name, n in interval.counters.items() if name.startswith("closed."))
        assert interval.counters["opened"] - closed == len(self.open()) - len(self.known)
        self.known = self.open()
        self._agrees_with_the_pool(interval)

    def _same(self, level: Gauge, seen: list[tuple[int, int]]) -> None:
        values = [value for _, value in seen]
        assert level.integral == sum(ms * value for ms, value in seen) * MILLISECOND
        assert (level.min, level.max, level.last) == (min(values), max(values), values[-1])

    def _agrees_with_the_pool(self, interval: Interval) -> None:
        pool = self.bench.engine.pool
        if all(of is pool for _, of in self.held):
            assert interval.gauges["in_use"].last == pool.checkedout()
        if all(of is pool for _, of in self.held) and not self.detached:
            # An entry whose connection was closed for an error is in the pool without one.
            idle = sum(entry.dbapi_connection is not None for entry in pool._pool.queue)
            assert interval.gauges["idle"].last == idle <= pool.checkedin()


ACTIONS = ("take", "take", "take", "give", "detach", "break_", "close_detached", "dispose", "cut")
actions = st.tuples(st.sampled_from(ACTIONS), st.integers(0, 3)) | st.tuples(
    st.just("wait"), st.integers(1, 30)
)


@pytest.mark.parametrize("poolclass", [QueuePool, FairPool])
@settings(deadline=None, max_examples=150)
@given(doings=st.lists(actions, max_size=40))
def test_whatever_is_done_with_a_pool_its_levels_are_those_of_the_model(poolclass, doings):
    with Bench(poolclass=poolclass, pool_size=SIZE, max_overflow=OVERFLOW) as bench:
        bench.connecting = 0
        model = Model(bench)
        for action, number in [*doings, ("cut", 0)]:
            getattr(model, action)(number)
        for connection in [*model.detached, *(connection for connection, _ in model.held)]:
            connection.close()


def test_levels_do_not_depend_on_where_the_time_is_cut():
    def intervals(cuts_at: set[int]) -> list[Interval]:
        with Bench(pool_size=1, max_overflow=1) as bench:
            bench.connecting = 0
            found, held = [], []
            for moment in range(40):
                if moment in (3, 5, 20):
                    held.append(bench.take())
                if moment in (9, 30, 31):
                    held.pop().close()
                bench.forward(1)
                if moment in cuts_at:
                    found.append(bench.cut())
            return [*found, bench.cut()]

    whole = intervals(set())[0]
    for cuts in ({0}, {5, 6}, {10, 20, 30}, set(range(39))):
        assert total(intervals(cuts)).gauges == whole.gauges
