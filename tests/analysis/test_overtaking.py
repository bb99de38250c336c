"""The share of the measured overtaking that a simulation has anyway, and the share that it adds."""

from pathlib import Path

import numpy as np
import pytest

from loadtest.analysis.pool_runs import gather
from loadtest.analysis.prediction.observed_workload import observe
from loadtest.analysis.prediction.overtaking import ServedLevel, share_at_once, with_overtaking
from loadtest.analysis.prediction.simulation import simulate
from loadtest.analysis.prediction.workload import ByLevel, Workload
from loadtest.model.distribution import Distribution
from loadtest.model.pool import PoolConfig
from tests.analysis.test_observed_workload import measured

TEN = PoolConfig(pool_size=10, max_overflow=0)
HOLD = [0.1 + 0.0001 * n for n in range(100)]
WORK = Workload(60, ByLevel.constant(HOLD), handover=ByLevel.constant((0.001,)))


def shares(work: Workload, pool: PoolConfig = TEN) -> float:
    """The share of simulated checkouts that did not wait."""
    return float(np.mean([wait == 0 for wait in simulate(pool, work, 2, 60, seed=3).waits]))


def test_no_wait_is_one_that_is_shorter_than_a_look_into_the_queue() -> None:
    waits = Distribution.of([30_000] * 3 + [150_000] + [5_000_000] * 6)
    assert share_at_once(waits) == pytest.approx(0.4)
    assert share_at_once(Distribution()) == 0


@pytest.mark.parametrize("share", [0.25, 0.4])
def test_as_many_are_served_at_once_as_were_measured(share: float) -> None:
    found = with_overtaking(WORK, [ServedLevel(10.0, TEN, 95.0, share)], warmup=1)
    assert shares(WORK) < share - 0.05
    assert shares(found) == pytest.approx(share, abs=0.03)


def test_between_two_levels_it_lies_between_them() -> None:
    forty = PoolConfig(pool_size=40, max_overflow=0)
    ends = [ServedLevel(10.0, TEN, 95.0, 0.5), ServedLevel(40.0, forty, 380.0, 0.3)]
    found = with_overtaking(WORK, ends, warmup=1)
    low, high = (found.overtaking.mean(level) for level in (10, 40))
    assert high < found.overtaking.mean(20) < low


def test_where_fewer_were_measured_than_are_simulated_nothing_is_added() -> None:
    found = with_overtaking(WORK, [ServedLevel(10.0, TEN, 95.0, 0.0)], warmup=1)
    assert found.overtaking.mean(10) == 0


@pytest.mark.parametrize("work", [{"rate": 50.0}, {"outside": (0.1,)}])
def test_nobody_overtakes_who_pauses_or_arrives(work: dict[str, object]) -> None:
    away = Workload(60, ByLevel.constant(HOLD), **work)  # type: ignore[arg-type]
    assert with_overtaking(away, [ServedLevel(10.0, TEN, 95.0, 0.5)], warmup=1) is away


def test_a_result_of_users_without_a_pause_says_how_many_overtake(tmp_path: Path) -> None:
    waits = [0] * 30 + [430] * 70
    observed = observe(gather([measured(tmp_path, waiting=30, wait=waits)]))
    (note,) = [one for one in observed.notes if "overtake" in one]
    assert "30 % at 10 connections in use did not wait at all" in note
    assert "p95 of the wait may be a hold off" in note
    assert observed.workload.overtaking.mean(10) == pytest.approx(0.3, abs=0.05)


def test_where_holds_differ_waits_are_no_whole_rounds(tmp_path: Path) -> None:
    run = measured(tmp_path, waiting=30, wait=[0] * 30 + [430] * 70, hold=[20, 180] * 50)
    (note,) = [one for one in observe(gather([run])).notes if "overtake" in one]
    assert "hold off" not in note


def test_a_result_of_users_who_pause_says_nothing_of_it(tmp_path: Path) -> None:
    observed = observe(gather([measured(tmp_path, wait=[0] * 30 + [430] * 70)]))
    assert not any("overtake" in one for one in observed.notes)
    assert observed.workload.overtaking.mean(10) == 0
