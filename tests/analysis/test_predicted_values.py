"""Predicted values and their intervals: how often they contain the values of another run."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from loadtest.analysis.prediction.recorded_arrivals import RecordedArrivals, recorded_arrivals
from loadtest.analysis.prediction.recorded_stretches import hold_error
from loadtest.analysis.prediction.replayed_pools import (
    LEAST_REPLAYS,
    PredictedValue,
    hold_factor,
    replay_pool,
)
from loadtest.analysis.prediction.settings_grid import grid_around
from loadtest.analysis.recordings.read_recording import read_recording
from loadtest.model.interval import Interval
from loadtest.model.pool import PoolConfig
from tests.analysis.builders import SECOND, interval
from tests.analysis.recorded_pools import recorded, write_recording
from tests.analysis.recorded_queues import exponential, poisson, recorded_queue
from tests.analysis.test_replay import config
from tests.analysis.test_replayed_pools import SHOP, notes_of, shop


def test_an_interval_of_few_replays_contains_95_percent_of_other_values() -> None:
    """With plain percentiles of 40 values it would be 90.4 %."""
    numbers = np.random.default_rng(1)
    found = [PredictedValue.of(numbers.random(LEAST_REPLAYS).tolist()) for _ in range(4000)]
    inside = np.mean([one.ci95[1] - one.ci95[0] for one in found])
    assert abs(inside - 0.95) < 0.003


@pytest.mark.usefixtures("few_replays")
def test_a_p95_of_timeouts_is_read_in_the_resolution_of_a_recording(tmp_path: Path) -> None:
    """Timeouts end up to 2 ms late, and a bin of the histogram is wider."""
    gauges = {"open": 8, "engines": 1}
    quiet = [
        interval(
            second,
            counters={"checkouts": 20},
            gauges={"in_use": 1, **gauges},
            wait=[0] * 19 + [2],
            hold=[10] * 20,
        )
        for second in range(10)
    ]
    busy = [
        interval(
            second,
            counters={"checkouts": 4, "timeouts": 16},
            gauges={"in_use": 8, **gauges},
            wait=[500] * 4 + [1000] * 15 + [1002],
            hold=[2000] * 4,
        )
        for second in range(10, 20)
    ]
    found = shop(tmp_path, quiet + busy)
    assert found.ran is not None
    assert found.ran.wait_p95 == 1.002
    predicted = replay_pool(found, config(2, timeout=1.0))
    assert predicted.wait_p95.value == pytest.approx(1.002, abs=5e-4)


def web(second: int, checkouts: int, hold: int, process: str = "web-1") -> Interval:
    """A second of a pool that is never full, with holds (ms)."""
    gauges = {"in_use": 1, "open": 1, "engines": 1}
    counters = {"checkouts": checkouts}
    some = [hold] * checkouts
    return interval(
        second, process=process, counters=counters, gauges=gauges, wait=[0] * checkouts, hold=some
    )


def means_of_replays(found: RecordedArrivals, replays: int = 200) -> list[float]:
    """The mean hold (s) of all checkouts in each replay, as the pools are served."""
    means = []
    for replay in range(replays):
        numbers = np.random.default_rng(replay)
        longer = hold_factor(found.hold_error, numbers)
        offered = found.fleet.again(numbers)
        means.append(longer * float(np.concatenate([one.holds for one in offered]).mean()))
    return means


def test_replays_differ_in_their_mean_hold_as_two_times_do(tmp_path: Path) -> None:
    """Independent holds: sqrt(2) standard errors, one for the recording, one for the other time."""
    spreads = []
    for seed in range(5):
        arrivals = poisson(20, 60, seed)
        holds = exponential(len(arrivals), 0.2, seed)
        found = shop(tmp_path / str(seed), recorded_queue(config(50), arrivals, holds))
        error = math.sqrt(2 / len(arrivals))
        spreads.append(float(np.std(means_of_replays(found))) / found.mean_hold / error)
    # A likeness of twelve stretches that is only chance counts, too.
    assert 0.95 < float(np.mean(spreads)) < 1.4


def test_a_slow_change_of_the_holds_is_an_error_of_their_mean(tmp_path: Path) -> None:
    """Half a minute with holds that are a tenth longer: at another time they may all be so."""
    steps = [web(n, 20, 200 if n < 30 else 220) for n in range(60)]
    quick = [web(n, 20, 200 if n % 2 else 220) for n in range(60)]
    errors = [shop(tmp_path / name, one).hold_error for name, one in (("s", steps), ("q", quick))]
    assert errors[0].error > 0.02
    assert errors[1].error < 0.01
    assert errors[0].unseen > 0.03


def test_a_change_that_goes_with_the_load_is_no_error(tmp_path: Path) -> None:
    """The same arrivals have it at another time, too."""
    found = shop(
        tmp_path, [web(n, 10 if n < 30 else 40, 200 if n < 30 else 400) for n in range(60)]
    )
    assert found.hold_error.error < 0.01
    means = means_of_replays(found)
    assert (min(means), max(means)) == (
        pytest.approx(0.36, rel=0.02),
        pytest.approx(0.36, rel=0.02),
    )


@pytest.mark.parametrize("many", [2, 10, 200])
def test_the_error_does_not_depend_on_how_many_stretches_are_similar(many: int) -> None:
    """Two hundred stretches, whose means differ by a tenth, with constant holds in each."""
    means = 1 + 0.1 * np.random.default_rng(1).standard_normal(200)
    similar = np.kron(np.eye(200 // many), np.ones((many, many))).astype(bool)
    found = hold_error(np.repeat(means[:, None], 10, axis=1), similar, 4000)
    assert found.error == pytest.approx(0.1 / math.sqrt(200), rel=0.15)


def test_a_recording_of_a_second_does_not_know_its_mean_hold_exactly(tmp_path: Path) -> None:
    one = interval(counters={"checkouts": 4}, wait=[0] * 4, hold=[100, 100, 100, 900])
    found = shop(tmp_path, [one])
    assert found.hold_error.error == pytest.approx(0.58, abs=0.02)
    assert found.hold_error.unseen > found.hold_error.error


def test_holds_of_a_stall_stay_together(tmp_path: Path) -> None:
    """Five seconds in a minute with holds of a second: in a replay they follow each other, too."""
    stalled = [web(n, 20, 1000 if 30 <= n < 35 else 50) for n in range(60)]
    found = shop(tmp_path, stalled)
    for replay in range(20):
        (one,) = found.fleet.again(np.random.default_rng(replay))
        long = np.array([one.holds[one.at // 5 == n].mean() > 0.9 for n in range(12)])
        short = np.array([one.holds[one.at // 5 == n].mean() < 0.1 for n in range(12)])
        assert (long | short).all()


class TestProcesses:
    """The split of the arrivals among processes."""

    def test_processes_that_take_turns_do_so_in_a_replay(self, tmp_path: Path) -> None:
        """By a coin each second would differ from the half by more than two checkouts."""
        for process in ("web-1", "web-2"):
            rows = [web(n, 10, 20, process) for n in range(60)]
            write_recording(tmp_path, rows, process, pool=SHOP)
        found = recorded_arrivals(read_recording([tmp_path]).pool())
        first, second = found.fleet.again(np.random.default_rng(1))
        counts = np.array([np.bincount(one.at.astype(int) // 5) for one in (first, second)])
        assert np.abs(counts - 50).max() == 0
        assert found.shares == [0.5, 0.5]

    def test_a_process_that_takes_more_for_a_while_does_so_at_another_time(
        self, tmp_path: Path
    ) -> None:
        """The split varies between replays as between the stretches of the recording."""
        for process, low, high in (("web-1", 6, 14), ("web-2", 14, 6)):
            rows = [web(n, low if n // 5 % 2 else high, 20, process) for n in range(60)]
            write_recording(tmp_path, rows, process, pool=SHOP)
        found = recorded_arrivals(read_recording([tmp_path]).pool())
        shares = []
        for replay in range(200):
            first, _ = found.fleet.again(np.random.default_rng(replay))
            shares.append(len(first.at) / found.asked)
        assert float(np.mean(shares)) == pytest.approx(0.5, abs=0.03)
        # Twelve stretches with 0.3 or 0.7: for the recording and for the other time.
        assert float(np.std(shares)) == pytest.approx(0.2 * math.sqrt(2 / 12), rel=0.25)

    def test_a_second_that_was_cut_late_divides_no_stretch(self, tmp_path: Path) -> None:
        """A busy process may have no row in a second; it still runs."""
        for process in ("web-1", "web-2"):
            rows = [web(n, 10, 20, process) for n in range(60) if n % 7 != 4 or process == "web-1"]
            write_recording(tmp_path, rows, process, pool=SHOP)
        found = recorded_arrivals(read_recording([tmp_path]).pool())
        assert len(found.fleet.near) == 12
        assert found.fleet.near.all()

    def test_unlike_processes_keep_their_own_holds(self, tmp_path: Path) -> None:
        """Short holds of a web server and long ones of a worker, with one name."""
        for process, rate, hold in (("web-1", 40, 5), ("web-2", 40, 5), ("worker-1", 4, 2000)):
            rows = [web(n, rate, hold, process) for n in range(60)]
            write_recording(tmp_path, rows, process, pool=SHOP)
        found = recorded_arrivals(read_recording([tmp_path]).pool())
        offered = found.fleet.again(np.random.default_rng(1))
        assert [float(one.holds.mean()) for one in offered] == pytest.approx(
            [0.005, 0.005, 2.0], rel=1e-3
        )
        predicted = replay_pool(found, config(5, timeout=1.0))
        # The worker needs eight connections: of its checkouts a third or more times out.
        assert predicted.timeouts.value > 0.3 * 4 / 84
        (note,) = [one for one in notes_of(tmp_path, [predicted]) if "5.00 ms to 2.00 s" in one]
        assert "each process has its own holds" in note

    def test_like_processes_have_the_holds_of_their_time(self, tmp_path: Path) -> None:
        for process in ("web-1", "web-2"):
            rows = [web(n, 10, 20 if n < 30 else 60, process) for n in range(60)]
            write_recording(tmp_path, rows, process, pool=SHOP)
        found = recorded_arrivals(read_recording([tmp_path]).pool())
        assert found.fleet.own.tolist() == [-1, -1]


def test_intervals_of_ten_seconds_with_waiting_checkouts_have_their_arrivals(
    tmp_path: Path,
) -> None:
    """In each 100 end, 50 wait at the end: 150 came in the first, 100 in each of the others."""
    coarse = [
        interval(
            10 * n,
            length=10 * SECOND,
            counters={"checkouts": 100},
            gauges={"in_use": 8, "open": 8, "engines": 1},
            wait=[4000] * 100,
            hold=[800] * 100,
            unfinished=[4000] * 50,
        )
        for n in range(3)
    ]
    found = shop(tmp_path, coarse)
    assert found.fleet.asked.tolist() == [15] * 10 + [10] * 20
    (note,) = [one for one in notes_of(tmp_path, []) if "intervals" in one]
    assert note.startswith("The recording has intervals of up to 10.0 s")


@pytest.mark.usefixtures("few_replays")
class TestWithoutAQueue:
    """A recording of a NullPool with ten connections at once."""

    @pytest.fixture
    def found(self, tmp_path: Path) -> RecordedArrivals:
        """Ten checkouts at once each second."""
        pool = {"name": "shop", "poolclass": "NullPool", "pool_size": None, "max_overflow": None}
        rows = [web(n, 20, 500) for n in range(20)]
        for one in rows:
            one.gauges["in_use"] = interval(gauges={"in_use": 10}).gauges["in_use"]
        return recorded_arrivals(recorded(tmp_path, rows, pool=pool))

    def test_sizes_near_its_connections_are_predicted(self, found: RecordedArrivals) -> None:
        assert [pool.name for pool in grid_around(found, None, None, None)] == [
            *("5+0", "10+0", "20+0", "5+inf"),
        ]

    def test_no_pool_is_the_recorded_one(self, found: RecordedArrivals) -> None:
        assert not replay_pool(found, PoolConfig()).recorded
