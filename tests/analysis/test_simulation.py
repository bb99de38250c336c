"""The simulation against formulas, by hand, and what holds whatever the load."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtest.analysis.prediction.simulation import simulate
from loadtest.analysis.prediction.stalls import Stalls
from loadtest.analysis.prediction.workload import ByLevel, SimulationOutcome, Workload
from loadtest.analysis.statistics.queueing import erlang_c_wait, wait_percentile
from loadtest.model.pool import PoolConfig
from tests.analysis.machine_repair import closed_throughput, closed_wait

# The exponential distribution in equally likely parts, with a mean of exactly one.
_RAW = [-math.log(1 - (n + 0.5) / 5000) for n in range(5000)]
EXPONENTIAL = [value * 5000 / sum(_RAW) for value in _RAW]


def times(mean: float) -> list[float]:
    """Exponential times (s) with this mean."""
    return [mean * value for value in EXPONENTIAL]


def only(hold: float) -> ByLevel:
    """Holds that are all alike."""
    return ByLevel.constant((hold,))


def assert_near(values: list[float], expected: float) -> None:
    """That a mean is what it must be, within four standard errors of its replications."""
    error = float(np.std(values, ddof=1)) / math.sqrt(len(values))
    assert float(np.mean(values)) == pytest.approx(expected, abs=4 * error)
    assert error < 0.1 * expected  # else this would say nothing


def replications(
    run: Callable[[int], SimulationOutcome], number: int = 12
) -> list[SimulationOutcome]:
    """The same with other random numbers."""
    return [run(seed) for seed in range(number)]


class TestAgainstFormulas:
    """Where there is a formula, the simulation says the same."""

    @pytest.mark.parametrize(("connections", "load"), [(1, 0.5), (3, 0.8), (10, 0.85)])
    def test_open_loop_as_erlang_c(self, connections: int, load: float) -> None:
        hold = 0.02
        rate = load * connections / hold
        work = Workload(10**6, ByLevel.constant(times(hold)), rate=rate)
        pool = PoolConfig(pool_size=connections, max_overflow=0, pool_timeout=3600)
        runs = replications(lambda seed: simulate(pool, work, 10, 5_000 / rate, seed))

        assert_near(
            [float(np.mean(run.waits)) for run in runs], erlang_c_wait(connections, rate, hold)
        )
        assert_near(
            [float(np.percentile(run.waits, 95)) for run in runs],
            wait_percentile(connections, rate, hold, 0.95),
        )

    @pytest.mark.parametrize(("users", "connections"), [(8, 3), (30, 10), (5, 5)])
    def test_closed_loop_as_machine_repair(self, users: int, connections: int) -> None:
        outside, hold = 0.05, 0.02
        work = Workload(users, ByLevel.constant(times(hold)), outside=times(outside))
        pool = PoolConfig(pool_size=connections, max_overflow=0)
        runs = replications(lambda seed: simulate(pool, work, 2, 20, seed))

        rate = closed_throughput(users, connections, outside, hold)
        assert_near([run.served / run.seconds for run in runs], rate)
        assert_near([run.in_use for run in runs], rate * hold)
        wait = closed_wait(users, connections, outside, hold)
        if wait > 1e-6:
            assert_near([float(np.mean(run.waits)) for run in runs], wait)

    def test_a_timetable_by_hand(self) -> None:
        """Three users, one connection, 100 ms each, no pause: they take turns."""
        pool = PoolConfig(pool_size=1, max_overflow=0)
        outcome = simulate(pool, Workload(3, only(0.1)), 1.05, 1.0, seed=1)

        assert outcome.served == 10
        assert outcome.in_use == pytest.approx(1)
        assert outcome.opened == 0  # the only one in the warm-up
        assert outcome.waits == pytest.approx([0.2] * 10)

    def test_of_two_who_return_at_once_the_first_overtakes_the_second_waiter(self) -> None:
        """Each who returned runs behind the one they notified, but before the other one."""
        pool = PoolConfig(pool_size=2, max_overflow=0)
        outcome = simulate(pool, Workload(4, only(0.1)), 0.05, 0.1, seed=1)

        assert sorted(outcome.waits) == pytest.approx([0.0, 0.2])  # and again in the next round

    def test_evenly_spaced_arrivals_that_find_a_connection_never_wait(self) -> None:
        work = Workload(10, only(0.099), rate=20, even=True)
        outcome = simulate(PoolConfig(pool_size=2, max_overflow=0), work, 1, 10, seed=1)

        assert outcome.asked == 200
        assert max(outcome.waits) == 0


class TestHowThePoolWorks:
    """What is particular about QueuePool."""

    def test_connections_last_used_are_used_first_only_with_lifo(self) -> None:
        work = Workload(20, only(0.01), outside=times(0.1))
        fifo = PoolConfig(pool_size=20, max_overflow=0)
        lifo = PoolConfig(pool_size=20, max_overflow=0, pool_use_lifo=True)
        # At first twenty users ask at about the same time, and open many.
        busy = replace(work, outside=times(0.001))
        opened = simulate(fifo, busy, 1, 1, seed=1)
        assert opened.used == opened.peak > 10

        used = [simulate(pool, work, 1, 2, seed=1) for pool in (fifo, lifo)]

        assert used[0].used == used[0].peak
        assert used[1].used <= used[0].used
        assert used[0].served == used[1].served

    def test_recycled_connections_are_opened_again(self) -> None:
        pool = PoolConfig(pool_size=1, max_overflow=0, pool_recycle=1)
        outcome = simulate(pool, Workload(1, only(0.3)), 0.1, 12, seed=1)

        assert outcome.opened == 10  # every 1.2 s: at the first checkout after more than a second
        assert outcome.peak == 1

    def test_a_ping_takes_its_time_at_each_checkout_but_the_first(self) -> None:
        work = Workload(1, only(0.1), ping=(0.1,))
        plain, pinging = (
            simulate(PoolConfig(pool_pre_ping=ping), work, 1, 10, seed=1) for ping in (False, True)
        )

        assert plain.served == 100
        assert pinging.served == 50
        assert pinging.in_use == pytest.approx(0.5)

    def test_all_who_are_due_in_a_stall_return_at_its_end(self) -> None:
        """So a small queue is full, and closes what comes back too much."""
        pool = PoolConfig(pool_size=2, max_overflow=8)
        work = Workload(10, ByLevel.constant(times(0.05)), handover=only(0.001))
        stalling = replace(work, stalls=[Stalls((0.3,), (1.0,))])
        smooth, still = (simulate(pool, one, 1, 30, seed=1) for one in (work, stalling))

        assert still.opened > smooth.opened + 60
        assert still.served < 0.9 * smooth.served

    def test_who_does_not_yield_takes_back_what_was_for_another(self) -> None:
        """As in sqlalchemy#7679: two users keep both connections, the others wait in vain."""
        pool = PoolConfig(pool_size=2, max_overflow=0, pool_timeout=1.0)
        work = Workload(6, only(0.01), handover=only(0.001))
        fair, unfair = (
            simulate(pool, replace(work, yielding=share), 0, 10, seed=1) for share in (1.0, 0.0)
        )

        assert fair.timeouts == 0
        assert unfair.timeouts == pytest.approx(4 * 10, abs=4)
        assert np.mean(np.array(unfair.waits) == 0) > 0.95

    def test_holds_are_those_of_the_connections_in_use(self) -> None:
        hold = ByLevel((2.0, 10.0), ((0.1,), (0.5,)))
        runs = {
            users: simulate(PoolConfig(pool_size=20), Workload(users, hold), 5, 60, seed=1)
            for users in (1, 2, 6, 10, 15)
        }
        held = {users: run.in_use / (run.served / 60) for users, run in runs.items()}

        assert held[1] == pytest.approx(0.1, rel=0.02)  # beyond what is known: the nearest
        assert held[15] == pytest.approx(0.5, rel=0.02)
        assert held[6] == pytest.approx(0.3, rel=0.05)  # half of the way
        assert held[10] == pytest.approx(0.5, rel=0.05)

    def test_users_without_patience_or_pause_do_not_stop_the_clock(self) -> None:
        pool = PoolConfig(pool_size=1, max_overflow=0, pool_timeout=0)
        outcome = simulate(pool, Workload(3, only(0.1)), 0.05, 1, seed=1)

        assert outcome.served == 10
        assert outcome.timeouts == pytest.approx(2 / 1e-4, rel=0.01)

    def test_arrivals_that_find_no_free_user_are_dropped_when_they_are_late(self) -> None:
        pool = PoolConfig(pool_size=2, max_overflow=0)
        work = Workload(4, only(0.1), rate=30, even=True, drop_after=0.5)
        outcome = simulate(pool, work, 5, 10, seed=1)

        assert outcome.served == pytest.approx(200, abs=2)
        assert outcome.dropped == pytest.approx(100, abs=10)

    def test_the_same_seed_says_the_same(self) -> None:
        work = Workload(20, ByLevel.constant(times(0.02)), outside=times(0.02))
        first, again, other = (
            simulate(PoolConfig(pool_size=4), work, 1, 5, seed) for seed in (3, 3, 4)
        )

        assert first == again
        assert first.waits != other.waits


