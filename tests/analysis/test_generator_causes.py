"""Why a run is not valid: which programs used the processors, and which task kept the loop."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtest.analysis.summarize import summarize_runs
from loadtest.model.summary import Finding
from loadtest.runfile.footer import add_to_footer
from loadtest.runfile.reader import Run, read_run
from tests.analysis.builders import SECOND, header, interval, run

MORE_PROGRAMS = ({"name": "gzip", "share": 0.43}, {"name": "cc1", "share": 0.12})
FEW_PROGRAMS = ({"name": "sshd", "share": 0.02},)
BY_TASK = {"loop_watched": 100, "loop.report": 71, "loop.Visitor": 9}


def disturbed(
    folder: Path,
    *programs: dict[str, object],
    kept: dict[str, int] | None = None,
    number: int = 1,
    model: str = "greenlets",
) -> Run:
    """A run with a busy generator and a late event loop."""
    counters = {"requests": 100, "cpu": SECOND, **(kept or {})}
    part = interval(counters=counters, generator_lag=[30] * 100, request=[20] * 100)
    load = {**header()["load"], "model": model}
    path = run(folder, [part], round_=number, load=load).path
    add_to_footer(path, programs=list(programs))
    return read_run(path)


def found(*runs: Run) -> dict[str, Finding]:
    (pool,) = summarize_runs(runs).pools
    assert not pool.valid
    return {one.code: one for one in pool.findings}


@pytest.mark.parametrize("code", ["generator_bound", "generator_lag"])
def test_other_programs_are_named_with_their_shares(tmp_path: Path, code: str) -> None:
    finding = found(disturbed(tmp_path, *MORE_PROGRAMS))[code]
    assert (
        "Other programs used 55 % of the processors: gzip 43 % and cc1 12 %. Stop them"
    ) in finding.message
    assert finding.evidence["programs"] == {"gzip": 0.43, "cc1": 0.12}
    assert "kept the event loop" not in finding.message


@pytest.mark.parametrize("code", ["generator_bound", "generator_lag"])
def test_a_task_that_keeps_the_event_loop_is_named(tmp_path: Path, code: str) -> None:
    finding = found(disturbed(tmp_path, *FEW_PROGRAMS, kept=BY_TASK))[code]
    assert "'report' kept the event loop for 71 % of the watched time" in finding.message
    assert finding.evidence["loop"] == {"report": 0.71, "Visitor": 0.09}
    assert "Other programs" not in finding.message


def test_both_are_named_if_both_were_seen(tmp_path: Path) -> None:
    message = found(disturbed(tmp_path, *MORE_PROGRAMS, kept=BY_TASK))["generator_lag"].message
    assert "gzip 43 %" in message
    assert "'report' kept" in message


def test_without_a_known_cause_all_that_is_possible_is_named(tmp_path: Path) -> None:
    kept = {"loop_watched": 100, "loop.report": 29}
    findings = found(disturbed(tmp_path, *FEW_PROGRAMS, kept=kept))
    assert "Python code or a driver written in C blocked it, or other programs" in (
        findings["generator_lag"].message
    )
    assert "watched time" not in findings["generator_bound"].message


def test_the_shares_of_several_rounds_are_means(tmp_path: Path) -> None:
    runs = [disturbed(tmp_path, *MORE_PROGRAMS), disturbed(tmp_path, number=2)]
    assert found(*runs)["generator_lag"].evidence["programs"] == {"gzip": 0.215, "cc1": 0.06}


def test_with_threads_programs_are_named_and_the_interpreter_is_the_other_cause(
    tmp_path: Path,
) -> None:
    message = found(disturbed(tmp_path, *MORE_PROGRAMS, model="threads"))["generator_lag"].message
    assert "only one thread at a time runs Python" in message
    assert "gzip 43 %" in message


@pytest.mark.parametrize("code", ["generator_bound", "generator_lag"])
def test_with_threads_the_task_that_used_the_cpu_is_named(tmp_path: Path, code: str) -> None:
    one = disturbed(tmp_path, *FEW_PROGRAMS, kept=BY_TASK, model="threads")
    message = found(one)[code].message
    assert "'report' used 71 % of a core while the threads were sampled." in message
    assert "event loop" not in message
    assert "not known" not in message


@pytest.mark.parametrize("code", ["generator_bound", "generator_lag"])
def test_with_threads_an_unknown_task_is_said_to_be_unknown(tmp_path: Path, code: str) -> None:
    message = found(disturbed(tmp_path, *FEW_PROGRAMS, model="threads"))[code].message
    assert "Which task used the time is not known." in message
    assert "driver" not in message


def test_a_share_that_is_no_number_is_damage(tmp_path: Path) -> None:
    one = disturbed(tmp_path, {"name": "gzip", "share": "much"})
    assert "programs" in "".join(one.problems)
