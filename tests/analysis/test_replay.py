"""A replay against formulas, by hand, and against the simulation event by event."""

from __future__ import annotations

import math

import numpy as np
import pytest

from loadtest.analysis.prediction.replay import ServedArrivals, Times, serve_arrivals
from loadtest.analysis.prediction.simulation import simulate
from loadtest.analysis.prediction.workload import ByLevel, Workload
from loadtest.analysis.statistics.queueing import erlang_c_wait, wait_percentile
from loadtest.model.pool import PoolConfig
from tests.analysis.recorded_queues import exponential, poisson


def config(size: int, overflow: int = 0, timeout: float = 30.0) -> PoolConfig:
    return PoolConfig(pool_size=size, max_overflow=overflow, pool_timeout=timeout)


def by_hand(
    pool: PoolConfig, arrivals: list[float], holds: list[float], connect: float = 0.0
) -> ServedArrivals:
    connects = np.full(len(holds), connect)
    return serve_arrivals(pool, np.array(arrivals, float), np.array(holds, float), connects)


class TestByHand:
    """Few arrivals, of which every wait is known."""

    def test_waiting_checkouts_are_served_in_order(self) -> None:
        served = by_hand(config(1), [0, 1, 2], [5, 5, 5])
        assert served.waits.tolist() == [0, 4, 8]
        assert (served.timeouts, served.opened, served.most_open, served.at_once) == (0, 1, 1, 3)

    def test_a_timeout_ends_the_wait_and_takes_no_connection(self) -> None:
        served = by_hand(config(1, timeout=3), [0, 1, 4], [5, 5, 5])
        assert served.waits.tolist() == [0, 3, 1]
        assert (served.timeouts, served.at_once) == (1, 2)

    def test_a_wait_that_ends_with_the_timeout_is_served(self) -> None:
        assert by_hand(config(1, timeout=4), [0, 1], [5, 5]).timeouts == 0

    def test_overflow_connections_are_closed_and_opened_again(self) -> None:
        arrivals, holds = [0, 0.1, 3, 3.1], [1, 1, 1, 1]
        assert by_hand(config(1, overflow=1), arrivals, holds).opened == 3
        assert by_hand(config(2), arrivals, holds).opened == 2

    def test_a_connect_delays_the_hold_and_all_that_follow(self) -> None:
        served = by_hand(config(1), [0, 1], [5, 5], connect=0.5)
        assert served.waits.tolist() == [0, 4.5]

    def test_without_a_limit_no_checkout_waits(self) -> None:
        served = by_hand(config(1, overflow=-1), [0, 0, 0, 0], [1, 1, 1, 1])
        assert (served.waits.tolist(), served.most_open) == ([0, 0, 0, 0], 4)

    def test_no_arrivals(self) -> None:
        served = by_hand(config(1), [], [])
        assert (len(served.waits), served.most_open, served.at_once) == (0, 0, 0)


def waits_at(rate: float, connections: int, hold: float, seed: int) -> Times:
    arrivals = poisson(rate, int(20_000 / rate), seed)
    holds = exponential(len(arrivals), hold, seed + 1000)
    return serve_arrivals(config(connections, timeout=3600), arrivals, holds, 0 * holds).waits


@pytest.mark.parametrize(("connections", "load"), [(1, 0.5), (3, 0.8), (10, 0.85)])
def test_at_a_constant_rate_waits_are_those_of_erlang_c(connections: int, load: float) -> None:
    hold = 0.02
    rate = load * connections / hold
    runs = [waits_at(rate, connections, hold, seed) for seed in range(12)]
    means = [float(waits.mean()) for waits in runs]
    error = float(np.std(means, ddof=1)) / math.sqrt(len(means))
    expected = erlang_c_wait(connections, rate, hold)
    assert error < 0.1 * expected
    assert np.mean(means) == pytest.approx(expected, abs=4 * error)
    p95 = wait_percentile(connections, rate, hold, 0.95)
    assert np.mean([np.percentile(waits, 95) for waits in runs]) == pytest.approx(p95, rel=0.1)


@pytest.mark.parametrize(("size", "overflow"), [(4, 0), (2, 2), (1, 3)])
def test_the_simulation_of_single_events_agrees(size: int, overflow: int) -> None:
    """With timeouts, an overflow that opens and closes, and connects."""
    rate, hold, connect, timeout = 45.0, 0.1, 0.01, 0.15
    pool = config(size, overflow, timeout)
    shape = np.sort(exponential(1000, hold, 5))
    work = Workload(
        users=10**6,
        hold=ByLevel.constant(tuple(shape.tolist())),
        connect=ByLevel.constant((connect,)),
        rate=rate,
    )
    events = [simulate(pool, work, 0, 300, seed) for seed in range(4)]
    served = []
    for seed in range(4):
        arrivals = poisson(rate, 300, seed)
        holds = np.random.default_rng(seed).choice(shape, len(arrivals))
        served.append(serve_arrivals(pool, arrivals, holds, np.full(len(holds), connect)))
    asked = sum(one.asked for one in events)
    share = sum(one.timeouts for one in events) / asked
    opened = sum(one.opened for one in events) / asked
    number = sum(len(one.waits) for one in served)
    assert sum(one.timeouts for one in served) / number == pytest.approx(share, rel=0.1)
    assert sum(one.opened for one in served) / number == pytest.approx(opened, rel=0.1)
    mean = float(np.mean([wait for one in events for wait in one.waits]))
    assert np.concatenate([one.waits for one in served]).mean() == pytest.approx(mean, rel=0.1)
