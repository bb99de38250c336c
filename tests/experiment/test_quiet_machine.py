"""Before a disturbed run is repeated the machine must be quiet, but not for ever."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtest.experiment import disturbed_runs
from loadtest.experiment.disturbed_runs import Repeats
from loadtest.experiment.quiet_machine import QUIET_CPU, wait_until_quiet
from loadtest.experiment.rounds import plans
from loadtest.runfile.footer import add_to_footer
from tests.analysis.builders import SECOND, interval, run
from tests.experiment.test_rounds import experiment

BUSY, IDLE = QUIET_CPU, QUIET_CPU - 0.01


def waited(*looks: float) -> tuple[bool, int, list[str]]:
    """Whether the machine became quiet, the number of looks, and the lines that were told."""
    told: list[str] = []
    left = list(looks)
    quiet = wait_until_quiet(told.append, lambda: left.pop(0))
    return quiet, len(looks) - len(left), told


def test_a_quiet_machine_is_looked_at_once_and_nothing_is_told() -> None:
    assert waited(IDLE, BUSY) == (True, 1, [])


def test_a_busy_machine_is_waited_for_with_the_bound() -> None:
    quiet, looks, told = waited(BUSY, 0.9, IDLE, IDLE)
    assert (quiet, looks) == (True, 3)
    assert told == ["  waiting at most 30 s until less than 20 % of the processors are in use"]


def test_a_machine_that_stays_busy_is_waited_for_half_a_minute() -> None:
    quiet, looks, told = waited(*[BUSY] * 40)
    assert (quiet, looks) == (False, 30)
    assert told[1] == "  the machine was not quiet within 30 s; repeating the run all the same"


def test_the_wait_comes_before_the_repetition_and_the_programs_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    monkeypatch.setattr(disturbed_runs, "wait_until_quiet", lambda tell: events.append("wait"))
    (plan,) = plans(experiment("2+0"))

    def once() -> None:
        events.append("run")
        cpu = SECOND if events.count("run") == 1 else SECOND // 4
        parts = [interval(s, counters={"requests": 9, "cpu": cpu}) for s in range(5)]
        programs = [{"name": "gzip", "share": 0.43}, {"name": "c", "share": 0.1}]
        add_to_footer(run(tmp_path, parts, "2+0").path, programs=programs)

    assert Repeats(events.append, events.append).run(plan, tmp_path, once)
    assert events == [
        "run",
        "  disturbed, repeating the run: generator_bound (processors used by gzip 43 % and c 10 %)",
        "wait",
        "run",
    ]
