"""Runs that measured the load generator: their findings, and what a command that did them says."""

from __future__ import annotations

import pytest

from loadtest.analysis.comparison.verdict import verdict_exit_code
from loadtest.analysis.summarize import summarize_runs
from tests.findings.runs import Found, Provoked

pytestmark = [pytest.mark.provoked, pytest.mark.alone]
LOAD = "-u 5 -r 5 -t 4s --warmup 1s"


def measured(provoked: Provoked, key: str, scenario: str, more: str = "") -> tuple[Found, int]:
    """The findings, and the exit code of a command that measured this."""
    (run,) = provoked.locusts(key, scenario, run=f"{LOAD} {more}").values()
    summary = summarize_runs([run])
    (pool,) = summary.pools
    assert pool.valid == (verdict_exit_code(summary) == 0)
    return {finding.code: finding for finding in pool.findings}, verdict_exit_code(summary)


def test_work_in_python_makes_the_generator_the_bottleneck(provoked: Provoked) -> None:
    findings, code = measured(provoked, "busy", "busy.py")
    assert code == 4
    assert findings["generator_bound"].severity == "error"
    assert findings["generator_bound"].evidence["share"] > 0.2


def test_a_call_that_blocks_the_event_loop_makes_everybody_late(provoked: Provoked) -> None:
    findings, code = measured(provoked, "blocking", "blocking.py", "--sleep blocking")
    assert code == 4
    assert findings["generator_lag"].severity == "error"
    assert "generator_bound" not in findings


def test_a_call_that_yields_makes_nobody_late(provoked: Provoked) -> None:
    findings, code = measured(provoked, "yielding", "blocking.py", "--sleep yielding")
    assert code == 0
    assert not {"generator_lag", "generator_bound"} & findings.keys()
