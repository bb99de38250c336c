"""The exporter's numbers, from intervals made by hand."""

import math
import subprocess
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest

from loadtest.live.exporter import Exporter
from loadtest.model.distribution import Distribution
from loadtest.model.error_kinds import ERROR_KINDS
from loadtest.model.interval import Gauge, Interval
from loadtest.model.metrics import BUCKET_SECONDS, CLOSE_REASONS, POOL_LABEL
from loadtest.model.pool import PoolConfig, parse_pool
from tests.processes import Sample, samples

MICROSECOND, MILLISECOND, SECOND = 1_000, 1_000_000, 1_000_000_000
NAMES = {
    "db_client_connection_wait_time_seconds",
    "db_client_connection_create_time_seconds",
    "db_client_connection_use_time_seconds",
    "db_client_connection_count",
    "db_client_connection_max",
    "db_client_connection_idle_max",
    "db_client_connection_idle_min",
    "db_client_connection_pending_requests",
    "db_client_connection_timeouts_total",
    "db_client_operation_duration_seconds",
    "loadtest_pool_overflow_connections",
    "loadtest_checkout_phase_seconds",
    "loadtest_checkouts_total",
    "loadtest_connections_opened_total",
    "loadtest_connections_closed_total",
    "loadtest_oldest_waiter_seconds",
    "loadtest_errors_total",
    "loadtest_retries_total",
    "loadtest_generator_lag_seconds",
}
# Named in the design, for the open loop.
NAMES_OF_ARRIVALS = {"loadtest_schedule_lag_seconds", "loadtest_dropped_arrivals_total"}
SUFFIXES = ("_bucket", "_sum", "_count", "_created")


class Exported:
    """An exporter with a registry of its own, read by value."""

    def __init__(self, pool: str = "20+0") -> None:
        self.registry = CollectorRegistry()
        self.exporter = Exporter(self.registry)
        self.begin(pool)

    def begin(self, pool: str) -> None:
        self.pool = parse_pool(pool)
        self.exporter.begin(self.pool)

    def add(self, *intervals: Interval) -> None:
        for interval in intervals:
            self.exporter.add(interval)

    def value(self, name: str, pool: str = "", **labels: str) -> float | None:
        return self.registry.get_sample_value(name, {POOL_LABEL: pool or self.pool.name, **labels})

    def buckets(self, name: str) -> list[float | None]:
        edges = [*map(str, BUCKET_SECONDS), "+Inf"]
        return [self.value(f"{name}_bucket", le=edge) for edge in edges]

    def all(self) -> dict[Sample, float]:
        return samples(generate_latest(self.registry).decode())


def waits(*nanoseconds: int, process: str = "p1", second: int = 1) -> Interval:
    """An interval with these waits."""
    return Interval(second, process, histograms={"wait": Distribution.of(nanoseconds)})


def levels(process: str = "p1", **values: int) -> Interval:
    """An interval at whose end these were the levels; before, they were a hundred higher."""
    return Interval(
        1, process, gauges={name: Gauge(0, 0, n + 100, n) for name, n in values.items()}
    )


def test_buckets_are_cumulative_and_hold_what_lies_below_their_edge() -> None:
    shown = Exported()
    shown.add(
        waits(
            0,
            10 * MICROSECOND,
            11 * MICROSECOND,
            240 * MICROSECOND,
            3 * MILLISECOND,
            3 * MILLISECOND,
            2 * SECOND,
            59 * SECOND,
            61 * SECOND,
            900 * SECOND,
        )
    )

    counts = shown.buckets("db_client_connection_wait_time_seconds")
    bucket = dict(zip([*BUCKET_SECONDS, math.inf], counts, strict=True))
    assert bucket[1e-05] == 2
    assert bucket[2.5e-05] == 3
    assert bucket[0.0001] == 3
    assert bucket[0.00025] == 4
    assert bucket[0.0025] == 4
    assert bucket[0.005] == 6
    assert bucket[1.0] == 6
    assert bucket[2.5] == 7
    assert bucket[30.0] == 7
    assert bucket[60.0] == 8
    assert bucket[math.inf] == 10
    assert shown.value("db_client_connection_wait_time_seconds_count") == 10


