"""What readers are told about the runs of a pool."""

from pathlib import Path

import pytest

from loadtest.analysis.findings.trust_gate import DISTURBANCES
from loadtest.analysis.pool_runs import gather
from loadtest.analysis.summarize import summarize_pool, summarize_runs
from loadtest.model.interval import Gauge, Interval
from loadtest.model.summary import Finding, PoolSummary
from loadtest.model.task_use import TaskUse
from loadtest.runfile.reader import Run
from tests.analysis.builders import SECOND, interval, run, steady


def _summary(*runs: Run) -> PoolSummary:
    return summarize_pool(gather(runs).pools[0])


def _found(*runs: Run) -> dict[str, Finding]:
    return {finding.code: finding for finding in _summary(*runs).findings}


def test_an_ordinary_run_has_nothing_to_tell(tmp_path: Path) -> None:
    pool = _summary(*steady(tmp_path, "20+0", [700, 705]))
    assert pool.findings == ()
    assert pool.valid


@pytest.mark.parametrize(("busy", "valid"), [(1, True), (2, False)])
def test_a_busy_generator_makes_a_pool_invalid_in_more_than_a_fifth_of_the_time(
    tmp_path: Path, busy: int, valid: bool
) -> None:
    parts = [
        interval(second, counters={"requests": 9, "cpu": int(SECOND * (0.9 if hot else 0.89))})
        for second, hot in enumerate([True] * busy + [False] * (5 - busy))
    ]
    pool = _summary(run(tmp_path, parts))
    assert pool.valid == valid
    assert [finding.code for finding in pool.findings] == ([] if valid else ["generator_bound"])


