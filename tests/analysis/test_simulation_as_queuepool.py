"""The simulation against SQLAlchemy's own QueuePool, checkout by checkout, in virtual time.

Both draw their times from the same random numbers in the same order: where one does anything else
than the other, all that follows differs.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from loadtest.analysis.prediction.simulation import simulate
from loadtest.analysis.prediction.workload import ByLevel, SimulationOutcome, Workload
from loadtest.model.pool import PoolConfig
from tests.analysis.virtual_pool import VirtualPool, World

SECONDS = 3.0
SEED = 7
numbers = random.Random(1)
# From a half to one and a half, no two alike.
SPREAD = [0.5 + numbers.random() for _ in range(997)]


@dataclass
class Real:
    """What the real pool did."""

    waits: list[float] = field(default_factory=list)
    timeouts: int = 0
    asked: int = 0
    opened: int = 0
    kept: list[object] = field(default_factory=list)


def real(pool: PoolConfig, work: Workload) -> Real:
    """The same users on the real pool."""
    world, seen, drawn = World(), Real(), random.Random(SEED).random

    def draw(samples: Sequence[float]) -> float:
        return samples[int(drawn() * len(samples))]

    def ask() -> None:
        counts = world.now < SECONDS
        seen.asked += counts
        waited, used = virtual.checkout(begin)
        seen.kept.append(used)  # else the next one could get the same id
        if counts:
            seen.waits.append(waited)
            seen.timeouts += used is None

    def begin() -> float:
        return draw(work.hold.samples[0])

    def yields() -> bool:
        share = 1 - work.overtaking.mean(1)
        return share >= 1 or drawn() < share

    def user() -> None:
        while True:
            ask()
            away = (work.handover.mean(1) if yields() else 0.0) + draw(work.outside)
            if away:  # else they ask before anybody else gets a turn
                world.sleep(away)

    def gap() -> float:
        return -math.log(1 - drawn()) / (work.rate or 1)

    def arrive() -> None:
        world.at(world.now + gap(), arrive)
        world.spawn(world.now, ask)

    with pytest.MonkeyPatch.context() as patch:
        virtual = VirtualPool(
            world, pool, lambda: draw(work.connect.samples[0]), work.handover.mean(1), patch
        )
        if work.rate:
            world.at(gap(), arrive)
        else:
            for _ in range(work.users):
                world.spawn(draw(work.outside), user)
        world.at(SECONDS, lambda: setattr(seen, "opened", virtual.opened))
        world.run(lambda: world.now < SECONDS or len(seen.waits) < seen.asked)
    return seen


def assert_same(pool: PoolConfig, work: Workload) -> SimulationOutcome:
    """That every wait, timeout and opened connection is the same."""
    simulated, seen = simulate(pool, work, 0, SECONDS, SEED), real(pool, work)

    assert simulated.asked == seen.asked > 0
    assert simulated.timeouts == seen.timeouts
    assert simulated.opened == seen.opened
    assert sorted(simulated.waits) == pytest.approx(sorted(seen.waits), abs=1e-9)
    return simulated


def workload(
    users: int = 10_000,
    *,
    hold: float,
    outside: float = 0.0,
    connect: float = 0.01,
    handover: float = 0.0,
    rate: float | None = None,
    overtaking: float = 0.0,
) -> Workload:
    """Users with times (s) spread around these; arrivals at a rate, or a closed loop."""
    return Workload(
        users=users,
        hold=ByLevel.constant([hold * factor for factor in SPREAD]),
        outside=[outside * factor for factor in SPREAD],
        connect=ByLevel.constant([connect * factor for factor in SPREAD]),
        handover=ByLevel.constant((handover,)),
        rate=rate,
        overtaking=ByLevel.constant((overtaking,)),
    )


class TestAsQueuePool:
    """Exactly what the real pool does."""

    def test_a_waiter_is_overtaken_and_waits_on(self) -> None:
        """Arrivals between a return and the moment in which the one told of it runs."""
        pool = PoolConfig(pool_size=3, max_overflow=0)
        simulated = assert_same(pool, workload(hold=0.095, rate=29, handover=0.02))
        at_once = simulate(pool, workload(hold=0.095, rate=29), 0, SECONDS, SEED)

        assert max(simulated.waits) > 1.5 * max(at_once.waits)

    @pytest.mark.parametrize("share", [0.2, 0.5])
    def test_who_asks_again_at_once_overtakes_and_the_overtaken_wait_another_round(
        self, share: float
    ) -> None:
        """With holds nearly alike waits are whole rounds: as many as it takes not to be overtaken.

        Each return notifies the next of the twenty who wait, so twenty returns are a round.
        """
        pool = PoolConfig(pool_size=4, max_overflow=0)
        work = workload(24, hold=0.1, handover=0.0005, overtaking=share)
        alike = replace(work, hold=ByLevel.constant([0.1 + 0.002 * factor for factor in SPREAD]))
        simulated = assert_same(pool, alike)
        rounds = np.array(simulate(pool, alike, 5, 60, SEED).waits) / (20 / 4 * 0.102)

        assert simulated.asked > 100
        assert np.mean(rounds) == pytest.approx(1, rel=0.03)
        assert np.mean(rounds == 0) == pytest.approx(share, abs=0.03)
        for number in (1, 2, 3):
            longer = np.mean(rounds > number + 0.5)
            assert longer == pytest.approx((1 - share) * share**number, abs=0.03)

    def test_overflow_is_opened_by_those_who_ask_and_closed_on_return(self) -> None:
        pool = PoolConfig(pool_size=2, max_overflow=3)
        simulated = assert_same(pool, workload(hold=0.095, rate=30))

        assert simulated.peak == 5
        assert simulated.opened > 10

    def test_who_waited_in_vain_times_out(self) -> None:
        pool = PoolConfig(pool_size=2, max_overflow=1, pool_timeout=0.6)
        simulated = assert_same(pool, workload(12, hold=0.25, outside=0.02))

        assert simulated.timeouts
        assert max(simulated.waits) == pytest.approx(0.6)

    def test_without_a_limit_nobody_waits(self) -> None:
        pool = PoolConfig(pool_size=2, max_overflow=-1)
        simulated = assert_same(pool, workload(12, hold=0.25, outside=0.02))

        assert max(simulated.waits) == 0
        assert simulated.peak == 12

    @given(
        users=st.integers(1, 25),
        size=st.integers(0, 6),
        overflow=st.integers(-1, 5),
        lifo=st.booleans(),
        hold=st.floats(0.02, 0.3),
        outside=st.floats(0.001, 0.2),
        connect=st.floats(0.001, 0.06),
        handover=st.floats(0, 0.04),
        timeout=st.floats(0, 0.9),
        overtaking=st.sampled_from((0.0, 0.3)),
    )
    @settings(max_examples=30, deadline=None)
    def test_users_in_a_closed_loop(
        self,
        users: int,
        size: int,
        overflow: int,
        lifo: bool,
        hold: float,
        outside: float,
        connect: float,
        handover: float,
        timeout: float,
        overtaking: float,
    ) -> None:
        # Equal times end at the same moment, and rounding decides which is first.
        assume(len({hold, outside, connect}) == 3)
        pool = PoolConfig(
            pool_size=size, max_overflow=overflow, pool_timeout=timeout, pool_use_lifo=lifo
        )
        times = {"hold": hold, "outside": outside, "connect": connect, "handover": handover}
        assert_same(pool, workload(users, overtaking=overtaking, **times))

    @given(
        size=st.integers(1, 6),
        overflow=st.integers(0, 5),
        hold=st.floats(0.02, 0.3),
        rate=st.floats(5, 60),
        handover=st.floats(0, 0.04),
        timeout=st.floats(0, 0.9),
    )
    @settings(max_examples=30, deadline=None)
    def test_arrivals_in_an_open_loop(
        self, size: int, overflow: int, hold: float, rate: float, handover: float, timeout: float
    ) -> None:
        pool = PoolConfig(pool_size=size, max_overflow=overflow, pool_timeout=timeout)
        assert_same(pool, workload(hold=hold, rate=rate, handover=handover))
