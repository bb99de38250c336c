"""Numbers checked against numbers that come from elsewhere, and who got a connection at all."""

from dataclasses import replace
from pathlib import Path

import gevent
import pytest
from sqlalchemy import URL, Pool, QueuePool, create_engine, text

from loadtest.analysis.measured import gather
from loadtest.analysis.summary import summarize_pool
from loadtest.analysis.values import Finding
from loadtest.interval import Fair, Interval
from loadtest.pool.fair import FairPool
from loadtest.pool.measure import measure
from loadtest.pool.recorder import Recorder
from loadtest.results import Run
from tests.analysis.builders import SECOND, interval, run


def _found(*runs: Run) -> dict[str, Finding]:
    return {finding.code: finding for finding in summarize_pool(gather(runs).pools[0]).findings}


def _second(users: int, request: int, think: int, done: int) -> Interval:
    """A second in which so many tasks ended, with milliseconds of work and of pause each."""
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


@pytest.mark.parametrize(
    ("fair", "found"),
    [
        (Fair(users=10, served=10, checkouts=500, squares=25_000), False),
        (Fair(users=10, served=9, checkouts=500, squares=28_000, longest_wait=SECOND), True),
        # Nobody waited for long: who got none held one all the time.
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


def _greedy(url: URL, poolclass: type[Pool]) -> tuple[Interval, Interval]:
    """A second to warm up and two more: 100 users who ask again at once for one of 5."""
    engine = create_engine(
        url, poolclass=poolclass, pool_size=5, max_overflow=0, connect_args={"ssl_disabled": True}
    )
    recorder, over = Recorder("p1"), False
    measure(engine, recorder)
    recorder.levels["users"] = lambda: 100

    def user() -> None:
        while not over:
            with engine.connect() as connection:
                connection.execute(text("SELECT 1"))

    users = [gevent.spawn(user) for _ in range(100)]
    gevent.sleep(1)
    warmup = recorder.cut("warmup")
    gevent.sleep(2)
    measured = recorder.cut("measured")
    over = True
    gevent.joinall(users)
    engine.dispose()
    return warmup, measured


@pytest.mark.database
@pytest.mark.parametrize(("poolclass", "found"), [(QueuePool, True), (FairPool, False)])
def test_the_starvation_of_a_real_queue_is_found_and_named(
    tmp_path: Path, url: URL, poolclass: type[Pool], found: bool
) -> None:
    warmup, measured = _greedy(url, poolclass)
    measured.counters["requests"] = measured.counters["checkouts"]
    summary = summarize_pool(gather([run(tmp_path, [warmup, measured])]).pools[0])
    findings = {finding.code: finding for finding in summary.findings}
    assert ("starvation" in findings) == found
    # They have waited since the warm-up: no wait that began later tells of theirs.
    assert ("p999" in summary.checkout.wait_seconds.at_least) == found
    if found:
        assert "sqlalchemy#7679" in findings["starvation"].message
        assert findings["starvation"].evidence["longest_wait"] > 1.5
