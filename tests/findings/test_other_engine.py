"""Requests that use another engine than the measured one: the measurement says nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtest.analysis.comparison.verdict import verdict_exit_code
from loadtest.analysis.summarize import summarize
from loadtest.report.render import read_measurements
from tests.analysis.builders import interval, run
from tests.findings.runs import found


@pytest.mark.parametrize(
    ("counters", "connections", "told"),
    [
        ({"requests": 50}, 0, True),
        ({"requests": 50, "failures": 49}, 0, True),
        ({"requests": 50, "checkouts": 50}, 5, False),
        ({"requests": 50, "timeouts": 1}, 0, False),
        ({"requests": 50, "checkout_errors": 1}, 0, False),
        ({"requests": 50, "failures": 50}, 0, False),  # they may have failed before a checkout
        ({"requests": 50}, 5, False),  # the users hold connections since the warm-up
    ],
)
def test_requests_without_a_checkout_do_not_measure_the_pool(
    tmp_path: Path, counters: dict[str, int], connections: int, told: bool
) -> None:
    second = interval(counters=counters, gauges={"open": connections}, request=[20])
    findings = found(run(tmp_path, [second]))

    assert ("no_checkouts" in findings) == told


def test_the_exit_code_is_that_of_an_invalid_measurement(tmp_path: Path) -> None:
    run(tmp_path, [interval(counters={"requests": 50}, gauges={"open": 0}, request=[20])])
    summary = summarize(read_measurements([tmp_path]))

    assert not summary.pools[0].valid
    assert verdict_exit_code(summary) == 4
