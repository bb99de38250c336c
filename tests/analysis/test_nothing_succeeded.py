"""Runs without a successful request: the error is said, and nothing about pool or generator."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from loadtest.analysis.comparison.verdict import verdict_exit_code
from loadtest.analysis.summarize import summarize_runs
from loadtest.model.summary import Finding
from loadtest.model.task_use import TaskUse
from loadtest.runfile.footer import add_to_footer
from loadtest.runfile.reader import Run, read_run
from tests.analysis.builders import SECOND, START, header, interval, run, steady

WORDS = "(1146, \"Table 'shop.item' doesn't exist\")"
RESTART = {"kind": "restart", "at": 1.0, "length": 1.0}
LATENCY = {"kind": "latency", "delay": 0.1}


def failing(folder: Path, pool: str = "20+0", **more: Any) -> Run:
    """A run of a full pool and a busy generator, of which every request failed."""
    counters = {"requests": 100, "failures": 100, "errors.other": 90, "errors.deadlock": 10}
    one = interval(
        counters={**counters, "checkouts": 100, "checkout_errors": 9, "cpu": SECOND},
        gauges={"open": 20, "in_use": 20, "waiting": 200, "users": 300},
        unfinished=[900] * 200,
        failed_request=[20] * 100,
        wait=[10] * 100,
        generator_lag=[90] * 9,
    )
    one.examples |= {"other": WORDS, "deadlock": "(1213, 'x')"}
    return run(folder, [one], pool, **more)


def found(*runs: Run) -> dict[str, Finding]:
    (pool,) = summarize_runs(runs).pools
    return {finding.code: finding for finding in pool.findings}


def test_where_nothing_succeeded_the_errors_are_all_that_is_said(tmp_path: Path) -> None:
    summary = summarize_runs([failing(tmp_path)])
    findings = summary.pools[0].findings
    codes = ["nothing_succeeded", "errors_deadlock", "errors_other"]
    assert [finding.code for finding in findings] == codes
    assert findings[0].severity == "error"
    assert findings[0].message.startswith(
        f"No request succeeded: all 100 failed, most with other errors: {WORDS}. "
    )
    assert findings[0].evidence == {"failed": 100, "requests": 100, "kind": "other"}
    assert verdict_exit_code(summary) == 4
    assert summary.verdict.text.startswith("None of 100 requests succeeded with 20+0")


@pytest.mark.parametrize(("kind", "told"), [("pool_timeout", True), ("other", False)])
def test_a_mistake_that_makes_every_checkout_time_out_is_said_as_well(
    tmp_path: Path, kind: str, told: bool
) -> None:
    one = interval(counters={"requests": 9, "failures": 9, f"errors.{kind}": 9})
    one.tasks = {"buy": TaskUse(nested=9, kept=5)}
    codes = {"nothing_succeeded", f"errors_{kind}", *(["leak"] if told else [])}
    assert found(run(tmp_path, [one])).keys() == codes


def test_one_success_is_something(tmp_path: Path) -> None:
    codes = found(
        failing(tmp_path), run(tmp_path, [interval(counters={"requests": 1})], round_=2)
    ).keys()
    assert "nothing_succeeded" not in codes
    assert "most_failed" in codes


def test_an_end_that_protected_the_server_is_said_as_well(tmp_path: Path) -> None:
    one = failing(tmp_path, reason="the server got into trouble: it refused others")
    assert found(one).keys() >= {"server_in_trouble", "nothing_succeeded"}


def test_the_pools_that_work_are_compared_without_it(tmp_path: Path) -> None:
    runs = [
        *steady(tmp_path, "5+10", [300, 303, 297, 301, 299], peak=15, started=1),
        *[failing(tmp_path, round_=number, started=2) for number in range(1, 6)],
    ]
    summary = summarize_runs(runs)
    assert summary.verdict.recommended == "5+10"
    assert verdict_exit_code(summary) == 0


def test_no_objective_is_met_by_failures(tmp_path: Path) -> None:
    bound = {"objective": "checkout.wait_seconds.p95 <= 50ms"}
    summary = summarize_runs([failing(tmp_path)], bound)
    assert [one.met for one in summary.pools[0].objectives] == [False]
    assert verdict_exit_code(summary) == 4


def test_a_search_in_which_nothing_succeeds_is_not_valid(tmp_path: Path) -> None:
    experiment = {"search": {"most": 40}, "objective": "errors.rate <= 1%", "baseline": "20+0"}
    summary = summarize_runs([failing(tmp_path)], experiment)
    assert verdict_exit_code(summary) == 4


def drill(
    folder: Path,
    counts: Sequence[tuple[int, int]],
    fault: dict[str, Any],
    span: tuple[float, float] | None = None,
) -> dict[str, Finding]:
    """The findings about a drill, from the successes and failures of each measured second."""
    parts = [
        interval(
            second, counters={"requests": ok + failed, "failures": failed, "errors.other": failed}
        )
        for second, (ok, failed) in enumerate(counts)
    ]
    made = run(folder, parts, load={**header()["load"], "faults": [fault]})
    if span:
        begin, end = span
        add_to_footer(made.path, faults=[{"begin": START + begin, "end": START + end}])
    return found(read_run(made.path))


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ([(0, 9), (0, 9), (0, 9), (0, 9), (0, 9)], True),
        ([(9, 0), (0, 9), (0, 9), (0, 9), (0, 9)], False),
        ([(0, 9), (0, 9), (0, 9), (0, 9), (1, 8)], False),
        # It lasted from 1.5 to 2.5 s, and nothing ended beside it.
        ([(0, 0), (0, 9), (0, 9)], False),
        ([(0, 9), (5, 9), (5, 9)], True),
    ],
)
def test_a_drill_is_exempt_while_its_fault_lasts(
    tmp_path: Path, counts: list[tuple[int, int]], said: bool
) -> None:
    findings = drill(tmp_path, counts, RESTART, (1.5, 2.5))
    assert ("nothing_succeeded" in findings) is said
    if said:
        words = "No request succeeded outside of the faults: all "
        assert findings["nothing_succeeded"].message.startswith(words)


def test_a_fault_that_lasts_for_the_whole_run_explains_all_of_it(tmp_path: Path) -> None:
    assert "nothing_succeeded" not in drill(tmp_path, [(0, 9)] * 3, LATENCY)
