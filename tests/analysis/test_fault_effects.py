"""What faults did to a pool, read from runs made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from loadtest.analysis.summarize import summarize_runs
from loadtest.model.fault_effect import FaultEffect
from loadtest.model.interval import Interval
from loadtest.model.summary import Summary
from loadtest.report.fault_rows import FAULT_HEADINGS, fault_rows
from loadtest.runfile.footer import add_to_footer
from loadtest.runfile.reader import Run, read_run
from tests.analysis.builders import SECOND, START, header, interval, run
from tests.report.pages import figureless

RESTART = {"kind": "restart", "at": 4.0, "length": 1.0}
KILL = {"kind": "kill", "at": 8.0, "share": 0.5}
# Successes and failures of each second, the first three of which are calm.
CALM = [(100, 0)] * 3


def seconds(counts: Sequence[tuple[int, int]], **more: Any) -> list[Interval]:
    """A warm-up second, then measured ones."""
    parts = [interval(0, period="warmup", counters={"requests": 1})]
    for number, (successes, failures) in enumerate(counts, start=1):
        counters = {"requests": successes + failures, "failures": failures}
        counters["errors.refused"] = failures
        part = interval(number, counters=counters, **more)
        part.first_failure = (START + number) * SECOND + SECOND // 4 if failures else 0
        parts.append(part)
    return parts


def broken(
    folder: Path,
    counts: Sequence[tuple[int, int]],
    *spans: tuple[float, float],
    faults: Sequence[dict[str, Any]] = (RESTART,),
    round_: int = 1,
    **more: Any,
) -> Run:
    """A run in which faults really began and ended at these seconds after its start."""
    load = {**header()["load"], "faults": list(faults)}
    made = run(folder, seconds(counts, **more), round_=round_, load=load)
    told = [{"fault": "x", "begin": START + begin, "end": START + end} for begin, end in spans]
    add_to_footer(made.path, faults=told)
    return read_run(made.path)


def effect(*runs: Run) -> FaultEffect:
    (only,) = summarize_runs(runs).pools[0].faults
    return only


def test_the_first_error_and_the_recovery_are_told(tmp_path: Path) -> None:
    counts = [*CALM, (60, 9), (0, 30), (50, 2), (89, 0), (90, 0), (100, 0)]
    found = effect(broken(tmp_path, counts, (4.2, 6.3)))
    assert found.fault == "restart@4s+1s"
    assert (found.begin, found.rounds) == (4, 1)
    assert found.lasted_seconds == pytest.approx(2.1)
    assert found.first_error_seconds == pytest.approx(0.05)
    assert (found.errors, found.by_kind) == (41, {"refused": 41})
    # The seventh second did 89 % of what was done before, the eighth 90 %.
    assert found.recovery_seconds == pytest.approx(8 - 6.3)
    assert found.recovered == 1


def test_what_nobody_noticed_needed_no_recovery(tmp_path: Path) -> None:
    found = effect(broken(tmp_path, [(100, 0)] * 8, (4.2, 4.2)))
    assert (found.errors, found.first_error_seconds, found.recovery_seconds) == (0, None, 0)


def test_a_stall_without_errors_is_noticed(tmp_path: Path) -> None:
    found = effect(broken(tmp_path, [*CALM, (50, 0), (0, 0), (100, 0)], (4.5, 5.6)))
    assert found.first_error_seconds is None
    assert found.recovery_seconds == pytest.approx(0.4)


def test_a_second_with_an_error_is_no_recovery(tmp_path: Path) -> None:
    found = effect(broken(tmp_path, [*CALM, (0, 9), (100, 1), (100, 1)], (4.0, 4.5)))
    assert (found.recovered, found.recovery_seconds) == (0, None)


def test_rounds_are_taken_together_and_one_that_did_not_recover_is_told(tmp_path: Path) -> None:
    well = broken(tmp_path, [*CALM, (9, 1), (100, 0), (100, 0)], (4.0, 4.5))
    ill = broken(tmp_path, [*CALM, (9, 2), (9, 3)], (4.1, 4.6), round_=2)
    found = effect(well, ill)
    assert (found.rounds, found.recovered, found.recovery_seconds) == (2, 1, None)
    assert found.errors == 6
    assert found.first_error_seconds == pytest.approx((0.25 + 0.15) / 2)


def test_errors_of_the_next_fault_are_its_own(tmp_path: Path) -> None:
    counts = [*CALM, (0, 5), (100, 0), (100, 0), (100, 0), (0, 7), (100, 0)]
    made = broken(tmp_path, counts, (4.0, 4.5), (8.0, 8.0), faults=[RESTART, KILL])
    first, second = summarize_runs([made]).pools[0].faults
    assert (first.errors, second.errors) == (5, 7)
    assert second.fault == "kill:50%@8s"
    # What was done before is measured before the first of them.
    assert second.recovery_seconds == pytest.approx(1)


def test_checkouts_beyond_pool_timeout_are_counted(tmp_path: Path) -> None:
    made = broken(
        tmp_path, [*CALM, (1, 0)], (4.0, 4.5), checkout=[10, 29_000, 31_000], unfinished=[40_000]
    )
    assert effect(made).beyond_pool_timeout == 2


def test_sums_that_the_scenario_checked_stand_beside_the_one_fault(tmp_path: Path) -> None:
    parts = [*seconds([*CALM, (9, 0)]), interval(9, period="drain")]
    parts[-1].counters.update({"sums.checked": 500, "sums.lost": 2, "sums.doubled": 1})
    load = {**header()["load"], "faults": [RESTART]}
    found = effect(run(tmp_path, parts, load=load))
    assert (found.checked, found.lost, found.doubled) == (500, 2, 1)
    twice = run(tmp_path, parts, round_=2, load={**load, "faults": [RESTART, KILL]})
    for one in summarize_runs([twice]).pools[0].faults:
        assert (one.checked, one.lost, one.doubled) == (None, None, None)


def test_without_a_word_of_it_a_fault_came_as_it_was_planned(tmp_path: Path) -> None:
    load = {**header()["load"], "faults": [{**RESTART, "at": 3.0}]}
    made = run(tmp_path, seconds([*CALM, (0, 9), (9, 9), (100, 0)]), load=load)
    found = effect(made)
    assert (found.lasted_seconds, found.errors, found.recovery_seconds) == (1, 18, 1)


def test_a_fault_that_never_came_did_nothing(tmp_path: Path) -> None:
    load = {**header()["load"], "faults": [RESTART]}
    made = run(tmp_path, seconds(CALM), load=load)
    add_to_footer(made.path, faults=[{"fault": "restart@4s+1s"}])
    summary = summarize_runs([read_run(made.path)])
    assert summary.pools[0].faults[0].rounds == 0
    assert fault_rows(summary)[0][5] == "–"


def test_without_a_time_before_it_nobody_knows_when_a_pool_has_recovered(tmp_path: Path) -> None:
    early = {**RESTART, "at": 0.5}
    made = broken(tmp_path, [(0, 9), (100, 0), (100, 0)], (1.5, 1.9), faults=[early])
    summary = summarize_runs([made])
    (found,) = summary.pools[0].faults
    assert (found.errors, found.recovered, found.recovery_seconds) == (9, None, None)
    assert fault_rows(summary)[0][5] == "–"


def test_what_lasts_for_the_whole_run_has_no_row(tmp_path: Path) -> None:
    slow = {"kind": "latency", "at": 0.0, "delay": 0.01}
    made = run(tmp_path, seconds(CALM), load={**header()["load"], "faults": [slow]})
    summary = summarize_runs([made])
    assert summary.pools[0].faults == ()
    assert fault_rows(summary) == []


def test_a_fault_that_could_not_be_provoked_is_a_finding(tmp_path: Path) -> None:
    load = {**header()["load"], "faults": [KILL]}
    made = run(tmp_path, seconds(CALM), load=load)
    told = {"fault": "kill", "begin": START + 4, "end": START + 4, "problem": "no rights"}
    add_to_footer(made.path, faults=[told])
    found = summarize_runs([read_run(made.path)]).pools[0].findings
    (failed,) = [finding for finding in found if finding.code == "fault_failed"]
    assert failed.message == "kill:50%@8s did not go as planned in 1 of 1 runs: no rights"


def _shown(folder: Path) -> Summary:
    broken(folder, [*CALM, (0, 9), (100, 0), (100, 0)], (4.0, 4.5))
    return figureless(folder, out=folder)


def test_the_report_has_a_row_for_each_pool_in_each_fault(tmp_path: Path) -> None:
    (row,) = fault_rows(_shown(tmp_path))
    assert len(row) == len(FAULT_HEADINGS)
    assert row[:6] == ("restart@4s+1s", "20+0", "500 ms", "250 ms", "9", "500 ms")
    page = (tmp_path / "report.html").read_text()
    assert ">Fault by fault</h2>" in page
    assert '<th scope="row">restart@4s+1s</th><td class="text">20+0</td>' in page


def test_killed_connections_are_counted_over_the_rounds(tmp_path: Path) -> None:
    rounds = [broken(tmp_path, CALM, (2, 2), faults=[KILL], round_=number) for number in (1, 2)]
    for made, killed in zip(rounds, (3, 4), strict=True):
        told = {"fault": "kill", "begin": START + 2, "end": START + 2, "killed": killed}
        add_to_footer(made.path, faults=[told])
    assert effect(*(read_run(made.path) for made in rounds)).killed == 7
    assert effect(broken(tmp_path, CALM, (2, 2))).killed is None
