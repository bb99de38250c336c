"""Notes of a prediction from a recording: what the recorded pool shows that the model lacks."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtest.analysis.prediction.recorded_arrivals import recorded_arrivals
from loadtest.analysis.prediction.replay_notes import replay_notes
from loadtest.analysis.prediction.replayed_pools import replay_pool
from loadtest.analysis.recordings.read_recording import read_recording
from loadtest.model.interval import Interval
from loadtest.model.pool import PoolConfig
from tests.analysis.builders import interval, milliseconds
from tests.analysis.recorded_pools import write_recording
from tests.analysis.test_replay import config
from tests.analysis.test_replayed_pools import SHOP

pytestmark = pytest.mark.usefixtures("few_replays")


def rows(number: int, hold: int, in_use: int, waiting: int = 0, most: int = 0) -> list[Interval]:
    """Twenty seconds; most: the highest level in use, if it is not the same all the time."""
    found = []
    for second in range(20):
        gauges = {"in_use": in_use, "open": 8, "waiting": waiting, "engines": 1}
        counters = {"checkouts": number}
        times = {"wait": [0] * number, "hold": [hold] * number}
        one = interval(second, counters=counters, gauges=gauges, **times)
        if most:
            high = interval(gauges={"in_use": most}).gauges["in_use"]
            one.gauges["in_use"] = one.gauges["in_use"].beside(high)
        found.append(one)
    return found


def noted(folder: Path, intervals: list[Interval], *pools: PoolConfig) -> list[str]:
    """The notes for a recorded pool 8+0."""
    write_recording(folder, intervals, pool=SHOP)
    pool = read_recording([folder]).pool()
    found = recorded_arrivals(pool)
    return replay_notes(pool, found, [replay_pool(found, one) for one in pools])


def test_threads_that_were_all_in_use_hide_waits_of_a_larger_pool(tmp_path: Path) -> None:
    full = rows(40, 200, in_use=8, waiting=8)
    (note,) = [one for one in noted(tmp_path, full, config(8), config(16)) if "at the pace" in one]
    assert note.startswith("For 100 % of the time, a process had as many checkouts in progress")
    assert note.endswith("waits are longer than predicted for 16+0.")


def test_without_waits_or_a_larger_pool_nothing_is_hidden(tmp_path: Path) -> None:
    full, calm = rows(40, 200, in_use=8, waiting=8), rows(40, 200, in_use=8)
    assert "at the pace" not in " ".join(noted(tmp_path / "full", full, config(4), config(8)))
    assert "at the pace" not in " ".join(noted(tmp_path / "calm", calm, config(8), config(16)))


def test_bursts_that_the_model_spreads_are_named(tmp_path: Path) -> None:
    """Eight checkouts at once each second, of 10 ms."""
    bursts = rows(8, 10, in_use=0, most=8)
    (note,) = [one for one in noted(tmp_path, bursts, config(5)) if "bursts" in one]
    assert note.startswith("A process had up to 8 checkouts in progress at once; the prediction")


def test_a_queue_of_the_recorded_pool_is_no_burst_for_a_larger_one(tmp_path: Path) -> None:
    queue = rows(8, 10, in_use=8, waiting=50)
    assert "bursts" not in " ".join(noted(tmp_path, queue, config(60)))


def test_a_growing_queue_has_timeouts_after_the_replayed_time(tmp_path: Path) -> None:
    """Twenty seconds of twice the load that two connections serve, and a timeout of 30 s."""
    busy = rows(40, 100, in_use=4)
    found = noted(tmp_path, busy, config(2, timeout=30), config(8, timeout=30))
    (note,) = [one for one in found if "empty queue" in one]
    assert "That is short for pool_timeout = 30 s" in note
    assert note.endswith("more timeouts than predicted for 2+0.")
    short = noted(tmp_path / "short", busy, config(2, timeout=1))
    assert "empty queue" not in " ".join(short)


def test_a_pool_that_was_always_full_hides_the_time_without_a_queue(tmp_path: Path) -> None:
    always = rows(8, 1000, in_use=8, waiting=8)
    for one in always:
        one.histograms["wait"] = milliseconds([900] * 8)
    once = [*always[:-1], *rows(8, 1000, in_use=4)[-1:]]
    hidden = "leaves out the time that a checkout takes without a queue"
    assert hidden in " ".join(noted(tmp_path / "always", always, config(16)))
    once[-1].histograms["wait"] = milliseconds([1] * 8)
    assert hidden not in " ".join(noted(tmp_path / "once", once, config(16)))


def test_processes_without_a_checkout_do_not_count(tmp_path: Path) -> None:
    """The master of a server that loads the application before it forks has an engine, too."""
    write_recording(tmp_path, [interval(n, process="master-1") for n in range(20)], "master-1")
    assert "each of" not in " ".join(noted(tmp_path, rows(40, 10, in_use=1), config(5)))


def test_a_pool_without_a_queue_is_named(tmp_path: Path) -> None:
    pool = {"name": "shop", "poolclass": "NullPool", "pool_size": None, "max_overflow": None}
    write_recording(tmp_path, rows(40, 10, in_use=1), pool=pool)
    recorded = read_recording([tmp_path]).pool()
    notes = replay_notes(recorded, recorded_arrivals(recorded), [])
    assert any(one.startswith("The recorded pool is a NullPool without a queue.") for one in notes)