def test_edges_are_the_same_for_every_run_and_reach_from_10_microseconds_to_a_minute() -> None:
    assert BUCKET_SECONDS[0] == 1e-05
    assert BUCKET_SECONDS[-1] == 60.0
    assert list(BUCKET_SECONDS) == sorted(set(BUCKET_SECONDS))
    assert len(BUCKET_SECONDS) == 21


@settings(max_examples=25)
@given(st.lists(st.integers(0, 100 * SECOND), max_size=50))
def test_no_bucket_is_wrong_by_more_than_the_histogram_is(durations: list[int]) -> None:
    shown = Exported()
    shown.add(waits(*durations))

    counts = shown.buckets("db_client_connection_wait_time_seconds")
    for edge, count in zip(BUCKET_SECONDS, counts, strict=False):
        surely = sum(d <= edge * SECOND * 0.99 - MICROSECOND for d in durations)
        perhaps = sum(d <= edge * SECOND + MICROSECOND for d in durations)
        assert count is not None
        assert surely <= count <= perhaps
    assert counts[-1] == len(durations)


def test_a_sum_is_exact_where_the_buckets_round() -> None:
    shown = Exported()
    shown.add(waits(1_234_567_891, 1), waits(8, second=2))

    assert shown.value("db_client_connection_wait_time_seconds_sum") == 1_234_567_900 / 1e9


def test_histograms_come_from_the_measurements_of_their_name() -> None:
    shown = Exported()
    shown.add(
        Interval(
            1,
            histograms={
                "connect": Distribution.of([4 * MILLISECOND] * 3),
                "reconnect": Distribution.of([8 * MILLISECOND]),
                "hold": Distribution.of([50 * MILLISECOND] * 5),
                "request": Distribution.of([60 * MILLISECOND] * 6),
                "failed_request": Distribution.of([10 * MILLISECOND]),
                "generator_lag": Distribution.of([MILLISECOND] * 9),
                "ping": Distribution.of([2 * MILLISECOND] * 2),
                "reset": Distribution.of([MILLISECOND]),
            },
        )
    )

    def count_and_sum(name: str, **labels: str) -> tuple[float | None, float | None]:
        return shown.value(f"{name}_count", **labels), shown.value(f"{name}_sum", **labels)

    assert count_and_sum("db_client_connection_create_time_seconds") == (4, 0.02)
    assert count_and_sum("db_client_connection_use_time_seconds") == (5, 0.25)
    assert count_and_sum("db_client_operation_duration_seconds") == (7, 0.37)
    assert count_and_sum("loadtest_generator_lag_seconds") == (9, 0.009)
    phase = "loadtest_checkout_phase_seconds"
    assert count_and_sum(phase, phase="wait") == (0, 0)
    assert count_and_sum(phase, phase="connect") == (3, 0.012)
    assert count_and_sum(phase, phase="reconnect") == (1, 0.008)
    assert count_and_sum(phase, phase="ping") == (2, 0.004)
    assert count_and_sum(phase, phase="reset") == (1, 0.001)
    joined = shown.buckets("db_client_connection_create_time_seconds")
    assert joined[BUCKET_SECONDS.index(0.005)] == 3
    assert joined[BUCKET_SECONDS.index(0.01)] == 4


def test_counters_are_added_by_label_and_zero_before_anything_happened() -> None:
    shown = Exported()
    assert shown.value("loadtest_checkouts_total", source="overflow") == 0
    assert shown.value("loadtest_errors_total", kind="deadlock") == 0

    first = Counter({"checkouts.pooled": 7, "checkouts.overflow": 2, "timeouts": 1, "opened": 4})
    later = Counter(
        {
            "checkouts.pooled": 3,
            "checkouts.new": 5,
            "checkouts.reconnect": 1,
            "opened": 1,
            "closed.overflow": 2,
            "closed.invalidated": 1,
            "errors.pool_timeout": 6,
            "errors.deadlock": 8,
            "retries": 5,
            "retries.deadlock": 5,
        }
    )
    shown.add(Interval(1, counters=first), Interval(2, counters=later))

    assert shown.value("loadtest_checkouts_total", source="pooled") == 10
    assert shown.value("loadtest_checkouts_total", source="new") == 5
    assert shown.value("loadtest_checkouts_total", source="overflow") == 2
    assert shown.value("loadtest_checkouts_total", source="reconnect") == 1
    assert shown.value("db_client_connection_timeouts_total") == 1
    assert shown.value("loadtest_connections_opened_total") == 5
    assert shown.value("loadtest_connections_closed_total", reason="overflow") == 2
    assert shown.value("loadtest_connections_closed_total", reason="invalidated") == 1
    assert shown.value("loadtest_connections_closed_total", reason="recycle") == 0
    assert shown.value("loadtest_errors_total", kind="pool_timeout") == 6
    assert shown.value("loadtest_errors_total", kind="deadlock") == 8
    assert shown.value("loadtest_retries_total", kind="deadlock") == 5
    assert shown.value("loadtest_retries_total", kind="pool_timeout") == 0