def test_of_several_rounds_the_one_that_was_disturbed_is_named(tmp_path: Path) -> None:
    def round_(number: int, lag: int, cpu: int) -> Run:
        counters = {"requests": 100, "cpu": cpu}
        part = interval(counters=counters, generator_lag=[lag] * 100, request=[20] * 100)
        return run(tmp_path, [part], round_=number)

    runs = [round_(1, 0, SECOND // 2), round_(2, 30, SECOND), round_(3, 0, SECOND // 2)]
    found = {finding.code: finding for finding in summarize_runs(runs).pools[0].findings}
    for code in DISTURBANCES:
        assert found[code].evidence["rounds"] == ["20+0-2.jsonl"]
        assert "(too much in round 2)" in found[code].message
    all_alike = [round_(number, 30, SECOND) for number in (1, 2, 3)]
    found = {finding.code: finding for finding in summarize_runs(all_alike).pools[0].findings}
    for code in DISTURBANCES:
        assert found[code].evidence["rounds"] == []
        assert "too much" not in found[code].message


def test_the_saturated_one_of_two_processes_is_enough(tmp_path: Path) -> None:
    parts = [
        interval(0, process="a", counters={"requests": 9, "cpu": SECOND}),
        interval(0, process="b", counters={"requests": 9}),
    ]
    finding = _found(run(tmp_path, parts))["generator_bound"]
    assert finding.evidence["share"] == 1.0


def test_a_run_in_which_nothing_ended_is_not_valid(tmp_path: Path) -> None:
    pool = _summary(run(tmp_path, [interval(unfinished=[900] * 1000)]))
    assert pool.findings[0].code == "nothing_ended"
    assert not pool.valid


def test_a_run_that_never_measured_is_not_valid(tmp_path: Path) -> None:
    pool = _summary(run(tmp_path, [interval(period="warmup")], reason=None))
    assert [finding.code for finding in pool.findings] == ["nothing_measured", "unsound_file"]
    assert not pool.valid


@pytest.mark.parametrize(
    ("seconds", "planned", "reason", "valid"),
    [
        (0.8, 5.0, "finished", False),
        (3.9, 5.0, "finished", False),
        (4.0, 5.0, "finished", True),
        (1.0, 2.0, "finished", True),
        (0.9, 2.0, "finished", False),
        (23.9, 30.0, "finished", False),
        (24.0, 30.0, "finished", True),
        (0.8, None, "finished", True),
        (0.8, 5.0, "stopped", True),
        (0.8, 5.0, "interrupted", True),
        (0.8, 5.0, "enough: it is clear", True),
        (0.8, 5.0, None, True),
    ],
)
def test_a_run_that_ended_as_planned_but_measured_much_less_is_not_valid(
    tmp_path: Path, seconds: float, planned: float | None, reason: str | None, valid: bool
) -> None:
    part = interval(length=int(seconds * SECOND), counters={"requests": 5})
    load = {"users": 3, "duration": planned}
    pool = _summary(run(tmp_path, [part], load=load, reason=reason))
    assert pool.valid == valid
    codes = [finding.code for finding in pool.findings]
    assert ("measured_too_little" in codes) == (not valid)


def test_a_run_that_measured_much_less_says_how_much(tmp_path: Path) -> None:
    part = interval(length=8 * SECOND // 10, counters={"requests": 5})
    one = run(tmp_path, [part], load={"users": 3, "duration": 5.0})
    finding = _found(one)["measured_too_little"]
    assert finding.message.startswith("20+0-1.jsonl measured 800 ms of the planned 5.00 s. ")
    measured = {"file": "20+0-1.jsonl", "seconds": 0.8, "planned": 5.0}
    assert finding.evidence == {**measured, "programs": {}, "loop": {}}


@pytest.mark.parametrize(("model", "threads"), [("greenlets", True), ("threads", False)])
def test_a_run_that_was_ended_at_its_deadline_is_not_valid(
    tmp_path: Path, model: str, threads: bool
) -> None:
    reason = "ended at its deadline, 80 s after its load began: it was at shop.py:5, in buy"
    parts = [interval(second, counters={"requests": 5}) for second in range(5)]
    load = {"users": 3, "duration": 5.0, "model": model}
    pool = _summary(run(tmp_path, parts, reason=reason, load=load))
    (finding,) = pool.findings
    assert not pool.valid
    assert finding.code == "missed_deadline"
    assert finding.message.startswith(f"20+0-1.jsonl was {reason}. ")
    assert ("--model threads" in finding.message) is threads


def test_a_pool_that_only_fails_is_a_valid_measurement(tmp_path: Path) -> None:
    parts = [interval(counters={"requests": 5, "failures": 5, "errors.refused": 5})]
    pool = _summary(run(tmp_path, parts))
    assert pool.valid
    assert pool.errors.rate == 1.0


@pytest.mark.parametrize("reason", [None, "interrupted", "failed: the database went away"])
def test_runs_that_ended_badly_are_named(tmp_path: Path, reason: str | None) -> None:
    one = run(tmp_path, [interval(counters={"requests": 5})], reason=reason)
    finding = _found(one)["unsound_file"]
    assert finding.evidence["file"] == "20+0-1.jsonl"
    assert (reason or "no footer") in finding.message


@pytest.mark.parametrize("reason", ["finished", "stopped"])
def test_runs_that_ended_well_are_not(tmp_path: Path, reason: str) -> None:
    assert not _found(run(tmp_path, [interval(counters={"requests": 5})], reason=reason))


def test_kinds_of_errors_are_told_from_one_in_a_hundred_on(tmp_path: Path) -> None:
    counters = {
        "requests": 1000,
        "failures": 160,
        "errors.deadlock": 10,
        "errors.pool_timeout": 20,
        "errors.refused": 130,
    }
    found = _found(run(tmp_path, [interval(counters=counters)]))
    assert {code: finding.severity for code, finding in found.items()} == {
        "errors_pool_timeout": "warning",
        "errors_refused": "error",
    }
    assert found["errors_pool_timeout"].message.startswith(
        "2.0 % of requests failed with pool timeouts (20 of 1,000). "
    )
    assert found["errors_refused"].evidence == {"count": 130, "requests": 1000}


def test_connections_opened_again_and_again_are_churn(tmp_path: Path) -> None:
    counters = {"requests": 900, "opened": 460, "closed.overflow": 455}
    gauges = {"open": 15}
    found = _found(run(tmp_path, [interval(counters=counters, gauges=gauges)], "5+10"))
    assert found["overflow_churn"].message.startswith(
        "The pool opened 460 connections, 460 per second, but had at most 15 at once"
    )
    recycled = {"requests": 900, "opened": 460, "closed.recycle": 455}
    assert not _found(run(tmp_path, [interval(counters=recycled, gauges=gauges)], "5+10"))


def _burst(opened: int, *, idle: int, connect: int = 150) -> Interval:
    """A second with 60 checkouts of 2 ms and ten connections, some of them idle before."""
    counters = {"requests": 60, "checkouts": 60, "checkouts.overflow": opened, "opened": opened}
    one = interval(counters=counters, hold=[2] * 60, connect=[connect] * opened)
    one.gauges["open"] = Gauge(10 * SECOND, 10, 10 + opened, 10)
    one.gauges["in_use"] = Gauge(10 * SECOND, 10 - idle, 10 + opened, 10)
    return one


def test_overflow_that_idle_connections_would_have_outrun_is_opened_in_vain(tmp_path: Path) -> None:
    evidence = _found(run(tmp_path, [_burst(40, idle=5)]))["opened_in_vain"].evidence
    assert (evidence["opened"], evidence["needed"]) == (40, 5)
    assert evidence["served_in"] == pytest.approx(60 * 0.002 / 5, rel=0.01)


def test_connections_that_are_lost_or_busy_would_not_have_served_a_burst(tmp_path: Path) -> None:
    assert "opened_in_vain" not in _found(run(tmp_path, [_burst(40, idle=0)]))


def test_overflow_of_which_most_was_needed_is_not_in_vain(tmp_path: Path) -> None:
    needed = _burst(40, idle=1, connect=20)  # the one that was idle would have taken 120 ms
    found = _found(run(tmp_path, [_burst(30, idle=5), needed]))
    assert "opened_in_vain" not in found


@pytest.mark.parametrize(("kept", "bound"), [(0, True), (14, False)])
def test_a_pool_that_was_lost_to_a_leak_is_not_said_to_be_too_small(
    tmp_path: Path, kept: int, bound: bool
) -> None:
    gauges = {"open": 15, "in_use": 15, "waiting": 18}
    one = interval(counters={"requests": 60, "checkouts": 60}, gauges=gauges)
    one.tasks["pay"] = TaskUse(holds=60, kept=kept)
    server = interval(process="server", counters={"row_lock_time": 0, "cpu": 1})
    findings = _found(run(tmp_path, [one, server], "5+10"))
    assert ("pool_bound" in findings) == bound


@pytest.mark.parametrize(
    ("reason", "cure"),
    [("invalidated", "wait_timeout"), ("recycle", "pool_recycle"), ("overflow", "pool_size")],
)
def test_how_to_keep_connections_open_depends_on_why_they_were_closed(
    tmp_path: Path, reason: str, cure: str
) -> None:
    counters = {"requests": 60, "opened": 60, f"closed.{reason}": 59}
    one = interval(counters=counters, gauges={"open": 10}, connect=[9] * 60, request=[12] * 60)
    assert cure in _found(run(tmp_path, [one], "10+10"))["connect_bound"].message


def test_connections_that_were_never_needed_are_told(tmp_path: Path) -> None:
    parts = [interval(counters={"requests": 9}, gauges={"open": 300})]
    assert _found(run(tmp_path, parts, "3000+inf"))["never_needed"].evidence == {
        "allowed": 3000,
        "peak": 300,
    }
    assert not _found(run(tmp_path, parts, "200+200"))
    assert not _found(run(tmp_path, parts, "100+inf"))
    assert not _found(run(tmp_path, parts, "poolclass=NullPool"))
    parts[0].counters["checkout_errors"] = 1  # more may have been needed
    assert "never_needed" not in _found(run(tmp_path, parts, "3000+inf"))


@pytest.mark.parametrize(
    ("checked_out", "in_use", "held", "found"),
    [
        # The pool's count, read once a second, is below what was in use on average.
        ((4, 4, 4), (12, 4), 12_000, False),
        # NullPool counts nothing.
        ((0, 0, 0), (20, 20), 20_000, False),
        # Taken past the measuring, or before it.
        ((10, 10, 10), (5, 5), 5_000, True),
        # Measured, but not given back.
        ((10, 10, 10), (10, 10), 0, True),
    ],
)
def test_connections_that_the_pool_counts_are_compared_with_holds_that_ended(
    tmp_path: Path,
    checked_out: tuple[int, ...],
    in_use: tuple[int, int],
    held: int,
    found: bool,
) -> None:
    mean, last = in_use
    parts = [
        interval(second, counters={"requests": 9}, gauges={"checked_out": level}, hold=[held])
        for second, level in enumerate(checked_out)
    ]
    for part in parts:
        part.gauges["in_use"] = Gauge(mean * SECOND, 0, 2 * mean, last)
    assert ("connections_unaccounted" in _found(run(tmp_path, parts))) == found


def test_findings_are_part_of_the_summary(tmp_path: Path) -> None:
    summary = summarize_runs([run(tmp_path, [interval(counters={"requests": 5})], reason=None)])
    assert summary.to_json()["pools"][0]["findings"] == [
        {
            "code": "unsound_file",
            "severity": "warning",
            "message": "20+0-1.jsonl: interrupted: the file has no footer",
            "evidence": {
                "file": "20+0-1.jsonl",
                "problem": "interrupted: the file has no footer",
            },
        }
    ]


@pytest.mark.parametrize(
    ("lag", "request_time", "code", "valid"),
    [
        (3, 20, "generator_lag", False),
        (3, 40, None, True),
        (1, 5, "short_requests", True),
        (1, 20, None, True),
    ],
)
def test_a_late_event_loop_is_told_by_how_much_of_a_request_it_is(
    tmp_path: Path, lag: int, request_time: int, code: str | None, valid: bool
) -> None:
    parts = [
        interval(
            counters={"requests": 1000}, generator_lag=[lag] * 100, request=[request_time] * 1000
        )
    ]
    pool = _summary(run(tmp_path, parts))
    codes = {finding.code for finding in pool.findings} & {"generator_lag", "short_requests"}
    assert codes == ({code} if code else set())
    assert pool.valid == valid
