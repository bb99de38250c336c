"""Summaries of runs made by hand."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs
from scipy import stats

from loadtest.analysis.pool_runs import gather
from loadtest.analysis.summarize import summarize_runs
from loadtest.model.errors import UsageError
from loadtest.model.pool import PoolSettings
from loadtest.runfile.reader import Run
from tests.analysis.builders import SECOND, interval, run, steady


def test_counts_are_added_and_times_pooled_over_seconds_and_rounds(tmp_path: Path) -> None:
    seconds = [
        interval(
            0,
            counters={"requests": 99, "checkouts": 99, "opened": 50, "timeouts": 9},
            period="warmup",
            wait=[500],
        ),
        interval(
            1,
            counters={
                "requests": 10,
                "failures": 2,
                "errors.deadlock": 2,
                "checkouts": 10,
                "timeouts": 1,
                "opened": 3,
                "closed.overflow": 2,
                "closed.recycle": 1,
                "retries": 3,
                "retries.deadlock": 1,
                "retries.pool_timeout": 2,
                "abandoned": 1,
                "cpu": SECOND // 4,
            },
            gauges={"open": 5, "overflow": 1, "waiting": 7},
            wait=[10, 20],
            checkout=[10, 20],
            hold=[4],
            request=[30, 50],
            generator_lag=[1],
        ),
        interval(
            2,
            counters={"requests": 30, "checkouts": 30, "cpu": 3 * SECOND // 4},
            gauges={"open": 6, "overflow": 2, "waiting": 4},
            wait=[30],
            checkout=[30],
            hold=[8],
        ),
        interval(3, counters={"requests": 77}, period="drain", wait=[900]),
    ]
    summary = summarize_runs([run(tmp_path, seconds), run(tmp_path, seconds, round_=2)])
    pool = summary.pool("20+0")
    assert (pool.rounds, pool.seconds) == (2, 4.0)
    assert pool.throughput.per_second == 19.0  # (8 + 30) / 2 s
    assert pool.throughput.ci95 == (19.0, 19.0)
    assert (pool.checkout.count, pool.checkout.timeouts, pool.checkout.unfinished) == (80, 2, 0)
    assert pool.checkout.wait_seconds.mean == 0.02
    assert pool.checkout.wait_seconds.max == 0.03
    assert pool.checkout.connect_seconds.p50 is None
    assert pool.hold_seconds.mean == 0.006
    assert pool.request_seconds.mean == 0.04
    assert pool.connections.model_dump() == {
        "allowed": 20,
        "peak": 6,
        "overflow_peak": 2,
        "waiting_peak": 7,
        "opened": 6,
        "closed": 6,
    }
    assert pool.errors.rate == 0.05
    assert pool.errors.by_kind == {"deadlock": 4}
    assert pool.retries.count == 6
    assert list(pool.retries.by_kind.items()) == [("pool_timeout", 4), ("deadlock", 2)]
    assert pool.abandoned == 2
    assert pool.generator.cpu == 0.5
    assert pool.generator.lag_p99_seconds == pytest.approx(0.001, rel=0.01)
    assert pool.valid


def test_the_interval_of_the_throughput_is_students_over_the_rounds(tmp_path: Path) -> None:
    pool = summarize_runs(steady(tmp_path, "20+0", [640, 655, 646, 660, 650])).pool("20+0")
    t = stats.ttest_1samp([640, 655, 646, 660, 650], 0).confidence_interval(0.95)
    assert pool.throughput.per_second == pytest.approx(650.2)
    assert pool.throughput.ci95 == pytest.approx((t.low, t.high))


def test_one_round_has_no_interval(tmp_path: Path) -> None:
    assert summarize_runs(steady(tmp_path, "20+0", [640])).pool("20+0").throughput.ci95 is None


def test_processes_stand_side_by_side(tmp_path: Path) -> None:
    """Two processes in the same two seconds: work and connections add up, time does not."""
    parts = [
        interval(second, process=process, counters={"requests": 50, "cpu": cpu}, gauges={"open": n})
        for second, n in ((0, 4), (1, 5))
        for process, cpu in (("a", SECOND // 2), ("b", SECOND // 10))
    ]
    pool = summarize_runs([run(tmp_path, parts)]).pool("20+0")
    assert pool.seconds == 2.0
    assert pool.throughput.per_second == 100.0
    assert pool.connections.peak == 10
    assert pool.generator.cpu == 0.5


def test_a_second_cut_by_the_warm_up_counts_its_measured_part(tmp_path: Path) -> None:
    parts = [
        interval(0, period="warmup", length=SECOND // 4, counters={"requests": 1000}),
        interval(0, length=3 * SECOND // 4, counters={"requests": 75}),
        interval(1, counters={"requests": 100}),
    ]
    assert summarize_runs([run(tmp_path, parts)]).pool("20+0").throughput.per_second == 100.0


def test_waits_that_never_end_are_counted(tmp_path: Path) -> None:
    """Only those of the last measured second are unfinished; earlier ones ended or grew older."""
    parts = [
        interval(0, counters={"requests": 50}, wait=[2] * 50, unfinished=[900] * 50),
        interval(1, counters={"requests": 50}, wait=[2] * 50, unfinished=[1900] * 50),
        interval(2, period="drain", unfinished=[2900] * 50),
    ]
    pool = summarize_runs([run(tmp_path, parts)]).pool("20+0")
    assert pool.checkout.unfinished == 50
    assert pool.checkout.wait_seconds.p95 == 1.9
    assert "p95" in pool.checkout.wait_seconds.at_least
    assert "p50" not in pool.checkout.wait_seconds.at_least


def test_waits_that_last_from_the_warm_up_to_the_end_are_counted(tmp_path: Path) -> None:
    """Some users are served at once again and again, fifty others never."""
    parts = [
        interval(0, period="warmup", unfinished=[900] * 50),
        interval(1, counters={"requests": 50}, wait=[2] * 50, unfinished=[1900] * 50),
        interval(2, counters={"requests": 50}, wait=[2] * 50, unfinished=[2900] * 50),
    ]
    asked = {"objective": "checkout.wait_seconds.p95 <= 50ms"}
    (pool,) = summarize_runs([run(tmp_path, parts)], asked).pools
    waits = pool.checkout.wait_seconds
    assert waits.p95 == pytest.approx(0.002, rel=0.01)
    assert waits.at_least == ("p90", "p95", "p99", "p999", "max", "mean")
    assert pool.objectives[0].met is None


def test_waits_that_began_before_and_ended_bound_nothing(tmp_path: Path) -> None:
    parts = [
        interval(0, period="warmup", unfinished=[900] * 50),
        interval(1, counters={"requests": 50}, wait=[1900] * 50, unfinished=[900] * 50),
    ]
    (pool,) = summarize_runs([run(tmp_path, parts)]).pools
    assert pool.checkout.wait_seconds.at_least == ()
    assert pool.checkout.wait_seconds.p50 == 1.9


def test_the_json_has_the_keys_of_schema_1_and_says_more_in_a_few_places(tmp_path: Path) -> None:
    runs = steady(tmp_path, "20+0", [640, 650]) + steady(tmp_path, "5+10", [600, 610])
    data = summarize_runs(runs).to_json()
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    pool, comparison = data["pools"][0], data["comparisons"][0]
    assert _keys(data) == "schema experiment environment pools comparisons verdict"
    assert data["schema"] == 1
    assert _keys(pool) == (
        "name given model server_name application_name pool processes rounds seconds throughput "
        "checkout hold_seconds request_seconds request schedule_lag_seconds dropped abandoned "
        "arrivals connections errors retries generator server stages faults objectives findings "
        "application valid"
    )
    assert _keys(pool["checkout"]) == (
        "count timeouts unfinished seconds wait_seconds connect_seconds reconnect_seconds "
        "ping_seconds reset_seconds anatomy"
    )
    assert _keys(pool["hold_seconds"]) == "mean p50 p90 p95 p99 p999 max at_least"
    assert _keys(pool["connections"]) == "allowed peak overflow_peak waiting_peak opened closed"
    assert _keys(pool["pool"]).startswith("poolclass pool_size max_overflow pool_timeout ")
    assert _keys(comparison) == (
        "pool baseline metric role rounds ratio ci95 decision further_rounds"
    )
    assert _keys(data["verdict"]) == "recommended text unmeasured"


def _keys(value: dict[str, object]) -> str:
    return " ".join(value)


def test_the_experiment_sets_order_and_baseline_and_names_pools_that_never_ran(
    tmp_path: Path,
) -> None:
    runs = steady(tmp_path, "20+0", [640, 650]) + steady(tmp_path, "5+10", [600, 610])
    settings = {one.pool_name: one.told["pool"] for one in runs}
    plan = {
        "name": "x",
        "baseline": "5+10",
        "pool": [settings["5+10"], {**settings["20+0"], "name": "never"}, settings["20+0"]],
    }
    summary = summarize_runs(runs, plan)
    assert [pool.name for pool in summary.pools] == ["5+10", "never", "20+0"]
    assert {(c.pool, c.baseline) for c in summary.comparisons} == {("20+0", "5+10")}
    never = summary.pool("never")
    assert (never.rounds, never.throughput.per_second, never.valid) == (0, None, False)
    assert [finding.code for finding in never.findings] == ["nothing_measured"]


def test_without_an_experiment_the_pool_that_ran_first_is_the_baseline(tmp_path: Path) -> None:
    late = steady(tmp_path, "20+0", [640], started=2000)
    early = steady(tmp_path, "5+10", [600], started=1000)
    summary = summarize_runs(late + early)
    assert summary.experiment["baseline"] == "5+10"
    assert summary.experiment["scenario"] == "scenarios/hot_row.py"
    assert summary.environment["commands"] == [
        "locust -f scenarios/hot_row.py --headless --pool 5+10",
        "locust -f scenarios/hot_row.py --headless --pool 20+0",
    ]


def test_one_name_for_different_settings_is_refused(tmp_path: Path) -> None:
    runs = steady(tmp_path, "a:20+0", [640]) + steady(tmp_path / "other", "a:5+10", [600])
    with pytest.raises(UsageError, match="'a' has other settings"):
        gather(runs)


def test_an_applications_own_pool_has_the_settings_that_it_was_found_with(tmp_path: Path) -> None:
    found = PoolSettings("as-is", "QueuePool", 3, 2)

    def as_found(round_: int, **other: int) -> Run:
        ran = run(tmp_path, [interval()], pool="as-is", round_=round_)
        return replace(ran, header=structs.replace(ran.header, pool=replace(found, **other)))

    runs = [as_found(1), as_found(2), run(tmp_path, [interval()])]
    planned = {"pool": [{"name": "as-is", "poolclass": "as-is"}, runs[-1].told["pool"]]}

    own, other = gather(runs, planned).pools

    assert (own.name, own.settings, len(own.runs)) == ("as-is", found, 2)
    assert other.name == "20+0"
    with pytest.raises(UsageError, match="'as-is' has other settings"):
        gather([*runs, as_found(3, pool_size=4)], planned)
