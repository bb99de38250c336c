"""Workers that were not there all the time, and what their pools come to together."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from loadtest.analysis.pool_settings import multiplied
from loadtest.analysis.summarize import summarize_runs
from loadtest.model.end_reason import End, EndReason
from loadtest.model.interval import Interval
from loadtest.model.pool import PoolSettings
from loadtest.model.summary import Finding, PoolSummary
from loadtest.runfile.reader import Run, read_run
from loadtest.runfile.writer import RunWriter
from tests.analysis.builders import SECOND, header, interval, run

CODES = {"worker_late", "worker_lost", "late_reports", "intervals_lost", "clock_offset"}


def seconds(process: str, *which: int, **more: Any) -> list[Interval]:
    more = {"counters": {"requests": 100, "checkouts": 100}, "gauges": {"open": 3}, **more}
    return [interval(second, process=process, wait=[2] * 100, **more) for second in which]


def with_footer(folder: Path, intervals: Iterable[Interval], *workers: dict[str, Any]) -> Run:
    """A run whose master had something to say of its workers."""
    path = folder / "runs" / "20+0-1.jsonl"
    writer = RunWriter(path, header())
    for one in intervals:
        writer.add(one)
    writer.close(End(EndReason.FINISHED), {"counters": {}}, workers=list(workers))
    return read_run(path)


def summary_of(one: Run) -> PoolSummary:
    return summarize_runs([one]).pools[0]


def found(one: Run) -> dict[str, Finding]:
    return {f.code: f for f in summary_of(one).findings if f.code in CODES}


def test_workers_that_begin_and_end_within_a_second_are_not_late(tmp_path: Path) -> None:
    parts = [*seconds("a", 0, 1, 2, 3), *seconds("b", 1, 2, 3, 4)]
    assert found(run(tmp_path, parts)) == {}


def test_a_drain_that_takes_longer_than_that_of_others_is_no_loss(tmp_path: Path) -> None:
    parts = [*seconds("a", 0, 1, 2), *seconds("b", 0, 1, 2), *seconds("b", 3, 4, 5, period="drain")]
    assert found(run(tmp_path, parts)) == {}


def test_a_late_worker_is_named_with_what_is_missing(tmp_path: Path) -> None:
    parts = [*seconds("a", *range(8)), *seconds("b", *range(5, 8))]
    (finding,) = found(run(tmp_path, parts)).values()
    assert finding.code == "worker_late"
    assert "b (5 seconds late)" in finding.message
    assert finding.evidence["workers"][0]["missing_seconds"] == 5


def test_the_seconds_of_the_warm_up_count_as_presence(tmp_path: Path) -> None:
    late = [*seconds("b", 3, 4, period="warmup"), *seconds("b", 5)]
    parts = [*seconds("a", *range(6)), *late]
    assert found(run(tmp_path, parts))["worker_late"].evidence["workers"][0]["first"] % 10 == 3


def test_a_lost_worker_is_named_and_the_pool_stays_valid(tmp_path: Path) -> None:
    parts = [*seconds("a", *range(10)), *seconds("b", *range(4))]
    one = run(tmp_path, parts, reason="interrupted")
    (finding,) = found(one).values()
    assert finding.code == "worker_lost"
    assert "b was lost 6 seconds before the others" in finding.message
    pool = summary_of(one)
    assert pool.valid
    assert pool.throughput.per_second == 140.0
    assert pool.checkout.wait_seconds.p95 == pytest.approx(0.002, rel=0.01)


@pytest.mark.parametrize(
    ("state", "words"),
    [("no heartbeat", "without a heartbeat"), ("silent", "without its last interval")],
)
def test_the_master_knows_of_a_worker_that_was_lost_at_the_very_end(
    tmp_path: Path, state: str, words: str
) -> None:
    parts = [*seconds("a", 0, 1, 2), *seconds("b", 0, 1, 2)]
    footer = [{"process": "a", "state": "ended"}, {"process": "b", "state": state}]
    (finding,) = found(with_footer(tmp_path, parts, *footer)).values()
    assert finding.code == "worker_lost"
    assert f"b was lost at the end {words}" in finding.message


def test_a_worker_that_never_sent_an_interval_is_lost_from_the_beginning(tmp_path: Path) -> None:
    footer = [{"process": "a", "state": "ended"}, {"process": "b", "state": "no heartbeat"}]
    one = with_footer(tmp_path, seconds("a", *range(5)), *footer)
    (finding,) = found(one).values()
    assert "b was lost 5 seconds before the others" in finding.message


def test_a_worker_that_was_blocked_for_long_is_not_lost(tmp_path: Path) -> None:
    parts = [*seconds("a", *range(6)), *seconds("b", 0, 1), *seconds("b", 2, length=4 * SECOND)]
    assert found(run(tmp_path, parts)) == {}


def test_of_many_workers_some_are_named_and_all_are_evidence(tmp_path: Path) -> None:
    lost = [one for number in range(9) for one in seconds(f"w{number}", 0, 1)]
    finding = found(run(tmp_path, [*seconds("a", *range(6)), *lost]))["worker_lost"]
    assert finding.message.count("was lost") == 4
    assert "5 more" in finding.message
    assert len(finding.evidence["workers"]) == 9


def test_a_worker_that_takes_over_from_another_adds_time(tmp_path: Path) -> None:
    """Ten seconds at a hundred a second, by two processes one after the other."""
    pool = summary_of(run(tmp_path, [*seconds("a", *range(5)), *seconds("b", *range(5, 10))]))
    assert pool.seconds == 10.0
    assert pool.throughput.per_second == 100.0
    assert pool.processes == 1
    assert pool.connections.allowed == 20


def test_lost_intervals_late_reports_and_clocks_come_from_the_footer(tmp_path: Path) -> None:
    good = {"state": "ended", "lost": 0, "latest_seconds": 0.1, "clock_ahead_seconds": 0.4}
    clock = {"clock_ahead_seconds": -3.25, "round_trip_seconds": 0.002}
    workers = [
        {"process": "a", **good},
        {"process": "b", **good, "lost": 2, "latest_seconds": 1.5, **clock},
        {"process": "c", "state": "ended", "lost": None, "clock_ahead_seconds": None},
    ]
    parts = [part for name in "abc" for part in seconds(name, 0, 1)]
    findings = found(with_footer(tmp_path, parts, *workers))
    assert findings.keys() == {"intervals_lost", "late_reports", "clock_offset"}
    assert "2 intervals of b did not reach" in findings["intervals_lost"].message
    assert findings["late_reports"].evidence == {"workers": {"b": 1.5}}
    assert "from the master's: b is 3.25 s behind." in findings["clock_offset"].message
    evidence = findings["clock_offset"].evidence["workers"]
    assert evidence == {"b": {"ahead": -3.25, "round_trip": 0.002}}


def test_pools_of_several_processes_are_multiplied(tmp_path: Path) -> None:
    parts = [part for name in "abcd" for part in seconds(name, 0, 1)]
    pool = summary_of(run(tmp_path, parts, "20+10"))
    assert (pool.processes, pool.connections.allowed) == (4, 120)
    (finding,) = [f for f in pool.findings if f.code == "pool_per_process"]
    assert finding.message.startswith("4 processes × (20 + 10) = up to 120 connections: ")
    assert finding.evidence == {
        "processes": 4,
        "pool_size": 20,
        "max_overflow": 10,
        "limit": 30,
        "allowed": 120,
    }


@pytest.mark.parametrize(("accepted", "exceeds"), [(119, True), (120, False)])
def test_it_is_the_product_that_the_server_must_accept(
    tmp_path: Path, accepted: int, exceeds: bool
) -> None:
    parts = [part for name in "abcd" for part in seconds(name, 0, 1)]
    server = {"private": False, "variables": {"max_connections": accepted}}
    findings = {
        f.code: f for f in summary_of(run(tmp_path, parts, "20+10", server=server)).findings
    }
    assert ("exceeds_server" in findings) == exceeds
    if exceeds:
        message = findings["exceeds_server"].message
        assert "120 connections (4 processes × (20 + 10) = up to 120 connections)" in message
        assert "the server accepts only 119" in message


@pytest.mark.parametrize(
    ("settings", "processes", "text"),
    [
        ({"pool_size": 20, "max_overflow": 10}, 4, "4 processes × (20 + 10) = up to 120"),
        ({"pool_size": 2, "max_overflow": 1}, 1, "1 process × (2 + 1) = up to 3"),
        ({"pool_size": 100, "max_overflow": 0}, 20, "up to 2,000 connections"),
        ({"pool_size": 3000, "max_overflow": -1}, 2, "any number of connections"),
        ({"pool_size": 0, "max_overflow": 10}, 2, "any number of connections"),
        ({"poolclass": "NullPool"}, 2, "any number of connections"),
    ],
)
def test_the_product_in_words(settings: dict[str, Any], processes: int, text: str) -> None:
    assert text in multiplied(PoolSettings(**settings), processes)
