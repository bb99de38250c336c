"""Why a run is not valid: which programs used the processors, and which task kept the loop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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
    **more: Any,
) -> Run:
    """A run with a busy generator and a late event loop."""
    counters = {"requests": 100, "cpu": SECOND, **(kept or {})}
    part = interval(counters=counters, generator_lag=[30] * 100, request=[20] * 100)
    load = {**header()["load"], "model": model}
    path = run(folder, [part], round_=number, load=load, **more).path
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
    said = "Python code blocked it, or other programs used its core. Use users on OS threads"
    assert said in findings["generator_lag"].message
    assert "watched time" not in findings["generator_bound"].message


@pytest.mark.parametrize("driver", ["mysqldb", None])
@pytest.mark.parametrize("kept", [None, BY_TASK])
def test_a_driver_that_may_block_is_a_possible_cause(
    tmp_path: Path, driver: str | None, kept: dict[str, int] | None
) -> None:
    own = {"application": "shop.db:Session", "driver": driver}
    message = found(disturbed(tmp_path, kept=kept, **own))["generator_lag"].message
    assert "a driver written in C" in message
    assert "a driver that yields (PyMySQL)" in message


@pytest.mark.parametrize("more", [{}, {"application": "shop.db:Session", "driver": "pymysql"}])
@pytest.mark.parametrize("kept", [None, BY_TASK])
def test_the_driver_in_use_is_no_advice(
    tmp_path: Path, more: dict[str, Any], kept: dict[str, int] | None
) -> None:
    message = found(disturbed(tmp_path, kept=kept, **more))["generator_lag"].message
    assert "driver" not in message
    assert "--model threads" in message


@pytest.mark.parametrize(("contexts", "named"), [(4, False), (20, True)])
def test_tls_contexts_that_took_much_time_are_named(
    tmp_path: Path, contexts: int, named: bool
) -> None:
    host = {"cpus": 2, "tls_context_seconds": 0.02}
    kept = {"tls_contexts": contexts, "opened": contexts}
    message = found(disturbed(tmp_path, kept=kept, host=host))
    said = "Building 20 TLS contexts took about 40 % of the load generator's time (see the finding"
    assert (said in message["generator_bound"].message) is named
    assert ("TLS context" in message["generator_lag"].message) is named


def too_short(folder: Path, *programs: dict[str, object], opened: int = 0) -> str:
    """The message about a run that measured less than a second of five."""
    load = {**header()["load"], "duration": 5.0}
    before = interval(period="warmup", counters={"opened": opened})
    part = interval(1, length=SECOND // 2, counters={"requests": 9})
    path = run(folder, [before, part], load=load).path
    add_to_footer(path, programs=list(programs))
    return found(read_run(path))["measured_too_little"].message


def test_a_run_that_measured_too_little_names_other_programs(tmp_path: Path) -> None:
    assert too_short(tmp_path, *MORE_PROGRAMS).endswith(
        "Other programs used 55 % of the processors: gzip 43 % and cc1 12 %. Stop them, or use an "
        "idle machine. Or measure for longer."
    )


@pytest.mark.parametrize(
    ("opened", "cause"), [(0, "another program"), (300, "opening 300 connections")]
)
def test_connections_are_a_cause_only_if_some_were_opened(
    tmp_path: Path, opened: int, cause: str
) -> None:
    said = f"Blocking code, or {cause}, took the rest of the time. Remove the cause."
    assert said in too_short(tmp_path, opened=opened)


@pytest.mark.parametrize(("cpu", "left_out"), [(SECOND // 4, False), (SECOND, True)])
def test_findings_about_times_are_left_out_if_the_generator_was_at_fault(
    tmp_path: Path, cpu: int, left_out: bool
) -> None:
    counters = {"requests": 9, "checkouts": 9, "cpu": cpu}
    parts = [interval(counters=counters, wait=[5] * 9, gauges={"open": 2})]
    (pool,) = summarize_runs([run(tmp_path, parts, "40+0")]).pools
    codes = {one.code for one in pool.findings}
    assert ("few_samples" in codes) is not left_out
    assert "never_needed" in codes


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
