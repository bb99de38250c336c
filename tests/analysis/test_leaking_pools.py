"""Pools whose requests fail because tasks did not return their connections."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from loadtest.analysis.summarize import summarize_runs
from loadtest.model.summary import Summary
from loadtest.model.task_use import TaskUse
from loadtest.report.html import report_page
from loadtest.report.terminal import print_summary
from tests.analysis.builders import interval, run

TIMED_OUT = (
    "QueuePool limit of size 5 overflow 10 reached, connection timed out, timeout 1.00 (Background "
    "on this error at: https://sqlalche.me/e/20/3o7r)"
)


def leaking(folder: Path, failures: int = 93, kept: int = 15, example: str = "") -> Summary:
    """A run in which requests time out, and ended tasks still hold this number of connections."""
    part = interval(
        counters={"requests": 100, "failures": failures, "errors.pool_timeout": failures},
        gauges={"open": 15, "in_use": 15},
        request=[5] * 7,
    )
    part.examples = {"pool_timeout": example} if example else {}
    part.tasks = {"pay": TaskUse(holds=20, hold=20, kept=kept)}
    return summarize_runs([run(folder, [part], "5+10")])


@pytest.mark.parametrize("failures", [93, 100])
def test_the_verdict_begins_with_the_leak_and_blames_no_size(tmp_path: Path, failures: int) -> None:
    text = leaking(tmp_path, failures).verdict.text
    assert text.startswith("No pool can be recommended before the leak is fixed.")
    assert "(it lost 15 of 15 connections)" in text
    assert "the pool is too small" not in text


def test_the_leak_comes_before_the_failures_that_follow_from_it(tmp_path: Path) -> None:
    first, second, *_ = leaking(tmp_path).pools[0].findings
    assert (first.code, second.code) == ("leak", "most_failed")
    assert second.message.endswith(
        "Tasks ended without returning their connections (see the finding leak)."
    )


def test_the_leak_is_first_in_the_terminal_and_in_the_banner(tmp_path: Path) -> None:
    summary = leaking(tmp_path)
    printed = Console(file=io.StringIO(), width=1000)
    print_summary(summary, printed)
    lines = printed.file.getvalue().splitlines()  # type: ignore[attr-defined]
    found = lines.index("Findings")
    assert lines[found + 1].startswith("- 5+10: 15 connections were still held after the task")
    assert "call close(), on a scoped_session remove()" in lines[found + 1]
    banner = report_page(summary, []).partition('role="alert">')[2].partition("</section>")[0]
    assert banner.index("were still held") < banner.index("of requests failed")


@pytest.mark.parametrize("failures", [93, 100, 20])
def test_the_terminal_has_the_error_once(tmp_path: Path, failures: int) -> None:
    summary = leaking(tmp_path, failures, example=TIMED_OUT)
    printed = Console(file=io.StringIO(), width=1000)
    print_summary(summary, printed)
    text = printed.file.getvalue()  # type: ignore[attr-defined]
    assert text.count("QueuePool limit of size 5") == 1
    assert "pool timeouts" in text.partition("Findings")[2]
    assert "  " not in text.partition("Findings")[2]


def test_a_few_lost_connections_do_not_explain_timeouts(tmp_path: Path) -> None:
    summary = leaking(tmp_path, kept=2)
    assert "or the pool is too small" in summary.verdict.text
    assert "leak" in {finding.code for finding in summary.pools[0].findings}
