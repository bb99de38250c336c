"""Findings about recordings claim no more than was recorded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from loadtest.analysis.recordings.read_recording import read_recording
from loadtest.analysis.recordings.summarize_recording import summarize_recording
from loadtest.model.interval import SECOND, Interval
from loadtest.model.place_use import PlaceUse
from loadtest.model.recording_summary import RecordedPoolSummary
from loadtest.model.task_use import TaskUse
from loadtest.pool.hold import ROUTE_BITS
from loadtest.pool.numbered_names import NumberedNames
from loadtest.pool.place_sums import PlaceSums
from loadtest.pool.task_usage import as_rows
from tests.analysis.recorded_pools import write_recording
from tests.analysis.recorded_shop import CALL, LIST, PAY, place, quick, second


def of(folder: Path, rows: Iterable[Interval], **more: Any) -> RecordedPoolSummary:
    write_recording(folder, rows, **more)
    return summarize_recording(read_recording([folder])).pools[0]


def message(code: str, pool: RecordedPoolSummary) -> str:
    (found,) = [finding.message for finding in pool.findings if finding.code == code]
    return found


def test_nested_checkouts_outside_of_routes_are_in_an_interval() -> None:
    names = NumberedNames(10, "(other)")
    routes = NumberedNames(10, "(other)")
    sums = PlaceSums(names, routes, lambda: None)
    key = names.number(PAY) << ROUTE_BITS | routes.number("")
    sums.add_nested([key, key])
    sums.add_holds(as_rows([0, 5, key, 1, 4, 0], 6))
    assert sums.tasks() == {"": TaskUse(nested=2)}
    assert sums.places()[PAY].nested == 2


@pytest.mark.parametrize(
    ("tasks", "words"),
    [
        ({"": TaskUse(nested=4)}, "requests without a route or task took 20 connections"),
        (
            {"": TaskUse(nested=1), "GET /cart": TaskUse(nested=4)},
            "`GET /cart` and requests without a route or task took 25 connections",
        ),
    ],
)
def test_nested_checkouts_outside_of_routes_are_found(
    tmp_path: Path, tasks: dict[str, TaskUse], words: str
) -> None:
    pool = of(tmp_path, [second(n, {LIST: quick()}, tasks=tasks) for n in range(5)])
    assert message("nested_checkout", pool).startswith(f"{words} while they already held one.")


def test_a_few_nested_checkouts_at_the_start_are_no_finding(tmp_path: Path) -> None:
    rows = [second(n, {LIST: quick()}) for n in range(5)]
    rows[0].tasks = {"": TaskUse(nested=2)}
    assert of(tmp_path, rows).findings == ()


def test_a_line_with_less_than_half_of_the_holders_is_not_mostly(tmp_path: Path) -> None:
    lines = Counter({CALL: 22, **{f"shop/other.py:{n} other": 19 for n in range(4)}})
    held = place(210, 8, 12, idle_at=lines)
    pool = of(tmp_path, [second(n, {PAY: held, LIST: quick()}) for n in range(10)])
    told = message("held_without_query", pool)
    assert f"It stood most often at `{CALL}` then (22 %)." in told
    assert "before the other work" in told
    assert pool.findings[0].evidence["line"] == ""
    assert pool.fix
    assert pool.fix.line == ""


def test_no_value_of_a_fix_is_told_for_bursts(tmp_path: Path) -> None:
    sizes = {"name": "shop", "pool_size": 30, "max_overflow": 0, "pool_timeout": 30.0}
    held = place(500, 50, 50)
    # Twenty at once every ten seconds: one connection in use on average.
    rows = [
        second(n, {PAY: held if n % 10 == 0 else PlaceUse()}, in_use=20 if n % 10 == 0 else 0)
        for n in range(60)
    ]
    assert of(tmp_path, rows, pool=sizes).fix is None


def test_a_place_is_named_for_new_engines_only_if_no_other_fits(tmp_path: Path) -> None:
    uses = {"shop.py:1 shared": 100, "shop.py:2 one": 50, "shop.py:3 other": 48}
    places = {
        name: PlaceUse(checkouts=number, holds=number, hold=SECOND, query=SECOND, needed=SECOND)
        for name, number in uses.items()
    }
    counters = {"checkouts.new": 98, "opened": 98}
    pool = of(tmp_path, [second(n, places, counters=counters) for n in range(5)])
    assert "most likely" not in message("engine_per_request", pool)
