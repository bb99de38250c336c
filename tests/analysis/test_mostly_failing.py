"""Pools of which most requests failed: what is said first, and that the generator is not blamed."""

from dataclasses import replace
from pathlib import Path

import pytest

from loadtest.analysis.comparison.verdict import verdict_exit_code
from loadtest.analysis.findings.trust_gate import DISTURBANCES
from loadtest.analysis.summarize import summarize_runs
from loadtest.runfile.reader import Run
from tests.analysis.builders import SECOND, header, interval, run, steady

WORDS = "(1020, \"Record has changed since last read in table 'article'\")"
FIVE = (1, 2, 3, 4, 5)


def _failing(
    folder: Path,
    pool: str,
    failures: int,
    *,
    cpu: float = 0.4,
    lag: int = 0,
    rounds: tuple[int, ...] = FIVE,
    requests: int = 1000,
    **more: object,
) -> list[Run]:
    """Runs of a pool, some of whose requests fail with write conflicts."""
    counters = {
        "requests": requests,
        "failures": failures,
        "errors.write_conflict": failures,
        "checkouts": requests,
        "cpu": int(cpu * SECOND),
    }
    gauges = {"open": 20, "in_use": 20}
    one = interval(
        counters=counters, gauges=gauges, request=[20] * 600, wait=[10] * 600, generator_lag=[lag]
    )
    part = replace(one, examples={"write_conflict": WORDS} if failures else {})
    return [run(folder, [part], pool, number, **more) for number in rounds]


@pytest.mark.parametrize(("cpu", "lag"), [(0.95, 0), (0.4, 30)])
def test_an_overloaded_generator_is_not_blamed_where_most_requests_failed(
    tmp_path: Path, cpu: float, lag: int
) -> None:
    (pool,) = summarize_runs(_failing(tmp_path, "20+0", 940, cpu=cpu, lag=lag)).pools

    assert not pool.valid  # its times are the generator's all the same
    first = pool.findings[0]
    assert (first.code, first.severity) == ("most_failed", "error")
    assert first.message.startswith(
        f"94 % of requests failed (4,700 of 5,000), most with write conflicts: {WORDS}. "
        "Another transaction changed the row"
    )
    assert "Times and throughput do not describe the pool" in first.message
    assert first.evidence["kind"] == "write_conflict"
    assert first.evidence["lag_mean"] == pytest.approx(lag / 1000, rel=0.01)
    assert not {finding.code for finding in pool.findings} & set(DISTURBANCES)


@pytest.mark.parametrize("failures", [0, 20, 500])
def test_an_overloaded_generator_is_blamed_where_at_least_half_succeeded(
    tmp_path: Path, failures: int
) -> None:
    (pool,) = summarize_runs(_failing(tmp_path, "20+0", failures, cpu=0.95, lag=30)).pools

    assert not pool.valid
    assert [finding.code for finding in pool.findings[:2]] == list(DISTURBANCES)
    assert "most_failed" not in {finding.code for finding in pool.findings}


def test_with_an_idle_generator_a_pool_that_fails_is_valid_and_says_so_first(
    tmp_path: Path,
) -> None:
    (pool,) = summarize_runs(_failing(tmp_path, "20+0", 501)).pools

    assert pool.valid
    assert pool.findings[0].code == "most_failed"
    assert "load generator" not in pool.findings[0].message


def test_in_a_drill_failed_requests_are_what_was_asked_for(tmp_path: Path) -> None:
    load = {**header()["load"], "faults": [{"kind": "restart", "at": 1.0}]}
    runs = [
        *_failing(tmp_path, "5+10", 600, load=load, started=1),
        *_failing(tmp_path, "20+0", 900, load=load, started=2),
    ]
    summary = summarize_runs(runs)
    assert summary.verdict.recommended == "5+10"
    assert not [f for pool in summary.pools for f in pool.findings if f.code == "most_failed"]


