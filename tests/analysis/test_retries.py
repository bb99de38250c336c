"""Requests that succeeded after a failure, and requests that Locust ended."""

from pathlib import Path
from typing import Any

import pytest

from loadtest.analysis.summarize import summarize_runs
from loadtest.model.summary import Finding
from loadtest.runfile.reader import Run
from tests.analysis.builders import interval, run


def found(*runs: Run) -> dict[str, Finding]:
    (pool,) = summarize_runs(runs).pools
    return {finding.code: finding for finding in pool.findings}


@pytest.mark.parametrize(("number", "severity"), [(1, None), (2, "info"), (11, "warning")])
def test_retries_are_told_from_one_in_a_hundred_on(
    tmp_path: Path, number: int, severity: str | None
) -> None:
    counters = {"requests": 100, "retries": number, "retries.deadlock": number}
    findings = found(run(tmp_path, [interval(counters=counters)]))
    if severity is None:
        assert findings == {}
        return
    assert findings["retries"].severity == severity
    assert findings["retries"].message.startswith(
        f"{number} retries in 100 requests, most after deadlocks: a checkout or a statement failed"
    )
    evidence = {"count": number, "requests": 100, "kind": "deadlock"}
    assert findings["retries"].evidence == evidence


def test_requests_that_locust_ended_are_told_and_are_no_failures(tmp_path: Path) -> None:
    counters = {"requests": 30, "abandoned": 10}
    one = run(tmp_path, [interval(counters=counters)])
    assert found(one)["abandoned"].message.startswith(
        "10 requests (25 %) ended with Locust's control flow"
    )
    (pool,) = summarize_runs([one]).pools
    assert (pool.abandoned, pool.errors.rate, pool.throughput.per_second) == (10, 0, 30)


def test_where_locust_ended_all_requests_that_is_why_nothing_is_known(tmp_path: Path) -> None:
    finding = found(run(tmp_path, [interval(counters={"abandoned": 10})]))["nothing_ended"]
    assert "ended all 10 requests" in finding.message
    assert "in a TaskSet self.user.succeed()" in finding.message
    assert "Measure for longer" not in finding.message


def test_without_any_request_the_trial_of_the_tasks_is_suggested(tmp_path: Path) -> None:
    finding = found(run(tmp_path, [interval(counters={})]))["nothing_ended"]
    assert "loadtest run --try shows which" in finding.message
    assert "or a request takes longer than 1.00 s" in finding.message


def test_the_time_of_requests_that_locust_ended_is_accounted_for(tmp_path: Path) -> None:
    def one(**times: Any) -> Run:
        counters = {"requests": 50, "abandoned": 50}
        return run(tmp_path, [interval(counters=counters, gauges={"users": 10}, **times)])

    half = {"request": [100] * 50}
    assert "users_unaccounted" in found(one(**half))
    assert "users_unaccounted" not in found(one(**half, abandoned_request=[100] * 50))
