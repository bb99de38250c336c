"""Pools that the load never used up: no number of rounds tells them apart."""

from pathlib import Path
from typing import Any

import pytest

from loadtest.analysis.comparison.unused_pools import few_users_note
from loadtest.analysis.comparison.verdict import verdict_exit_code
from loadtest.analysis.summarize import summarize_runs
from loadtest.model.experiment import Experiment
from loadtest.model.load import LoadConfig
from loadtest.model.pool import parse_pool
from loadtest.model.summary import Summary
from tests.analysis.builders import steady

FIVE = [100, 103, 98, 101, 99]


def compared(folder: Path, *pools: tuple[str, int], objective: str = "") -> Summary:
    """Five rounds of each pool, given with the most connections that it had open."""
    runs = [
        one
        for number, (pool, peak) in enumerate(pools, start=1)
        for one in steady(folder, pool, FIVE[number:] + FIVE[:number], peak=peak, started=number)
    ]
    plan = {"objective": objective, "pool": [one.told["pool"] for one in runs[::5]]}
    return summarize_runs(runs, plan)


@pytest.mark.parametrize("wide", ["20+0", "pool_size=20,max_overflow=0,pool_timeout=2"])
def test_pools_that_were_never_used_up_are_not_told_apart(tmp_path: Path, wide: str) -> None:
    summary = compared(tmp_path, ("5+10", 2), (wide, 2))
    headline, did = summary.verdict.text.splitlines()
    assert headline == (
        "These pools were never used up (at most 2 of 15 and 2 of 20 connections): this load "
        "cannot tell them apart. Use more users."
    )
    assert did == "Requests per second: 5+10 100 and 20+0 100."
    assert (summary.verdict.recommended, verdict_exit_code(summary)) == (None, 5)
    assert {one.further_rounds for one in summary.comparisons} == {None}


@pytest.mark.parametrize(
    "pools",
    [
        (("5+10", 6), ("20+0", 6)),  # one of them needs its overflow
        (("2+0", 2), ("20+0", 2)),  # one of them is used up
        (("one:20+0", 2), ("two:20+0", 2)),  # the same settings
        (("5+10", 2), ("pool_size=20,max_overflow=0,pool_pre_ping=true", 2)),
    ],
)
def test_pools_that_may_differ_are_compared(tmp_path: Path, pools: Any) -> None:
    assert compared(tmp_path, *pools).verdict.recommended


def test_a_measured_difference_is_reported_all_the_same(tmp_path: Path) -> None:
    runs = [*steady(tmp_path, "5+10", FIVE, peak=2), *steady(tmp_path, "20+0", [300] * 5, peak=2)]
    assert summarize_runs(runs).verdict.recommended == "20+0"


def test_with_an_objective_a_pool_that_meets_it_is_recommended(tmp_path: Path) -> None:
    summary = compared(tmp_path, ("5+10", 2), ("20+0", 2), objective="errors.rate <= 1%")
    assert summary.verdict.recommended == "5+10"
    assert "would separate" not in summary.verdict.text


def alone(folder: Path, peak: int, pool: str = "5+10", **more: Any) -> str:
    return summarize_runs(steady(folder, pool, [100], peak=peak, **more)).verdict.text


def test_one_pool_that_was_never_used_up_needs_more_users_first(tmp_path: Path) -> None:
    assert alone(tmp_path, peak=2).splitlines()[-1] == (
        "One pool alone shows nothing about others. This one was never used up (at most 2 of 15 "
        "connections), so this load cannot tell it from larger pools. Use more users before you "
        "compare it with other pools."
    )


@pytest.mark.parametrize(("peak", "pool"), [(6, "5+10"), (15, "5+10"), (20, "20+0")])
def test_one_pool_that_was_used_is_compared_next(tmp_path: Path, peak: int, pool: str) -> None:
    said = alone(tmp_path, peak, pool).splitlines()[-1]
    assert said == "One pool alone shows nothing about others. Compare it with other pools."


def planned(users: int, *pools: str) -> Experiment:
    load = LoadConfig(users=users, warmup=1, duration=5)
    settings = tuple(parse_pool(pool) for pool in pools)
    return Experiment(name="x", scenario=Path("x.py"), load=load, pool=settings)


def test_a_load_that_uses_up_no_pool_is_announced() -> None:
    assert few_users_note(planned(2, "5+10", "20+0"), 1) == (
        "Note: 2 users can take at most 2 connections (1 each), and every pool keeps 5 or more: "
        "this load cannot tell the pools apart. Use more users."
    )


@pytest.mark.parametrize(
    ("users", "per_user", "pools"),
    [
        (6, 1, ("5+10", "20+0")),
        (2, 3, ("5+10", "20+0")),
        (2, 1, ("one:5+10", "two:5+10")),
        (2, 1, ("5+10", "poolclass=NullPool")),
        (2, 1, ("5+10", "pool_size=20,max_overflow=0,pool_pre_ping=true")),
    ],
)
def test_a_load_that_may_tell_pools_apart_needs_no_note(
    users: int, per_user: int, pools: tuple[str, ...]
) -> None:
    assert few_users_note(planned(users, *pools), per_user) == ""