WORKLOADS = st.builds(
    Workload,
    users=st.integers(1, 60),
    hold=st.floats(0.001, 0.2).map(lambda mean: ByLevel.constant(times(mean))),
    outside=st.floats(0, 0.2).map(times),
    connect=st.floats(0, 0.1).map(only),
    handover=st.floats(0, 0.01).map(only),
    yielding=st.floats(0, 1),
    rate=st.none() | st.floats(1, 300),
    drop_after=st.floats(0.1, 2),
    stalls=st.just(()) | st.floats(0.001, 0.3).map(lambda length: (Stalls((length,), (0.5,)),)),
)
POOLS = st.builds(
    PoolConfig,
    pool_size=st.integers(1, 30),
    max_overflow=st.integers(-1, 20),
    pool_timeout=st.floats(0, 3),
    pool_use_lifo=st.booleans(),
)


class TestWhatever:
    """What holds for any pool under any load."""

    @given(pool=POOLS, work=WORKLOADS, seed=st.integers(0, 100))
    @settings(max_examples=30, deadline=None)
    def test_everybody_is_served_or_times_out_within_the_limits(
        self, pool: PoolConfig, work: Workload, seed: int
    ) -> None:
        outcome = simulate(pool, work, 0.5, 2, seed)

        assert len(outcome.waits) == outcome.asked
        assert outcome.left == 0
        assert outcome.timeouts <= outcome.asked
        assert min(outcome.waits, default=0) >= 0
        assert outcome.peak <= pool.connections_for(work.users)
        assert outcome.in_use <= outcome.peak + 1e-9
        assert outcome.used <= outcome.served
        if pool.max_overflow == -1:
            assert max(outcome.waits, default=0) == 0

    @given(work=WORKLOADS, size=st.integers(1, 20), more=st.integers(1, 20))
    @settings(max_examples=8, deadline=None)
    def test_more_connections_are_never_slower_while_holds_stay_the_same(
        self, work: Workload, size: int, more: int
    ) -> None:
        fewer, many = (
            [
                simulate(PoolConfig(pool_size=n, max_overflow=0), work, 1, 5, seed).served
                for seed in range(4)
            ]
            for n in (size, size + more)
        )
        noise = math.sqrt((np.var(fewer) + np.var(many)) / 4 + np.mean(fewer) / 4)

        assert np.mean(many) >= 0.97 * np.mean(fewer) - 4 * noise - 1
