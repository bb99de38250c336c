"""Errors are explained as what they are: why a connection was lost, and who shares one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from loadtest.analysis.summarize import summarize_runs
from loadtest.model.error_kinds import advice
from loadtest.model.interval import Interval
from loadtest.model.summary import Finding
from loadtest.model.task_use import TaskUse
from loadtest.runfile.reader import read_run
from tests.analysis.builders import MILLISECOND, change_header, interval, run

Found = dict[str, Finding]


def found(
    folder: Path,
    counters: Mapping[str, int],
    *,
    pool: str = "5+10",
    example: Mapping[str, str] | None = None,
    tasks: Mapping[str, TaskUse] | None = None,
    **header: Any,
) -> Found:
    """The findings in a run of ten users with these counters."""
    failures = sum(n for name, n in counters.items() if name.startswith("errors."))
    counted = {"requests": 1000, "failures": failures, **counters}
    one = interval(counters=counted, gauges={"users": 10})
    one.examples, one.tasks = dict(example or {}), dict(tasks or {})
    (summary,) = summarize_runs([run(folder, [one], pool, **header)]).pools
    return {finding.code: finding for finding in summary.findings}


def with_class(folder: Path, poolclass: str, one: Interval, reason: str = "finished") -> Found:
    """The findings in a run of an application's pool, of a class that no option names."""
    made = run(folder, [one], reason=reason)
    settings = {"poolclass": poolclass, "pool_size": None, "max_overflow": None}
    change_header(made, lambda header: header["pool"].update(settings))
    (summary,) = summarize_runs([read_run(made.path)]).pools
    return {finding.code: finding for finding in summary.findings}


def of_users(users: int, **counters: int) -> Interval:
    """A second of some users with a thousand requests."""
    counted = {name.replace("__", "."): number for name, number in counters.items()}
    return interval(counters={"requests": 1000, **counted}, gauges={"users": users})


# ---- Why a connection was lost


def test_a_connection_that_idled_in_a_task_is_not_cured_by_the_pool(tmp_path: Path) -> None:
    server = {"version": "10.11.6-MariaDB", "variables": {"wait_timeout": "1"}}
    job = TaskUse(holds=10, hold=16_000 * MILLISECOND, queries=20, query=160 * MILLISECOND)
    quick = TaskUse(holds=900, hold=9_000 * MILLISECOND, queries=900, query=8_900 * MILLISECOND)
    tasks = {"job": job, "quick": quick}
    findings = found(tmp_path, {"errors.idle_in_task": 40}, tasks=tasks, server=server)
    message = findings["errors_idle_in_task"].message
    assert "pool_pre_ping and pool_recycle do not help" in message
    assert "Commit or close the session before the other work" in message
    assert "The sessions of this pool have wait_timeout = 1 s." in message
    assert (
        "'job' holds a connection for 1.60 s on average and uses it for queries in 1.0 %" in message
    )


def test_a_connection_that_idled_in_the_pool_is_cured_by_the_pool(tmp_path: Path) -> None:
    finding = found(tmp_path, {"errors.idle_in_pool": 40})["errors_idle_in_pool"]
    assert "set pool_recycle below wait_timeout, or switch on pool_pre_ping" in finding.message


@pytest.mark.parametrize("kind", ["gone_away", "lost_during_query"])
def test_other_lost_connections_are_explained_by_what_else_the_run_shows(
    tmp_path: Path, kind: str
) -> None:
    code, lost = f"errors_{kind}", {f"errors.{kind}": 40}
    bare = found(tmp_path / "bare", lost)[code].message
    pinged = found(tmp_path / "pinged", lost, pool="pool_pre_ping=true")[code].message
    away = found(tmp_path / "away", {**lost, "errors.refused": 30})[code].message
    assert bare.endswith(advice(kind))
    assert "so it broke while the task held it" in pinged
    assert "The server was away for a time, because it also refused connections" in away
    assert "pool_recycle" not in pinged + away


def test_killed_connections_and_queries_have_advice_of_their_own(tmp_path: Path) -> None:
    findings = found(tmp_path, {"errors.connection_killed": 40, "errors.query_interrupted": 40})
    assert "do not prevent it" in findings["errors_connection_killed"].message
    assert "KILL QUERY" in findings["errors_query_interrupted"].message


def test_a_listener_that_fails_is_not_called_unrelated_to_connections(tmp_path: Path) -> None:
    told = {"connect_failed": "vault: 503"}
    finding = found(tmp_path, {"errors.connect_failed": 600}, example=told)["most_failed"]
    assert "most with failed connects: vault: 503. Opening a connection failed" in finding.message
    assert "`connect` listener" in finding.message


# ---- One connection for several users


