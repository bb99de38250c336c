"""The live page's points, from intervals made by hand."""

import ast
import inspect
import json
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.analysis.findings import trust_gate as report_of
from loadtest.live import second as page_of
from loadtest.live.points import KEPT_RUNS, KEPT_SECONDS, SILENT_SECONDS, Points
from loadtest.live.second import Point
from loadtest.model import trust_limits
from loadtest.model.distribution import Distribution
from loadtest.model.interval import Gauge, Interval
from loadtest.model.pool import parse_pool

MILLISECOND, SECOND = 1_000_000, 1_000_000_000


class Shown:
    """Points as the page gets them: as text, and only what is new."""

    def __init__(self, pool: str = "5+10") -> None:
        self.points = Points(clock=lambda: 1000.0)
        self.version = 0
        self.points.begin(parse_pool(pool))

    def add(self, *intervals: Interval) -> None:
        for interval in intervals:
            self.points.add(interval)

    def answer(self, since: int | None = None) -> dict[str, Any]:
        answer = json.loads(self.points.answer(self.version if since is None else since))
        self.version = answer["version"]
        return dict(answer)

    def new(self, since: int | None = None) -> list[Point]:
        answer = self.answer(since)
        assert answer["fields"] == list(Point._fields)
        return [Point(*values) for values in answer["points"]]

    def one(self) -> Point:
        (point,) = self.new(since=0)
        return point


def interval(
    second: int = 1,
    process: str = "p1",
    length: int = SECOND,
    levels: dict[str, Gauge] | None = None,
    times: dict[str, list[int]] | None = None,
    waiting: list[int] | None = None,
    period: Any = "measured",
    **counters: int,
) -> Interval:
    return Interval(
        second,
        process,
        period,
        length,
        counters=Counter(counters),
        gauges=levels or {},
        histograms={name: Distribution.of(values) for name, values in (times or {}).items()},
        unfinished=Distribution.of(waiting or []),
    )


