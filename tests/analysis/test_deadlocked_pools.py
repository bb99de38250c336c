"""Pools that were deadlocked: the number of connections that avoids it, and no other advice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from loadtest.analysis.summarize import summarize_runs
from loadtest.model.deadlock import deadlock_notice
from loadtest.model.interval import Interval
from loadtest.model.summary import PoolSummary
from loadtest.model.task_use import TaskUse
from loadtest.runfile.reader import Run
from tests.analysis.builders import header, interval, run

USERS = 30
STUCK = TaskUse(waiting_with=1, deadlocked=1)
# What would send a reader in another direction.
OTHER_ADVICE = ("easure for longer", "larger pool_size", "pool is too small", "FairPool")


def second(number: int = 0, use: TaskUse = STUCK, **more: Any) -> Interval:
    """A second in which 30 users wait and the pool is full."""
    gauges = {"users": USERS, "in_use": 10, "open": 10, "waiting": 20, "checked_out": 10}
    one = interval(number, **{"gauges": gauges, "unfinished": [900] * USERS, **more})
    return replace(one, tasks={"POST /order": use})


def measured(folder: Path, *parts: Interval, pool: str = "5+5", **more: Any) -> PoolSummary:
    """One pool's summary, from intervals and the status of a server that had nothing to do."""
    load = {**header()["load"], "users": USERS}
    server = interval(process="server", counters={"row_lock_time": 0, "cpu": 1})
    one: Run = run(folder, [*parts, server], pool, load=load, **more)
    (summary,) = summarize_runs([one]).pools
    return summary


def everything_said(pool: PoolSummary) -> str:
    return " ".join(finding.message for finding in pool.findings)


def test_a_short_run_in_which_nothing_ended_names_the_deadlock_and_its_cure(tmp_path: Path) -> None:
    pool = measured(tmp_path, *map(second, range(7)))
    assert not pool.valid
    assert [finding.code for finding in pool.findings] == ["nothing_ended", "nested_checkout"]
    ended, nested = pool.findings
    assert ended.message.endswith("The pool was deadlocked (see the finding nested_checkout).")
    assert nested.severity == "error"
    assert "'POST /order' held all 10 connections" in nested.message
    assert "30 users need 30 x (2 - 1) + 1 = 31 connections per pool" in nested.message
    assert nested.evidence == {
        **{"nested": {}, "deadlocked": {"POST /order": 7}, "held": 1},
        **{"users": 30, "least": 31, "limit": 10},
    }
    assert not [words for words in OTHER_ADVICE if words in everything_said(pool)]


def test_a_deadlock_in_the_warm_up_alone_is_enough(tmp_path: Path) -> None:
    parts = [second(0, period="warmup"), second(1, TaskUse(), unfinished=[1900] * USERS)]
    assert "nested_checkout" in {one.code for one in measured(tmp_path, *parts).findings}


def test_a_run_that_ended_in_its_warm_up_counts_the_planned_users(tmp_path: Path) -> None:
    part = replace(second(period="warmup"), gauges={})
    found = {one.code: one for one in measured(tmp_path, part, reason="interrupted").findings}
    assert found["nested_checkout"].evidence["least"] == 31


def test_timeouts_of_a_deadlocked_pool_are_no_sign_of_a_small_pool(tmp_path: Path) -> None:
    counters = {"requests": 60, "failures": 40, "errors.pool_timeout": 40, "timeouts": 40}
    parts = [second(n, counters=counters, request=[90] * 20) for n in range(40)]
    pool = measured(tmp_path, *parts)
    assert {one.code for one in pool.findings} == {
        *("most_failed", "nested_checkout", "errors_pool_timeout")
    }
    assert not [words for words in OTHER_ADVICE if words in everything_said(pool)]
    assert "too small" not in summarize_runs([run(tmp_path, parts, "5+5")]).verdict.text


def test_a_pool_with_a_queue_alone_gets_the_other_advice(tmp_path: Path) -> None:
    parts = [second(n, TaskUse(), counters={"requests": 5}, request=[9] * 5) for n in range(3)]
    pool = measured(tmp_path, *parts)
    assert "nested_checkout" not in {one.code for one in pool.findings}
    assert "larger pool_size" in everything_said(pool)
    assert "easure for longer" in everything_said(pool)


@pytest.mark.parametrize(("held", "least"), [(1, 31), (2, 61), (3, 91)])
def test_tasks_that_hold_several_connections_while_they_wait_need_more(
    tmp_path: Path, held: int, least: int
) -> None:
    use = TaskUse(nested=9, waiting_with=held)
    parts = [second(counters={"requests": 50}, use=use, unfinished=())]
    found = {one.code: one for one in measured(tmp_path, *parts, pool="60+0").findings}
    finding = found["nested_checkout"]
    assert finding.evidence["least"] == least
    assert finding.severity == ("info" if least <= 60 else "error")
    assert f"30 x ({held + 1} - 1) + 1 = {least} connections" in finding.message


def test_each_process_has_a_pool_and_users_of_its_own(tmp_path: Path) -> None:
    parts = [second(process=name) for name in ("a", "b")]
    (finding,) = (f for f in measured(tmp_path, *parts).findings if f.code == "nested_checkout")
    assert finding.evidence["least"] == 31


def test_a_pool_that_tasks_may_deadlock_is_recommended_with_that_warning(tmp_path: Path) -> None:
    def runs(pool: str, use: TaskUse) -> list[Run]:
        part = second(use=use, counters={"requests": 50}, request=[9] * 50, unfinished=())
        load = {**header()["load"], "users": USERS}
        return [run(tmp_path, [part], pool, number, load=load) for number in range(1, 6)]

    use = TaskUse(nested=9, waiting_with=1)
    lifo = "lifo:pool_size=20,max_overflow=0,pool_use_lifo=true"
    summary = summarize_runs([*runs("20+0", use), *runs(lifo, use)])
    assert summary.verdict.recommended
    assert "the tasks can deadlock the pool" in summary.verdict.text


def test_the_notice_during_a_run_has_the_number_of_connections() -> None:
    assert deadlock_notice(second()) == (
        "The pool is deadlocked: all connections are held by 'POST /order', and every holder waits "
        "for another one. With 30 users, 31 connections avoid this. See the finding "
        "nested_checkout."
    )
    assert deadlock_notice(second(use=TaskUse(nested=3, waiting_with=1))) == ""
    outside = replace(second(), tasks={"": STUCK}, gauges={})
    assert "all connections are held by code outside of tasks, and" in deadlock_notice(outside)
