"""Other settings of a recorded pool: predictions from recordings whose truth is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from loadtest.analysis.prediction.recorded_arrivals import (
    MOST_CHECKOUTS,
    RecordedArrivals,
    recorded_arrivals,
)
from loadtest.analysis.prediction.replay import Times, serve_arrivals
from loadtest.analysis.prediction.replay_notes import replay_notes
from loadtest.analysis.prediction.replayed_pools import ReplayedPool, replay_pool, replay_pools
from loadtest.analysis.recordings.read_recording import read_recording
from loadtest.model.errors import InvalidMeasurement
from loadtest.model.interval import Interval
from loadtest.model.pool import PoolConfig
from loadtest.model.task_use import TaskUse
from tests.analysis.builders import interval
from tests.analysis.recorded_pools import recorded, write_recording
from tests.analysis.recorded_queues import exponential, poisson, recorded_queue
from tests.analysis.test_replay import config

SETTINGS = {"pool_size": 8, "max_overflow": 0, "pool_timeout": 1.0}
SHOP = {"name": "shop", "poolclass": "QueuePool", **SETTINGS}


def shop(folder: Path, intervals: list[Interval]) -> RecordedArrivals:
    """The arrivals of a recorded pool 8+0."""
    return recorded_arrivals(recorded(folder, intervals, pool=SHOP))


def queue(rate: float = 36.0, seconds: int = 60, seed: int = 1) -> tuple[Times, list[Interval]]:
    """Arrivals, and the intervals of a pool 8+0 that serves them with holds of 150 ms."""
    arrivals = poisson(rate, seconds, seed)
    holds = exponential(len(arrivals), 0.15, seed)
    return arrivals, recorded_queue(config(8, timeout=1.0), arrivals, holds)


def test_every_arrival_is_replayed_in_its_second(tmp_path: Path) -> None:
    """Also one that waited into the next seconds before it was counted."""
    arrivals = np.array([0.5, 1.2, 1.3, 4.7])
    pool = config(1, timeout=30)
    intervals = recorded_queue(pool, arrivals, np.array([2.0, 2.0, 2.0, 0.1]))
    found = shop(tmp_path, intervals)
    fleet = found.fleet
    assert fleet.begins.tolist() == [0, 1, 4]
    assert fleet.asked.tolist() == [1, 2, 1]
    assert found.asked == 4


@pytest.mark.parametrize("size", [6, 16])
def test_other_sizes_are_predicted_as_they_would_have_been(tmp_path: Path, size: int) -> None:
    """The same arrivals in ten rounds: the intervals have their values and are not too wide."""
    arrivals, intervals = queue(rate=32, seconds=120)
    predicted = replay_pool(shop(tmp_path, intervals), config(size, timeout=1.0))
    rounds = []
    for seed in range(10):
        holds = exponential(len(arrivals), 0.15, seed + 100)
        served = serve_arrivals(config(size, timeout=1.0), arrivals, holds, 0 * holds)
        p95 = float(np.percentile(served.waits, 95))
        rounds.append((served.timeouts / len(arrivals), float(served.waits.mean()), p95))
    found = [predicted.timeouts, predicted.wait_mean, predicted.wait_p95]
    for values, one in zip(zip(*rounds, strict=True), found, strict=True):
        low, high = one.ci95
        assert sum(low <= value <= high for value in values) >= 9
        spread = 2 * (max(values) - min(values)) + 0.2 * float(np.mean(values))
        assert high - low <= spread + 1e-4  # less is not noticed


def test_the_recorded_pool_is_predicted_as_it_was(tmp_path: Path) -> None:
    _, intervals = queue()
    found = shop(tmp_path, intervals)
    again = replay_pool(found, found.settings)
    assert found.ran is not None
    assert again.recorded
    assert again.wait_mean.value == pytest.approx(found.ran.wait_mean, rel=0.35)
    assert again.connections.value == found.ran.connections == 8
    assert not [note for note in notes_of(tmp_path, [again]) if "The model gives" in note]


def notes_of(folder: Path, predicted: list[ReplayedPool]) -> list[str]:
    pool = read_recording([folder]).pool()
    return replay_notes(pool, recorded_arrivals(pool), predicted)


def test_the_same_question_has_the_same_answer_in_one_process_or_several(tmp_path: Path) -> None:
    found = shop(tmp_path, queue(seconds=10)[1])
    pools = [config(4), config(6, 2), config(8)]
    assert replay_pools(found, pools, workers=2) == [replay_pool(found, pool) for pool in pools]


@pytest.mark.usefixtures("few_replays")
def test_each_process_has_a_pool_of_its_own(tmp_path: Path) -> None:
    """Two processes of half the load each wait more than one with all of it and both pools."""
    arrivals, holds = poisson(36, 60, 1), exponential(5000, 0.15, 1)
    for number in (0, 1):
        part = arrivals[number::2]
        process = f"web-{number}"
        intervals = recorded_queue(config(8), part, holds[: len(part)], process)
        write_recording(tmp_path, intervals, process, pool=SHOP)
    apart = recorded_arrivals(read_recording([tmp_path]).pool())
    half = replay_pool(apart, config(4))
    together = replay_pool(shop(tmp_path / "one", queue()[1]), config(8))
    assert half.wait_mean.value > 1.3 * together.wait_mean.value
    assert (half.connections.value, half.at_once > 4) == (8, True)
    assert "each of 2 processes" in " ".join(notes_of(tmp_path, [half]))


def test_arrivals_go_to_the_processes_of_their_time_in_their_shares(tmp_path: Path) -> None:
    """Web processes share the requests; a process that ends gets nothing afterwards."""
    for process, last, number in (("web-1", 100, 30), ("web-2", 100, 10), ("web-3", 20, 40)):
        write_recording(tmp_path, [used(n, number) for n in range(last)], process, pool=SHOP)
    found = recorded_arrivals(read_recording([tmp_path]).pool())
    first, second, third = (one.at for one in found.fleet.again(np.random.default_rng(1)))
    assert len(first) + len(second) + len(third) == found.asked == 4800
    assert len(second) / (len(first) + len(second)) == pytest.approx(0.25, abs=0.03)
    assert len(third) == pytest.approx(800, abs=80)
    assert third.max() < 20
    assert all((np.diff(part) >= 0).all() for part in (first, second, third))


@pytest.mark.usefixtures("few_replays")
def test_processes_one_after_the_other_have_no_connections_at_the_same_time(tmp_path: Path) -> None:
    for number in (0, 1):
        arrivals, process = poisson(36, 20, number), f"web-{number}"
        holds = exponential(len(arrivals), 0.15, 3)
        intervals = recorded_queue(config(8), arrivals, holds, process, 40 * number)
        write_recording(tmp_path, intervals, process, pool=SHOP)
    found = recorded_arrivals(read_recording([tmp_path]).pool())
    assert replay_pool(found, config(4)).connections.value == pytest.approx(4, abs=0.2)


@pytest.mark.usefixtures("few_replays")
def test_a_rush_is_replayed_as_a_rush(tmp_path: Path) -> None:
    """Evenly spread over the minute, the same arrivals would wait for nothing."""
    rush = np.sort(np.concatenate([poisson(5, 60, 1), 30 + poisson(100, 5, 2)]))
    intervals = recorded_queue(config(8), rush, np.full(len(rush), 0.15))
    found = shop(tmp_path, intervals)
    assert replay_pool(found, config(4, timeout=0.5)).timeouts.value > 0.1
    even = shop(tmp_path / "even", queue(rate=len(rush) / 60)[1])
    assert replay_pool(even, config(4, timeout=0.5)).timeouts.value < 0.001


@pytest.mark.usefixtures("few_replays")
def test_holds_are_those_of_their_time(tmp_path: Path) -> None:
    """Long holds in a quiet minute do not meet the arrivals of a busy one."""
    busy, quiet = poisson(60, 60, 1), 60 + poisson(4, 120, 2)
    arrivals = np.concatenate([busy, quiet])
    holds = np.concatenate([np.full(len(busy), 0.02), np.full(len(quiet), 0.5)])
    found = shop(tmp_path, recorded_queue(config(8), arrivals, holds))
    swapped = np.concatenate([np.full(len(busy), 0.13), np.full(len(quiet), 0.02)])
    other = shop(tmp_path / "other", recorded_queue(config(8), arrivals, swapped))
    assert replay_pool(found, config(5)).wait_mean.value < 0.02
    assert replay_pool(other, config(5)).wait_mean.value > 0.05


def test_the_ping_and_the_reconnect_occupy_a_connection_too(tmp_path: Path) -> None:
    """The reset is a part of the hold: SQLAlchemy returns the connection after it."""
    common = {"counters": {"checkouts": 3}, "wait": [0] * 3, "hold": [100] * 3}
    for name, more, occupied in (
        ("plain", {}, 0.1),
        ("reset", {"reset": [20] * 3}, 0.1),
        ("ping", {"ping": [20] * 3}, 0.12),
        ("reconnect", {"reconnect": [60]}, 0.12),
    ):
        found = shop(tmp_path / name, [interval(**common, **more)])
        assert found.fleet.holds.mean() == pytest.approx(occupied)


@pytest.mark.usefixtures("few_replays")
def test_waits_of_a_pool_that_was_not_full_are_in_every_prediction(tmp_path: Path) -> None:
    """They are the time that a checkout takes in this application without any queue."""
    used = {"in_use": 1, "open": 1, "engines": 1}
    intervals = [
        interval(n, counters={"checkouts": 2}, gauges=used, wait=[3, 5], hold=[1, 1])
        for n in range(10)
    ]
    predicted = replay_pool(shop(tmp_path, intervals), config(8))
    assert predicted.wait_mean.value == pytest.approx(0.004, rel=0.2)


def test_without_a_returned_connection_nothing_is_predicted(tmp_path: Path) -> None:
    pool = recorded(tmp_path, [interval(counters={"checkouts": 1}, wait=[0])])
    with pytest.raises(InvalidMeasurement, match="no connection was returned"):
        recorded_arrivals(pool)


def test_a_recording_without_a_queue_gives_sqlalchemys_other_settings(tmp_path: Path) -> None:
    sizes = {"pool_size": None, "max_overflow": None}
    pool = recorded(tmp_path, [used()], pool={"name": "shop", "poolclass": "NullPool", **sizes})
    assert recorded_arrivals(pool).settings == PoolConfig()


def test_the_pool_of_an_asynchronous_engine_has_a_queue(tmp_path: Path) -> None:
    pool = recorded(tmp_path, [used()], pool={**SHOP, "poolclass": "AsyncAdaptedQueuePool"})
    assert recorded_arrivals(pool).settings == config(8, timeout=1.0)


def used(second: int = 0, checkouts: int = 10, **more: Any) -> Interval:
    """A second with checkouts that hold for 10 ms."""
    gauges = {"in_use": 1, "open": 1, "waiting": 0, "engines": 1}
    return interval(
        second,
        counters={"checkouts": checkouts},
        gauges=gauges,
        wait=[0] * checkouts,
        hold=[10] * checkouts,
        **more,
    )


@pytest.mark.usefixtures("few_replays")
class TestNotes:
    """What a prediction assumes, and where it may be wrong."""

    def test_a_long_recording_is_replayed_in_its_busiest_time(self, tmp_path: Path) -> None:
        crowd = MOST_CHECKOUTS // 100
        intervals = [used(n, crowd if 100 <= n < 160 else crowd // 2) for n in range(300)]
        found = shop(tmp_path, intervals)
        assert (found.seconds, found.asked, found.ran) == (60, 60 * crowd, None)
        (note,) = [one for one in notes_of(tmp_path, []) if "busiest" in one]
        assert "its busiest 60 s, from 15 June 2025, 15:08:20 UTC" in note

    def test_more_checkouts_at_once_than_were_recorded_may_not_be_possible(
        self, tmp_path: Path
    ) -> None:
        found = shop(tmp_path, queue(rate=40)[1])
        predicted = [replay_pool(found, pool) for pool in (config(5), config(8), config(16))]
        (note,) = [one for one in notes_of(tmp_path, predicted) if "threads" in one]
        assert "with 5+0 there would be" in note
        assert "8+0" not in note
        assert "16+0" not in note

    def test_holds_that_never_ended_are_missing(self, tmp_path: Path) -> None:
        intervals = [used(n) for n in range(5)]
        recorded(tmp_path, intervals, pool=SHOP)
        (note,) = [one for one in notes_of(tmp_path, []) if "had not ended" in one]
        assert note.startswith("90 % of the time in use")

    def test_nested_checkouts_and_engines_beside_each_other_are_named(self, tmp_path: Path) -> None:
        one = used()
        one.tasks = {"": TaskUse(nested=3)}
        one.gauges["engines"] = one.gauges["engines"].beside(one.gauges["engines"])
        recorded(tmp_path, [one], pool=SHOP)
        told = " ".join(notes_of(tmp_path, []))
        assert "3 checkouts were made while the same task already held a connection" in told
        assert "several engines" in told

    def test_a_model_that_misses_the_recorded_waits_says_so(self, tmp_path: Path) -> None:
        intervals = [
            interval(
                n, counters={"checkouts": 5}, gauges={"in_use": 8}, wait=[300] * 5, hold=[1] * 5
            )
            for n in range(20)
        ]
        found = shop(tmp_path, intervals)
        told = notes_of(tmp_path, [replay_pool(found, found.settings)])
        assert any("it was 300 ms" in note for note in told)
