"""Findings know the larger pools of their experiment before they advise one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from loadtest.analysis.summarize import summarize_runs
from loadtest.model.interval import SERVER, Interval
from loadtest.runfile.reader import Run
from tests.analysis.builders import SECOND, interval, run

ADVICE = "Try a larger pool_size, or hold connections for less time."
FIVE = (100, 101, 99, 102, 98)


def rounds(folder: Path, pool: str, size: int, rates: Sequence[int], time: int = 100) -> list[Run]:
    """Rounds of a pool that is full, with waiting users and an idle server; time: ms a request."""
    return [
        run(folder, seconds(size, rate, time), pool, number, started=size * 100 + number)
        for number, rate in enumerate(rates, 1)
    ]


def seconds(size: int, rate: int, time: int) -> list[Interval]:
    counters = {"requests": rate, "checkouts": rate, "cpu": SECOND // 5}
    gauges = {"open": size, "in_use": size, "waiting": 3 * size}
    each = [interval(counters=counters, gauges=gauges, wait=[50] * rate, request=[time] * rate)]
    return [*each, interval(process=SERVER, gauges={"threads_running": 1})]


def told(runs: Sequence[Run], pool: str) -> str:
    """The message of `pool_bound` about a pool."""
    findings = summarize_runs(runs).pool(pool).findings
    return next(one.message for one in findings if one.code == "pool_bound")


def test_a_larger_pool_that_is_worse_is_not_advised(tmp_path: Path) -> None:
    runs = [
        *rounds(tmp_path, "5+0", 5, FIVE),
        *rounds(tmp_path, "20+0", 20, [round(0.35 * rate) for rate in FIVE]),
    ]
    assert told(runs, "5+0").endswith(
        "A larger pool was compared: 20+0 serves 0.35 times as many requests. Hold connections "
        "for less time."
    )
    assert told(runs, "20+0").endswith(ADVICE)


def test_two_rounds_are_judged_by_their_ratio(tmp_path: Path) -> None:
    runs = [
        *rounds(tmp_path, "5+0", 5, FIVE[:2]),
        *rounds(tmp_path, "20+0", 20, [35, 36]),
        *rounds(tmp_path, "40+0", 40, FIVE[:2]),
    ]
    message = told(runs, "5+0")
    assert "20+0 serves 0.35 times as many requests. A larger pool was compared: 40+0" in message
    assert "Try a larger" not in message
    assert "40+0 serves 2.83 times" not in told(runs, "20+0")


@pytest.mark.parametrize(
    ("rates", "time", "said"),
    [
        ([2 * rate for rate in FIVE], 100, "serves 2.00 times as many requests."),
        (FIVE, 40, "has 0.40 times the p95 of requests."),
    ],
)
def test_a_larger_pool_that_helps_is_named(
    tmp_path: Path, rates: Sequence[int], time: int, said: str
) -> None:
    runs = [
        *rounds(tmp_path, "5+0", 5, FIVE),
        *rounds(tmp_path, "20+0", 20, rates, time),
        *rounds(tmp_path, "40+0", 40, rates, time),
    ]
    assert told(runs, "5+0").endswith(f"row locks). A larger pool helps: 20+0 {said}")


def test_a_larger_pool_that_may_help_is_advised(tmp_path: Path) -> None:
    undecided = rounds(tmp_path, "20+0", 20, (60, 150, 90, 130, 70))
    assert told([*rounds(tmp_path, "5+0", 5, FIVE), *undecided], "5+0").endswith(ADVICE)


def test_the_advice_is_not_in_summary_json(tmp_path: Path) -> None:
    (pool,) = summarize_runs(rounds(tmp_path, "5+0", 5, FIVE)).to_json()["pools"]
    assert all({"enlarge", "otherwise"}.isdisjoint(one) for one in pool["findings"])