def test_counts_and_levels_of_all_processes_add_up() -> None:
    shown = Shown("5+10")
    for process, factor in (("p1", 1), ("p2", 3)):
        levels = {
            "in_use": Gauge(4 * SECOND * factor, 0, 5 * factor, 0),
            "idle": Gauge(SECOND // 2 * factor, 0, 1, 0),
            "overflow": Gauge(SECOND * factor, 0, 2, 0),
            "waiting": Gauge(SECOND // 10 * factor, 0, 7, 0),
            "users": Gauge(10 * SECOND, 10, 10, 10),
        }
        counts = {"requests": 100 * factor, "failures": 4, "timeouts": factor}
        spent = {"cpu": SECOND // 4 * factor}
        shown.add(interval(process=process, levels=levels, **counts, **spent))

    point = shown.one()
    assert (point.second, point.run, point.processes, point.limit) == (1, 1, 2, 30)
    assert (point.in_use, point.in_use_most, point.idle) == (16, 20, 2)
    assert (point.overflow, point.overflow_most) == (4, 4)
    assert (point.waiting, point.waiting_most, point.users) == (0.4, 14, 20)
    assert (point.ok, point.failed, point.timeouts) == (392, 8, 4)
    assert point.cpu == 0.75  # the busiest


@given(
    st.lists(st.lists(st.integers(0, 100 * SECOND), min_size=1, max_size=30), min_size=1),
    st.booleans(),
)
def test_percentiles_are_those_of_all_processes_together(
    waits: list[list[int]], encoded: bool
) -> None:
    shown = Shown()
    for number, some in enumerate(waits):
        one = interval(process=f"p{number}", times={"checkout": some, "request": some})
        # as a master gets it
        shown.add(Interval.from_json(one.to_json()) if encoded else one)

    together = Distribution.of([wait for some in waits for wait in some])
    point = shown.one()
    assert point.checkout_p50 == point.task_p50 == together.percentile_seconds(50)
    assert point.checkout_p95 == point.task_p95 == together.percentile_seconds(95)
    assert point.checkout_p99 == point.task_p99 == together.percentile_seconds(99)
    assert (point.wait_p50, point.lag_p99) == (None, None)


def test_an_interval_stays_as_it_was() -> None:
    shown = Shown()
    one = interval(process="p1", times={"wait": [MILLISECOND]})
    shown.add(one, *(interval(process=p, times={"wait": [SECOND]}) for p in ("p2", "p3")))

    assert shown.one().wait_p99 == 1.0
    assert one.histograms["wait"] == Distribution.of([MILLISECOND])


def test_parts_of_a_second_are_one_point_with_rates_of_the_whole() -> None:
    shown = Shown()
    busy = {"in_use": Gauge(SECOND // 4 * 10, 0, 10, 10)}
    quiet = {"in_use": Gauge(0, 0, 2, 0)}
    shown.add(interval(length=SECOND // 4, levels=busy, requests=30, period="warmup"))
    assert (shown.one().ok, shown.one().in_use) == (120, 10)
    shown.add(interval(length=SECOND * 3 // 4, levels=quiet, requests=10))

    point = shown.one()
    assert (point.ok, point.in_use, point.in_use_most) == (40, 2.5, 10)
    assert point.period == "measured"


def test_a_blink_of_a_second_makes_no_rate() -> None:
    shown = Shown()
    shown.add(interval(1, length=SECOND // 50, requests=5), interval(2, requests=10))

    assert [(point.second, point.ok) for point in shown.new()] == [(2, 10)]


def test_the_oldest_wait_is_the_oldest_of_any_process_as_it_stood_at_the_end() -> None:
    shown = Shown()
    shown.add(interval(length=SECOND // 2, waiting=[9 * SECOND]))
    shown.add(interval(length=SECOND // 2, waiting=[SECOND]))
    shown.add(interval(process="p2", waiting=[2 * SECOND, 3 * SECOND]))
    assert shown.one().oldest == 3
    shown.add(interval(2), interval(2, process="p2"))
    assert shown.new()[-1].oldest is None


def test_only_what_is_new_is_told_and_a_missing_second_is_no_point() -> None:
    shown = Shown()
    shown.add(interval(1, requests=1), interval(2, requests=2), interval(5, requests=5))

    assert [point.second for point in shown.new()] == [1, 2, 5]
    assert shown.new() == []
    shown.add(interval(6, requests=6))
    assert [point.second for point in shown.new()] == [6]
    assert [point.second for point in shown.new(since=0)] == [1, 2, 5, 6]


def test_a_second_waits_for_all_processes_and_is_told_again_when_one_comes_late() -> None:
    shown = Shown()
    shown.add(interval(1, "p1", requests=1), interval(1, "p2", requests=1))
    shown.add(interval(2, "p1", requests=1))
    assert [(point.second, point.ok) for point in shown.new()] == [(1, 2)]

    shown.add(interval(3, "p1", requests=1))
    assert [(point.second, point.ok) for point in shown.new()] == [(2, 1)]
    shown.add(interval(2, "p2", requests=1), interval(3, "p2", requests=1))
    assert [(point.second, point.ok) for point in shown.new()] == [(2, 2), (3, 2)]


def test_what_is_too_late_changes_nothing() -> None:
    shown = Shown()
    shown.add(interval(1, requests=1), interval(1 + SILENT_SECONDS, requests=1))
    shown.new()
    shown.add(interval(1, "p2", requests=7, timeouts=7))

    assert shown.new() == []
    assert shown.answer()["runs"][0]["timeouts"] == 0


@pytest.mark.parametrize("watched", [True, False])
def test_the_ring_keeps_the_last_minutes_whether_anybody_looks_or_not(watched: bool) -> None:
    shown = Shown()
    told = []
    for second in range(KEPT_SECONDS + 50):
        shown.add(interval(second, requests=second))
        told += shown.new() if watched else []

    kept = shown.new(since=0)
    assert [point.second for point in kept] == list(range(50, KEPT_SECONDS + 50))
    assert [point.ok for point in kept] == [point.second for point in kept]
    assert told == [] or [point.second for point in told] == list(range(KEPT_SECONDS + 50))
    assert len(shown.points._growing) <= SILENT_SECONDS


def test_a_point_is_small() -> None:
    shown = Shown()
    for second in range(KEPT_SECONDS):
        times = {name: [123_456_789] for name in ("checkout", "wait", "request", "generator_lag")}
        shown.add(interval(second, times=times, requests=123_456))

    assert len(shown.points.answer(0)) / KEPT_SECONDS < 300


def test_a_new_run_begins_a_new_stretch_and_the_old_one_stays() -> None:
    shown = Shown("5+10")
    shown.add(interval(7, requests=1), interval(8, requests=1, timeouts=3))
    shown.points.end("stopped")
    shown.add(interval(9, requests=1))  # belongs to no run any more
    shown.points.begin(parse_pool("twenty:20+0"))
    shown.add(interval(8, requests=2), interval(9, requests=2))

    told = [(p.run, p.second, p.ok, p.limit) for p in shown.new()]
    assert told == [(1, 7, 1, 15), (1, 8, 1, 15), (2, 8, 2, 20), (2, 9, 2, 20)]
    runs = shown.answer()["runs"]
    assert [(r["number"], r["pool"], r["reason"]) for r in runs] == [
        (1, "5+10", "stopped"),
        (2, "twenty", ""),
    ]
    assert [run["timeouts"] for run in runs] == [3, 0]


def test_the_last_second_is_told_though_a_process_left_before_it() -> None:
    shown = Shown()
    shown.add(interval(1, "p1"), interval(1, "p2"), interval(2, "p1", length=SECOND // 2))
    assert [point.second for point in shown.new()] == [1]
    shown.points.end("finished")
    assert [point.second for point in shown.new()] == [2]


def test_a_pool_without_a_limit_has_none() -> None:
    shown = Shown("10+inf")
    shown.add(interval())
    assert shown.one().limit is None


def test_runs_are_remembered_up_to_a_number() -> None:
    shown = Shown()
    for _ in range(KEPT_RUNS + 5):
        shown.points.begin(parse_pool("1+0"))

    numbers = [run["number"] for run in shown.answer()["runs"]]
    assert numbers == list(range(7, KEPT_RUNS + 7))


def test_a_report_is_found_by_its_run_once_it_is_there(tmp_path: Path) -> None:
    shown = Shown()
    first, second = tmp_path / "first.html", tmp_path / "second.html"
    paths = iter((first, second))

    def once_there(path: Path) -> Path | None:
        return path if path.exists() else None

    for path in paths:
        shown.points.end("stopped", lambda path=path: once_there(path))  # type: ignore[misc]
        shown.points.begin(parse_pool("1+0"))
    assert shown.points.report() is None
    first.touch()
    assert shown.points.report() == shown.points.report(1) == first
    assert [run["report"] for run in shown.answer()["runs"]] == [True, False, False]
    second.touch()
    assert shown.points.report() == second
    assert [shown.points.report(number) for number in (1, 2, 3, 99)] == [first, second, None, None]


@pytest.mark.parametrize(
    ("cpu", "lag", "task", "health"),
    [
        (0.5, MILLISECOND // 2, MILLISECOND, "fine"),
        (0.9, 0, SECOND, "busy"),
        (0.5, 2 * MILLISECOND, 10 * MILLISECOND, "late"),
        (0.5, 2 * MILLISECOND, 100 * MILLISECOND, "fine"),
    ],
)
def test_the_generator_is_judged_as_the_report_does(
    cpu: float, lag: int, task: int, health: str
) -> None:
    shown = Shown()
    times = {"generator_lag": [lag], "request": [task]}
    shown.add(interval(times=times, cpu=int(cpu * SECOND)))
    assert shown.one().health == health


@pytest.mark.parametrize("module", [page_of, report_of])
def test_the_page_and_the_report_have_their_limits_from_one_place(module: ModuleType) -> None:
    limits = {"BUSY_CPU", "LAG_SHARE", "NOTABLE_LAG"}
    assert all(getattr(module, name) is getattr(trust_limits, name) for name in limits)
    statements = ast.parse(inspect.getsource(module)).body
    targets = [
        target for one in statements if isinstance(one, ast.Assign) for target in one.targets
    ]
    assert not limits & {target.id for target in targets if isinstance(target, ast.Name)}


def test_the_table_has_the_numbers_so_far_without_the_warm_up() -> None:
    shown = Shown()
    (before,) = shown.answer()["runs"]
    assert [before[name] for name in ("seconds", "per_second", "wait_p95", "errors")] == [
        *(0, None, None, None)
    ]
    waits = {"wait": [10 * MILLISECOND] * 99}
    shown.add(interval(1, period="warmup", requests=900, times={"wait": [SECOND] * 900}))
    for process in ("p1", "p2"):
        shown.add(interval(2, process, times=waits, requests=100, failures=10))
        shown.add(interval(3, process, SECOND // 2, times=waits, requests=50))
    (run,) = shown.answer()["runs"]
    assert (run["seconds"], run["per_second"]) == (1.5, 280 / 1.5)
    assert run["errors"] == pytest.approx(20 / 300)
    assert run["wait_p95"] == pytest.approx(0.01, rel=0.02)
    assert run["result"] is None
