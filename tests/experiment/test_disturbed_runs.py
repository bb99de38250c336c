"""Rounds of a comparison that something else on the machine disturbed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from loadtest.analysis.summarize import summarize
from loadtest.experiment import rounds
from loadtest.experiment.disturbed_runs import disturbance
from loadtest.experiment.run_plan import RunPlan
from loadtest.report.render import read_measurements
from loadtest.runfile.reader import read_run
from tests.analysis.builders import SECOND, interval
from tests.analysis.builders import run as write_run
from tests.experiment.test_rounds import DATABASES, Notes, experiment


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Stands for Locust: makes it have these runs disturbed, and gives the list of those done."""

    def disturbing(*disturbed: str) -> list[str]:
        left, done = list(disturbed), list[str]()

        def run(plan: RunPlan, at: Any, folder: Path, watch: Any) -> None:
            name = f"{plan.pool.name}-{plan.round}"
            cpu = SECOND if name in left else SECOND // 4
            if name in left:
                left.remove(name)
            done.append(name)
            counters = {"requests": 100, "checkouts": 100, "cpu": cpu}
            parts = [interval(s, counters=counters, request=[100] * 100) for s in range(5)]
            write_run(folder, parts, plan.pool.name, plan.round)

        monkeypatch.setattr(rounds, "run_once", run)
        return done

    return disturbing


def test_a_disturbed_round_is_done_again_and_kept_aside(
    machine: Callable[..., list[str]], tmp_path: Path
) -> None:
    done, notes = machine("2+0-2"), Notes()
    assert rounds.run_all(experiment("1+0", "2+0", rounds=5), DATABASES, tmp_path, notes)

    assert len(done) == 11
    assert done.count("2+0-2") == 2
    assert "  disturbed, repeating the run: generator_bound" in notes.told
    assert read_run(tmp_path / "disturbed" / "2+0-2.jsonl").finished
    (told,) = json.loads((tmp_path / "experiment.json").read_text())["disturbed"]
    assert told == {"pool": "2+0", "round": 2, "why": "generator_bound", "seconds": 5.0}
    summary = summarize(read_measurements([tmp_path]))
    assert [pool.rounds for pool in summary.pools if pool.valid] == [5, 5]
    assert "Disturbed and repeated: 2+0-2 (generator_bound)" in summary.verdict.text


def test_where_the_second_run_is_no_better_the_other_rounds_of_that_pool_are_done_once(
    machine: Callable[..., list[str]], tmp_path: Path
) -> None:
    always = [f"2+0-{round_}" for round_ in range(1, 6) for _ in range(2)]
    done, notes = machine(*always), Notes()
    assert rounds.run_all(experiment("1+0", "2+0", rounds=5), DATABASES, tmp_path, notes)

    assert "  disturbed again: further runs of 2+0 are not repeated" in notes.told

    assert [done.count(f"2+0-{round_}") for round_ in range(1, 6)] == [2, 1, 1, 1, 1]
    summary = summarize(read_measurements([tmp_path]))
    assert [pool.valid for pool in summary.pools] == [True, False]


def test_an_interrupted_repetition_leaves_the_first_run(
    machine: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    machine("1+0-1")
    once = rounds.run_once

    def interrupted(plan: RunPlan, at: Any, folder: Path, watch: Any) -> None:
        if (folder / "disturbed").exists():
            raise KeyboardInterrupt
        once(plan, at, folder, watch)

    monkeypatch.setattr(rounds, "run_once", interrupted)
    assert not rounds.run_all(experiment("1+0", "2+0", rounds=5), DATABASES, tmp_path, Notes())
    assert read_run(tmp_path / "runs" / "1+0-1.jsonl").finished
    assert list((tmp_path / "disturbed").iterdir()) == []


@pytest.mark.parametrize(
    ("failures", "why"), [(94, ""), (50, "generator_bound"), (1, "generator_bound")]
)
def test_a_generator_that_failed_requests_keep_busy_is_no_disturbance(
    tmp_path: Path, failures: int, why: str
) -> None:
    counters = {"requests": 100, "failures": failures, "errors.write_conflict": failures}
    parts = [interval(s, counters={**counters, "cpu": SECOND}, request=[9] * 9) for s in range(5)]
    assert disturbance(write_run(tmp_path, parts).path) == why


def test_undisturbed_rounds_are_done_once(
    machine: Callable[..., list[str]], tmp_path: Path
) -> None:
    done = machine()
    assert rounds.run_all(experiment("1+0", "2+0", rounds=2), DATABASES, tmp_path, Notes())

    assert len(done) == 4
    assert not (tmp_path / "disturbed").exists()
    assert "disturbed" not in json.loads((tmp_path / "experiment.json").read_text())
