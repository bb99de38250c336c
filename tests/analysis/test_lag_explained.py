"""A late event loop that other programs explain is blamed on no task."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtest.analysis.summarize import summarize_runs
from loadtest.runfile.footer import add_to_footer
from loadtest.runfile.reader import Run, read_run
from tests.analysis.builders import SECOND, interval, run

KEPT = {"loop_watched": 100, "loop.look": 66}


def late(folder: Path, share: float, cpu: float, number: int = 1, lag: int = 30) -> Run:
    """A run with a late event loop; share: of the processors, used by another program."""
    counters = {"requests": 100, "cpu": int(cpu * SECOND), **KEPT}
    part = interval(counters=counters, generator_lag=[lag] * 100, request=[20] * 100)
    path = run(folder, [part], round_=number).path
    add_to_footer(path, programs=[{"name": "gzip", "share": share}])
    return read_run(path)


def message(*runs: Run) -> str:
    (pool,) = summarize_runs(runs).pools
    return {one.code: one.message for one in pool.findings}["generator_lag"]


@pytest.mark.parametrize(
    ("share", "cpu", "named"),
    [(0.73, 0.4, False), (0.25, 0.4, False), (0.12, 0.4, True), (0.73, 0.95, True)],
)
def test_a_task_is_named_unless_other_programs_explain_the_lag(
    tmp_path: Path, share: float, cpu: float, named: bool
) -> None:
    said = message(late(tmp_path, share, cpu))
    assert ("'look' kept the event loop" in said) is named
    assert ("Move slow code" in said) is named
    assert "Stop them, or use an idle machine." in said


def test_the_rounds_that_were_late_are_named_by_number(tmp_path: Path) -> None:
    lags = (30, 30, 30, 0, 30)
    runs = [late(tmp_path, 0.73, 0.4, n, lag) for n, lag in enumerate(lags, start=1)]
    assert "of the mean request (too much in rounds 1, 2, 3 and 5): all users" in message(*runs)
