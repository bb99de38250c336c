"""A pool that may be the best, but that a disturbed load generator kept from being measured."""

from pathlib import Path

import pytest

from loadtest.analysis.comparison.comparer import Comparer
from loadtest.analysis.comparison.verdict import verdict, verdict_exit_code
from loadtest.analysis.pool_numbers import numbers_by_round
from loadtest.analysis.pool_runs import gather
from loadtest.analysis.summarize import summarize, summarize_runs
from loadtest.model.summary import Finding, Verdict
from loadtest.model.task_use import TaskUse
from loadtest.runfile.reader import Run
from tests.analysis.builders import SECOND, interval, run, steady

SOUND = [646, 650, 640, 655, 641]
SLOW = [300, 301, 299, 302, 298]


def sound(folder: Path) -> list[Run]:
    """Two pools that can be compared; the first one is better."""
    return [
        *steady(folder, "default:5+10", SOUND, peak=15, started=1),
        *steady(folder, "3+0", SLOW, peak=3, started=2),
    ]


def disturbed(folder: Path, per_second: int, **tasks: TaskUse) -> list[Run]:
    """Five rounds of a pool of 40 connections in which the load generator had no CPU left."""
    runs = []
    for number in range(1, 6):
        part = interval(counters={"requests": per_second, "cpu": SECOND}, gauges={"open": 40})
        part.tasks = tasks
        runs.append(run(folder, [part], "40+0", number, started=3))
    return runs


def test_a_rival_that_did_more_and_is_not_valid_prevents_a_recommendation(tmp_path: Path) -> None:
    summary = summarize_runs([*sound(tmp_path), *disturbed(tmp_path, 700)])
    assert summary.verdict.recommended is None
    headline, did, *_ = summary.verdict.text.splitlines()
    assert headline == (
        "No recommendation: 40+0 could not be measured, and may be better than default. Remove the "
        "causes that the findings name, and repeat on an idle machine."
    )
    assert did == "Requests per second: default 646, 3+0 300 and 40+0 700 (not valid)."
    assert verdict_exit_code(summary) == 4


def test_a_rival_that_did_clearly_less_leaves_the_recommendation(tmp_path: Path) -> None:
    summary = summarize_runs([*sound(tmp_path), *disturbed(tmp_path, 90)])
    assert summary.verdict.recommended == "default"
    assert "40+0 is left out: the measurement is not valid" in summary.verdict.text
    assert verdict_exit_code(summary) == 0


def answer(runs: list[Run], **findings: Finding) -> Verdict:
    """The verdict on these runs, with one further finding for some pools."""
    measured = gather(runs)
    pools = [
        pool.model_copy(update={"findings": (*pool.findings, findings[pool.name])})
        if pool.name in findings
        else pool
        for pool in summarize(measured).pools
    ]
    rounds = {pool.name: numbers_by_round(pool) for pool in measured.pools}
    return verdict(measured, pools, Comparer(rounds))


@pytest.mark.parametrize(("name", "kept"), [("default", False), ("3+0", True)])
def test_a_larger_rival_that_is_not_valid_may_be_better_than_a_pool_that_is_the_bottleneck(
    tmp_path: Path, name: str, kept: bool
) -> None:
    bound = Finding(code="pool_bound", severity="warning", message="Try a larger pool_size.")
    found = answer([*sound(tmp_path), *disturbed(tmp_path, 90)], **{name: bound})
    assert (found.recommended == "default") is kept
    assert found.unmeasured == (() if kept else ("40+0",))


def test_a_rival_that_was_deadlocked_leaves_the_recommendation(tmp_path: Path) -> None:
    runs = [*sound(tmp_path), *disturbed(tmp_path, 700, pay=TaskUse(deadlocked=40))]
    assert summarize_runs(runs).verdict.recommended == "default"


def test_a_rival_with_which_most_requests_failed_leaves_the_recommendation(tmp_path: Path) -> None:
    counters = {"requests": 2000, "failures": 1300, "errors.deadlock": 1300, "cpu": SECOND}
    failing = [run(tmp_path, [interval(counters=counters)], "40+0", n) for n in range(1, 6)]
    assert summarize_runs([*sound(tmp_path), *failing]).verdict.recommended == "default"