def test_gauges_show_the_level_at_the_end_of_the_last_second() -> None:
    shown = Exported("5+10")
    shown.add(
        levels(idle=1, in_use=2, waiting=9, overflow=3),
        levels(idle=0, in_use=15, waiting=40, overflow=10),
    )

    assert shown.value("db_client_connection_count", db_client_connection_state="idle") == 0
    assert shown.value("db_client_connection_count", db_client_connection_state="used") == 15
    assert shown.value("db_client_connection_pending_requests") == 40
    assert shown.value("loadtest_pool_overflow_connections") == 10


def test_the_oldest_waiter_is_the_oldest_of_the_last_second_of_any_process() -> None:
    shown = Exported()
    assert shown.value("loadtest_oldest_waiter_seconds") == 0

    shown.add(
        Interval(1, "p1", unfinished=Distribution.of([9 * SECOND])),
        Interval(2, "p1", unfinished=Distribution.of([SECOND])),
        Interval(1, "p2", unfinished=Distribution.of([2_500 * MILLISECOND, SECOND])),
    )

    assert shown.value("loadtest_oldest_waiter_seconds") == 2.5


def test_two_processes_stand_beside_each_other() -> None:
    shown = Exported("5+10")
    shown.add(
        levels("p1", idle=1, in_use=2, waiting=3, overflow=4),
        levels("p2", idle=10, in_use=20, waiting=30, overflow=40),
        waits(SECOND, process="p1"),
        waits(SECOND, SECOND, process="p2"),
        levels("p1", idle=2, in_use=3, waiting=4, overflow=5),
        levels("p2", idle=10, in_use=20, waiting=30, overflow=40),
    )

    assert shown.value("db_client_connection_count", db_client_connection_state="idle") == 12
    assert shown.value("db_client_connection_count", db_client_connection_state="used") == 23
    assert shown.value("db_client_connection_pending_requests") == 34
    assert shown.value("loadtest_pool_overflow_connections") == 45
    assert shown.value("db_client_connection_max") == 30
    assert shown.value("db_client_connection_idle_max") == 10
    assert shown.value("db_client_connection_wait_time_seconds_count") == 3


@pytest.mark.parametrize(
    ("pool", "most", "idle_most"),
    [
        ("5+10", 15, 5),
        ("20+0", 20, 20),
        ("3000+inf", math.inf, 3000),
        ("0+10", math.inf, math.inf),
        ("poolclass=NullPool", math.inf, 0),
    ],
)
def test_limits_are_those_of_the_configuration(pool: str, most: float, idle_most: float) -> None:
    shown = Exported(pool)

    assert shown.value("db_client_connection_max") == most
    assert shown.value("db_client_connection_idle_max") == idle_most
    assert shown.value("db_client_connection_idle_min") == 0


def test_a_process_that_went_silent_has_no_level_any_more_but_what_it_did_stays() -> None:
    shown = Exported("5+10")
    level = {"in_use": Gauge(SECOND, 1, 1, 1)}
    for second in range(7):
        shown.add(Interval(second, "a", gauges=level, counters=Counter(opened=1)))
        if not second:
            shown.add(Interval(second, "b", gauges=level, counters=Counter(opened=1)))
    assert shown.value("db_client_connection_count", db_client_connection_state="used") == 1
    assert shown.value("db_client_connection_max") == 15
    assert shown.value("loadtest_connections_opened_total") == 8