@pytest.mark.parametrize(
    ("counters", "shared"),
    [
        ({"errors.concurrent_use": 1, "checkouts": 999}, True),
        ({"errors.pending_rollback": 900, "checkouts": 0}, True),
        ({"errors.pending_rollback": 11, "checkouts": 9, "checkout_errors": 1}, True),
        ({"errors.pending_rollback": 11, "checkouts": 9, "timeouts": 2}, False),
        ({"errors.pending_rollback": 50, "checkouts": 1000}, False),
        ({"errors.gone_away": 900, "checkouts": 0}, False),
    ],
)
def test_a_session_that_users_share_is_told_by_errors_that_only_it_can_have(
    tmp_path: Path, counters: dict[str, int], shared: bool
) -> None:
    assert ("shared_session" in found(tmp_path, counters)) is shared


def test_a_global_session_is_named_with_its_connection(tmp_path: Path) -> None:
    counters = {"errors.concurrent_use": 30, "errors.pending_rollback": 900, "checkouts": 1}
    finding = found(tmp_path, counters)["shared_session"]
    assert finding.severity == "error"
    assert finding.message.startswith(
        "Users share one session and its connection: 30 requests used it at the same time as "
        "another user and 900 requests failed because nothing had rolled it back. The pool handed "
        "out 1 connection for 1,000 requests."
    )
    assert "instead of a global one" in finding.message


@pytest.mark.parametrize(
    ("poolclass", "words"),
    [
        ("StaticPool", "one connection, and all users use it at the same time"),
        ("AssertionPool", "the pool refuses every other user at once"),
        ("SingletonThreadPool", "closes connections that other users are using"),
    ],
)
def test_a_pool_for_one_user_is_told_as_such(tmp_path: Path, poolclass: str, words: str) -> None:
    failing = of_users(10, failures=20, errors__checkout_failed=10, errors__concurrent_use=10)
    findings = with_class(tmp_path / "failing", poolclass, failing)
    finding = findings["pool_for_one_user"]
    assert finding.severity == "error"
    assert words in finding.message
    assert "20 of 1,000 requests failed. For several users take QueuePool." in finding.message
    assert ("shared_session" in findings) is (poolclass == "AssertionPool")
    quiet = with_class(tmp_path / "quiet", poolclass, of_users(10))["pool_for_one_user"]
    assert (quiet.severity, "failed" in quiet.message) == ("warning", False)


@pytest.mark.parametrize("poolclass", ["NullPool", "QueuePool", "FairPool", "AnApplicationsOwn"])
def test_other_classes_serve_several_users(tmp_path: Path, poolclass: str) -> None:
    assert "pool_for_one_user" not in with_class(tmp_path, poolclass, of_users(10))


def test_more_connections_than_announced_come_from_such_a_pool(tmp_path: Path) -> None:
    reason = "more than announced: the users tried to open more than the 8 connections announced"
    findings = with_class(tmp_path / "shared", "StaticPool", of_users(10), reason)
    assert "(see the finding pool_for_one_user)" in findings["more_than_announced"].message
    others = with_class(tmp_path / "others", "NullPool", of_users(10), reason)
    assert "--connections-per-user 2" in others["more_than_announced"].message


def test_a_single_user_may_have_any_pool(tmp_path: Path) -> None:
    assert "pool_for_one_user" not in with_class(tmp_path, "StaticPool", of_users(1))


# ---- Users without a session of the pool


def beside_others(folder: Path, requests: int, **header: Any) -> Found:
    """The findings about ten pool users with requests of 100 ms in a second, beside twelve others.

    Ten users have time for a hundred.
    """
    levels = {"users": 10, "other_users": 12}
    one = interval(counters={"requests": requests}, gauges=levels, request=[100] * requests)
    (pool,) = summarize_runs([run(folder, [one], **header)]).pools
    return {finding.code: finding for finding in pool.findings}


def test_users_of_other_classes_are_named_and_not_taken_for_stuck(tmp_path: Path) -> None:
    scenario = {"user_classes": ["Site", "Rows"], "other_classes": ["Site"]}
    findings = beside_others(tmp_path, 100, scenario=scenario)
    assert "users_unaccounted" not in findings
    assert findings["other_users"].severity == "info"
    said = "12 users of other classes (Site) ran beside 10 pool users"
    assert said in findings["other_users"].message


def test_pool_users_that_are_stuck_are_still_missed_beside_others(tmp_path: Path) -> None:
    findings = beside_others(tmp_path, 50)
    assert findings["users_unaccounted"].evidence == {"users": 10, "accounted": 5}
    assert findings["users_unaccounted"].message.startswith("Locust ran 10 pool users, but")
    assert "12 users of other classes ran beside" in findings["other_users"].message
