"""The report's table of errors: its advice is that of the findings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from loadtest.analysis.summarize import summarize_runs
from loadtest.model.interval import Interval
from loadtest.model.task_use import TaskUse
from tests.analysis.builders import interval, run
from tests.report.pages import page_of

TIMEOUTS = {"requests": 60, "failures": 40, "errors.pool_timeout": 40, "timeouts": 40}
TOO_SMALL = "or the pool is too small."
DEADLOCKED = "The pool was deadlocked (see the finding nested_checkout)."


def second(*, deadlocked: bool) -> Interval:
    """A second with timeouts in a pool of ten connections."""
    part = interval(counters=TIMEOUTS, request=[90] * 20, gauges={"users": 30, "open": 10})
    use = TaskUse(waiting_with=1, deadlocked=1)
    return replace(part, tasks={"POST /order": use}) if deadlocked else part


def errors_table(folder: Path) -> str:
    return page_of(folder).partition(">Errors by kind</h2>")[2].partition("</section>")[0]


def test_timeouts_of_a_deadlocked_pool_have_the_advice_of_the_finding(tmp_path: Path) -> None:
    run(tmp_path, [second(deadlocked=True)], "5+5")
    table = errors_table(tmp_path)
    assert DEADLOCKED in table
    assert TOO_SMALL not in table


def test_errors_that_mean_different_things_have_the_advice_of_each_pool(tmp_path: Path) -> None:
    run(tmp_path, [second(deadlocked=True)], "nested:5+5")
    run(tmp_path, [second(deadlocked=False)], "plain:5+5")
    table = errors_table(tmp_path)
    assert f"nested: {DEADLOCKED}<br>plain: No connection became free" in table
    assert TOO_SMALL in table


def test_errors_that_mean_the_same_have_their_advice_once(tmp_path: Path) -> None:
    for name in ("first:5+5", "second:5+5"):
        run(tmp_path, [second(deadlocked=False)], name)
    assert errors_table(tmp_path).count(TOO_SMALL) == 1


def test_a_kind_without_advice_has_none(tmp_path: Path) -> None:
    parts = [interval(counters={"requests": 9, "failures": 3, "errors.4711": 3})]
    for name in ("first:5+5", "second:5+5"):
        run(tmp_path, parts, name)
    assert "first:" not in errors_table(tmp_path)


def test_retries_in_a_deadlocked_pool_have_that_advice_too(tmp_path: Path) -> None:
    part = second(deadlocked=True)
    counters = {"requests": 60, "retries": 40, "retries.pool_timeout": 40}
    one = replace(part, counters=interval(counters=counters).counters)
    (pool,) = summarize_runs([run(tmp_path, [one], "5+5")]).pools
    (retries,) = (finding for finding in pool.findings if finding.code == "retries")
    assert DEADLOCKED in retries.message
    assert TOO_SMALL not in retries.message
