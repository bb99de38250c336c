"""Numbers checked against numbers that come from elsewhere, and who got a connection at all."""

from dataclasses import replace
from pathlib import Path

import pytest

from loadtest.analysis.pool_runs import gather
from loadtest.analysis.summarize import summarize_pool
from loadtest.model.interval import SERVER, Fair, Interval
from loadtest.model.summary import Finding
from loadtest.runfile.reader import Run
from tests.analysis.builders import SECOND, interval, run


def _found(*runs: Run) -> dict[str, Finding]:
    return {finding.code: finding for finding in summarize_pool(gather(runs).pools[0]).findings}


def _second(users: int, request: int, think: int, done: int) -> Interval:
    """A second in which a number of tasks ended, with milliseconds of work and of pause each."""
    return interval(
        counters={"requests": done},
        gauges={"users": users},
        request=[request] * done,
        think=[think] * done,
    )


@pytest.mark.parametrize(("users", "found"), [(10, False), (13, False), (14, True), (100, True)])
def test_users_whose_time_is_in_no_task_are_missed(tmp_path: Path, users: int, found: bool) -> None:
    # 50 tasks a second, 150 ms of work and 50 ms of pause each: ten users' time.
    findings = _found(run(tmp_path, [_second(users, 150, 50, 50)]))
    assert ("users_unaccounted" in findings) == found
    if found:
        evidence = findings["users_unaccounted"].evidence
        assert evidence["users"] == users
        assert evidence["accounted"] == pytest.approx(10)


@pytest.mark.parametrize(("connects", "found"), [(0, True), (40, False)])
def test_the_server_also_counts_connections_that_are_being_opened(
    tmp_path: Path, connects: int, found: bool
) -> None:
    # 40 connects a second of 100 ms each: four connections on average.
    parts = [
        interval(gauges={"open": 1}, connect=[100] * connects),
        interval(process=SERVER, gauges={"threads_connected": 6}),
    ]
    assert ("server_disagrees" in _found(run(tmp_path, parts))) == found


@pytest.mark.parametrize(("down", "found"), [(0, True), (1, True), (2, False)])
def test_a_server_that_was_down_for_a_part_of_the_time_cannot_disagree(
    tmp_path: Path, down: int, found: bool
) -> None:
    seconds = range(5)
    pools = [interval(second, gauges={"open": 1}) for second in seconds]
    told = [
        interval(second, process=SERVER, gauges={"threads_connected": 6})
        for second in seconds[down:]
    ]
    assert ("server_disagrees" in _found(run(tmp_path, [*pools, *told]))) == found


@pytest.mark.parametrize(
    ("fair", "found"),
    [
        (Fair(users=10, served=10, checkouts=500, squares=25_000), False),
        (Fair(users=10, served=9, checkouts=500, squares=28_000, longest_wait=SECOND), True),
        # No user waited for long: a user without a checkout held a connection all the time.
        (Fair(users=10, served=9, checkouts=500, squares=28_000, longest_wait=9), False),
        # All waits are long: who has not had a turn yet is not starved.
        (Fair(users=10, served=9, checkouts=18, squares=36, longest_wait=SECOND), False),
        (Fair(), False),
    ],
)
def test_starved_is_who_gets_nothing_while_others_get_more_and_more(
    tmp_path: Path, fair: Fair, found: bool
) -> None:
    part = replace(_second(10, 150, 50, 50), fair=fair)
    assert ("starvation" in _found(run(tmp_path, [part]))) == found