def test_the_advice_about_a_kind_is_given_once(tmp_path: Path) -> None:
    counters = {"requests": 100, "failures": 80, "errors.deadlock": 60, "errors.disk_full": 20}
    (pool,) = summarize_runs([run(tmp_path, [interval(counters=counters)])]).pools
    told = {finding.code: finding.message for finding in pool.findings}

    assert "in different order" in told["most_failed"]
    assert told["errors_deadlock"] == "60 % of requests failed with deadlocks (60 of 100)."
    assert "The server could not store" in told["errors_disk_full"]


def test_where_every_pool_fails_the_verdict_is_the_error(tmp_path: Path) -> None:
    runs = [
        *_failing(tmp_path, "5+10", 540, lag=30, started=1),
        *_failing(tmp_path, "20+0", 940, lag=30, started=2),
    ]
    summary = summarize_runs(runs)
    head, advice, *rest = summary.verdict.text.splitlines()

    assert summary.verdict.recommended is None
    assert head == (
        "Nothing can be recommended: most requests failed with every pool (54 % with 5+10 and "
        f"94 % with 20+0), most with write conflicts: {WORDS}."
    )
    assert "lock the row with the first read (with_for_update())" in advice
    assert rest == []
    assert verdict_exit_code(summary) == 4


def test_a_pool_alone_that_fails_has_the_error_as_its_verdict(tmp_path: Path) -> None:
    experiment = {"objective": "errors.rate <= 1%"}
    summary = summarize_runs(_failing(tmp_path, "20+0", 940), experiment)
    head, _, *rest = summary.verdict.text.splitlines()

    assert head == (
        "94 % of 5,000 requests failed with 20+0 (pool_size=20, max_overflow=0), most with write "
        f"conflicts: {WORDS}."
    )
    assert "errors.rate" in rest[0]
    assert verdict_exit_code(summary) == 3


@pytest.mark.parametrize("lag", [0, 30])
def test_a_pool_that_fails_is_never_recommended_however_much_it_does(
    tmp_path: Path, lag: int
) -> None:
    runs = [
        *steady(tmp_path, "5+10", [300, 303, 297, 301, 299], peak=15, started=1),
        *_failing(tmp_path, "20+0", 600, lag=lag, started=2),
        *steady(tmp_path, "40+0", [310, 313, 307, 311, 309], peak=40, started=3),
    ]
    verdict = summarize_runs(runs).verdict

    assert verdict.recommended == "5+10"
    said = "20+0 is not recommended: 60 % of its requests failed, most with write conflicts."
    assert said in verdict.text.splitlines()
    assert "20+0 is left out" not in verdict.text


def test_of_two_pools_the_one_that_works_is_recommended(tmp_path: Path) -> None:
    runs = [
        *steady(tmp_path, "5+10", [300, 303, 297, 301, 299], peak=15, started=1),
        *_failing(tmp_path, "20+0", 900, started=2),
    ]
    summary = summarize_runs(runs)

    assert summary.verdict.recommended == "5+10"
    assert "90 % of its requests failed, most with write conflicts" in summary.verdict.text
    assert verdict_exit_code(summary) == 0


def test_pools_that_fail_are_told_of_also_where_nothing_can_be_decided(tmp_path: Path) -> None:
    runs = [
        *_failing(tmp_path, "5+10", 100, rounds=(1, 2), started=1),
        *_failing(tmp_path, "20+0", 900, rounds=(1, 2), started=2),
    ]
    assert summarize_runs(runs).verdict.text.splitlines()[-1] == (
        "20+0 is not recommended: 90 % of its requests failed, most with write conflicts."
    )


def test_beside_pools_that_were_not_measured_properly_a_failing_one_is_no_answer(
    tmp_path: Path,
) -> None:
    runs = [
        *_failing(tmp_path, "5+10", 10, cpu=0.97, started=1),
        *_failing(tmp_path, "20+0", 900, started=2),
    ]
    summary = summarize_runs(runs)

    assert summary.verdict.recommended is None
    assert "5+10 is left out: the measurement is not valid" in summary.verdict.text
    assert "90 % failed" in summary.verdict.text