def test_of_two_pools_one_after_the_other_the_totals_stay_and_the_levels_go() -> None:
    shown = Exported("small:5+0")
    shown.add(
        waits(SECOND),
        levels(in_use=5, waiting=7),
        Interval(2, "p1", counters=Counter({"opened": 5})),
        levels(in_use=5, waiting=7),
    )
    shown.begin("large:50+0")
    assert shown.value("db_client_connection_pending_requests") == 0
    assert shown.value("db_client_connection_max") == 50
    shown.add(waits(SECOND, SECOND), Interval(3, "p2", counters=Counter({"opened": 50})))

    assert shown.value("db_client_connection_wait_time_seconds_count", pool="small") == 1
    assert shown.value("db_client_connection_wait_time_seconds_count", pool="large") == 2
    assert shown.value("loadtest_connections_opened_total", pool="small") == 5
    assert shown.value("loadtest_connections_opened_total", pool="large") == 50
    assert shown.value("db_client_connection_pending_requests", pool="small") is None
    assert shown.value("db_client_connection_max", pool="small") is None


def test_a_second_run_of_a_pool_goes_on_counting() -> None:
    shown = Exported()
    shown.add(waits(SECOND))
    shown.begin("20+0")
    shown.add(waits(SECOND))

    assert shown.value("db_client_connection_wait_time_seconds_count") == 2
    assert shown.value("db_client_connection_wait_time_seconds_sum") == 2


def test_an_interval_is_read_and_not_changed() -> None:
    shown = Exported()
    interval = waits(SECOND)
    before = interval.to_json()
    shown.add(interval, waits(MILLISECOND), interval)

    assert interval.to_json() == before
    assert shown.value("db_client_connection_wait_time_seconds_count") == 3


def test_before_the_first_run_there_is_nothing_to_see() -> None:
    registry = CollectorRegistry()
    Exporter(registry).add(waits(SECOND))

    assert samples(generate_latest(registry).decode()) == {}


def test_every_name_of_the_design_is_exported_and_no_other() -> None:
    shown = Exported()
    shown.add(waits(SECOND))

    histograms = {name for name in NAMES if name.endswith("seconds")}
    exported = {name.removesuffix("_created") for name, _ in shown.all()}
    names = {
        next((h for h in histograms if name in {h + s for s in SUFFIXES}), name)
        for name in exported
    }
    arrivals = {name for name in names if name.startswith(tuple(NAMES_OF_ARRIVALS))}
    assert names - arrivals == NAMES


def test_labels_are_a_bounded_set_whatever_is_measured() -> None:
    shown = Exported()
    idle = shown.all().keys()
    shown.add(
        Interval(
            1,
            "host-1:4711",
            counters=Counter({"errors.Table 'x' does not exist": 3, "closed.of boredom": 1}),
            histograms={"SELECT 1": Distribution.of([1])},
            gauges={"customers": Gauge()},
        )
    )

    assert shown.all().keys() == idle
    by_label: dict[str, set[str]] = {}
    for _, labels in idle:
        for label, value in labels:
            by_label.setdefault(label, set()).add(value)
    assert by_label.pop(POOL_LABEL) == {"20+0"}
    assert len(by_label.pop("le")) == len(BUCKET_SECONDS) + 1
    assert by_label == {
        "db_client_connection_state": {"idle", "used"},
        "phase": {"wait", "connect", "reconnect", "ping", "reset"},
        "source": {"pooled", "new", "overflow", "reconnect"},
        "reason": set(CLOSE_REASONS),
        "kind": set(ERROR_KINDS),
    }


@pytest.mark.prometheus
def test_promtool_complains_of_one_ending_only(program: Callable[[str], str]) -> None:
    shown = Exported()
    shown.exporter.begin(PoolConfig(name="unlimited", pool_size=3000, max_overflow=-1))
    shown.add(waits(SECOND), levels(in_use=1))

    checked = subprocess.run(
        [program("promtool"), "check", "metrics"],
        input=generate_latest(shown.registry).decode(),
        capture_output=True,
        text=True,
        check=False,
    )

    complaints = (checked.stdout + checked.stderr).splitlines()
    assert [line.split()[0] for line in complaints if line] == ["db_client_connection_count"]
    assert '"_count"' in complaints[0]
