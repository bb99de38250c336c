"""Locust's own statistics and charts keep two digits of a response time, also below 1 ms."""

from __future__ import annotations

from locust import stats
from locust.env import Environment
from locust.event import Events
from locust.rpc.protocol import Message

import pytest

from loadtest.load.response_times import two_digits


@pytest.mark.parametrize(
    ("milliseconds", "kept"),
    [
        (0.0, 0),
        (0.0004, 0),
        (0.0126, 0.013),
        (0.4, 0.4),
        (0.404, 0.4),
        (0.999, 1),
        (1.26, 1.3),
        (12.6, 13),
        (99.7, 100),
        (126, 130),
        (1260.0, 1300),
        (58760, 59000),
    ],
)
def test_two_digits_are_kept(milliseconds: float, kept: float) -> None:
    assert two_digits(milliseconds) == kept


def test_a_request_of_four_tenths_of_a_millisecond_is_more_than_nothing() -> None:
    environment = Environment(events=Events())
    runner = environment.create_local_runner()
    for _ in range(3):
        environment.events.request.fire(
            request_type="session", name="look", response_time=0.4, response_length=0
        )
    (entry,) = runner.stats.entries.values()
    shown = entry.to_dict()
    assert shown["median_response_time"] == shown["response_time_percentile_0.95"] == 0.4
    assert entry.response_times == {0.4: 3}
    # What a chart has of the last seconds.
    assert runner.stats.total.response_times_cache is not None
    runner.stats.total.response_times_cache.clear()
    _ten_seconds_ago(runner.stats.total)
    stats.update_stats_history(runner)
    assert runner.stats.history[-1]["response_time_percentile_0.95"][1] == 0.4
    runner.quit()


def _ten_seconds_ago(total: stats.StatsEntry) -> None:
    """Let the total have had no requests at the beginning of a chart's window."""
    nothing = stats.CachedResponseTimes({}, 0, 0)
    second = int(stats.time.time()) - stats.CURRENT_RESPONSE_TIME_PERCENTILE_WINDOW
    assert total.response_times_cache is not None
    total.response_times_cache[second] = nothing


def test_a_workers_response_times_reach_the_master_as_they_are() -> None:
    sent = Message("stats", {"response_times": {0.4: 3, 12: 1}}, "a worker")
    assert Message.unserialize(sent.serialize()).data == {"response_times": {0.4: 3, 12: 1}}
