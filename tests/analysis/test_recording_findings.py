"""Findings about recordings: mistakes are found with their line, clean recordings have none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from loadtest.analysis.recordings.read_recording import read_recording
from loadtest.analysis.recordings.summarize_recording import summarize_recording
from loadtest.model.interval import SECOND, Interval
from loadtest.model.place_use import OUTSIDE_APPLICATION, USER_ENDED, PlaceUse
from loadtest.model.recording_summary import RecordedPoolSummary, RecordingSummary
from loadtest.model.summary import Finding
from loadtest.model.task_use import TaskUse
from tests.analysis.recorded_pools import write_recording
from tests.analysis.recorded_shop import (
    CALL,
    LIST,
    PAY,
    clean_shop,
    paying_shop,
    place,
    quick,
    second,
)

NULL_POOL = {"name": "shop", "poolclass": "NullPool", "pool_size": None, "max_overflow": None}


def summary(folder: Path) -> RecordingSummary:
    return summarize_recording(read_recording([folder]))


def of(folder: Path, rows: Iterable[Interval], **more: Any) -> RecordedPoolSummary:
    write_recording(folder, rows, **more)
    return summary(folder).pools[0]


def codes(pool: RecordedPoolSummary) -> list[str]:
    return [finding.code for finding in pool.findings]


def the(code: str, pool: RecordedPoolSummary) -> Finding:
    (found,) = [finding for finding in pool.findings if finding.code == code]
    return found


def test_a_clean_recording_has_no_finding(tmp_path: Path) -> None:
    found = summary(clean_shop(tmp_path))
    assert codes(found.pools[0]) == []
    assert found.verdict == (
        "Nothing was wrong with the pool of `shop`: at most 2 of 6 connections were in use at "
        "once, and no checkout waited longer than 0 s."
    )


def test_a_place_that_holds_during_a_call_is_named_with_its_line(tmp_path: Path) -> None:
    pool = summary(paying_shop(tmp_path)).pools[0]
    assert codes(pool) == ["held_without_query", "pool_full"]
    found = the("held_without_query", pool)
    assert found.severity == "error"
    assert found.message.startswith(
        f"`{PAY}` (in `POST /orders`) held a connection for 210 ms on average and ran queries in "
        f"3.8 % of that time. It mostly stood at `{CALL}` then."
    )
    assert found.evidence["line_share"] == pytest.approx(2 / 3)


def test_a_pool_that_is_large_enough_gets_a_warning_about_the_place_only(tmp_path: Path) -> None:
    held = place(210, 8, 12)
    pool = of(tmp_path, [second(n, {PAY: held, LIST: quick()}) for n in range(10)])
    assert codes(pool) == ["held_without_query"]
    assert pool.findings[0].severity == "warning"
    assert "Return the connection before the other work" in pool.findings[0].message


@pytest.mark.parametrize(
    "use",
    [
        place(210, 200, 150),  # queries take the time
        place(20, 2, 4),  # short
        place(210, 8, 180),  # no long time without a query
    ],
)
def test_other_holds_are_no_finding(tmp_path: Path, use: PlaceUse) -> None:
    assert codes(of(tmp_path, [second(n, {PAY: use}) for n in range(10)])) == []


def test_pauses_that_all_places_have_are_those_of_a_busy_machine(tmp_path: Path) -> None:
    slow = {f"shop.py:{n} slow": place(110, 30, 30) for n in range(3)}
    assert codes(of(tmp_path / "one", [second(n, slow) for n in range(9)])) == []
    quick_ones = {f"shop.py:{n} quick": quick() for n in range(3)}
    both = {PAY: place(110, 30, 30), **quick_ones}
    found = of(tmp_path / "two", [second(n, both) for n in range(9)])
    assert codes(found) == ["held_without_query"]


def test_a_rare_place_is_no_finding(tmp_path: Path) -> None:
    rare = PlaceUse(checkouts=1, holds=1, hold=SECOND // 5, needed=SECOND // 100)
    rows = [second(n, {PAY: rare if n < 2 else PlaceUse(), LIST: quick()}) for n in range(20)]
    assert codes(of(tmp_path, rows)) == []


def leaking(numbers: Iterable[int], ended: int = 0) -> list[Interval]:
    """A place that keeps this many holds at the end of each second."""
    kept = [
        PlaceUse(
            checkouts=1,
            holds=ended,
            hold=ended * SECOND,
            query=ended * SECOND,
            needed=ended * SECOND,
            kept=number,
            longest_hold=(n + 1) * SECOND,
        )
        for n, number in enumerate(numbers)
    ]
    return [second(n, {PAY: use, LIST: quick()}) for n, use in enumerate(kept)]


def test_holds_that_only_grow_are_a_leak_with_place_and_age(tmp_path: Path) -> None:
    pool = of(tmp_path, leaking([1] * 20 + [2] * 60))
    found = the("leak", pool)
    assert found.message.startswith(
        f"`{PAY}` does not return its connections: 2 of 3 are still held, the oldest for 80.0 s."
    )
    assert summary(tmp_path).verdict.startswith(
        f"The pool of `shop` was large enough. Connections were not returned: `{PAY}` (2)."
    )


def test_connections_that_outlive_their_users_are_found(tmp_path: Path) -> None:
    lost = place(1500, 8, 12, idle_at=Counter({USER_ENDED: 2, PAY: 1}))
    pool = of(tmp_path, [second(n, {PAY: lost, LIST: quick()}) for n in range(10)])
    assert codes(pool) == ["leak", "held_without_query"]
    assert pool.findings[0].severity == "warning"
    assert pool.findings[0].message.startswith(
        f"`{PAY}` held connections after the task, greenlet or thread that took them had ended; "
        "the longest hold lasted 1.50 s."
    )


def test_a_connection_that_outlives_its_request_for_a_moment_is_no_leak(tmp_path: Path) -> None:
    use = place(5, 4, idle_at=Counter({USER_ENDED: 1, PAY: 3}))
    assert codes(of(tmp_path, [second(n, {PAY: use}) for n in range(10)])) == []


def test_holds_outside_of_the_application_are_told_to_end_with_the_request(tmp_path: Path) -> None:
    held = place(210, 8, 12, idle_at=Counter({OUTSIDE_APPLICATION: 9, CALL: 1}))
    found = the("held_without_query", of(tmp_path, [second(n, {PAY: held}) for n in range(9)]))
    assert "stood" not in found.message
    assert "Mostly no code of the application ran then" in found.message
    assert (found.evidence["line"], found.evidence["outside_share"]) == ("", 0.9)


def test_one_connection_for_the_life_of_a_process_is_no_leak(tmp_path: Path) -> None:
    assert codes(of(tmp_path, leaking([1] * 80))) == []


def test_holds_that_end_and_others_that_begin_are_no_leak(tmp_path: Path) -> None:
    rows = leaking([2] * 80, ended=1)
    for row in rows:
        row.places[PAY].longest_hold = 2 * SECOND
    assert codes(of(tmp_path, rows)) == []


def test_a_recording_that_is_too_short_has_no_leak(tmp_path: Path) -> None:
    assert codes(of(tmp_path, leaking([2] * 20))) == []


def test_a_second_connection_is_found_with_its_route_and_the_places_that_took_it(
    tmp_path: Path,
) -> None:
    use = place(5, 4, routes=Counter({"GET /cart": 10}), nested=4)
    tasks = {"GET /cart": TaskUse(10, SECOND, nested=4)}
    first = place(5, 4, routes=Counter({"GET /cart": 10}))
    rows = [second(n, {PAY: use, LIST: first}, tasks=tasks) for n in range(5)]
    found = the("nested_checkout", of(tmp_path, rows))
    assert found.message.startswith(
        f"`GET /cart` took 20 connections while they already held one. They took these at `{PAY}`."
    )
    assert found.evidence["places"] == [PAY]


def test_users_who_keep_a_leaked_connection_have_one_finding(tmp_path: Path) -> None:
    rows = leaking([2] * 80)
    for row in rows:
        row.tasks = {"fulfil": TaskUse(10, SECOND, nested=10)}
    assert codes(of(tmp_path, rows)) == ["leak"]


def test_an_engine_for_each_request_is_found(tmp_path: Path) -> None:
    counters = {"checkouts.pooled": 0, "checkouts.new": 10, "opened": 10}
    rows = [second(n, {LIST: quick()}, counters=counters, gauges={"engines": 4}) for n in range(5)]
    found = the("engine_per_request", of(tmp_path, rows))
    assert found.message.startswith(
        "50 of 50 checkouts opened a new connection although the pools keep 2, most likely those "
        f"of `{LIST}` (in `GET /orders`): an engine is made or disposed of again and again, up to "
        "4 at once."
    )


@pytest.mark.parametrize(("hold", "found"), [(150, []), (210, ["held_without_query"])])
def test_pauses_of_the_only_place_are_a_finding_if_they_are_long(
    tmp_path: Path, hold: int, found: list[str]
) -> None:
    rows = [second(n, {PAY: place(hold, 30, 30)}) for n in range(9)]
    assert codes(of(tmp_path, rows)) == found


def test_engines_for_requests_explain_pauses_of_other_places(tmp_path: Path) -> None:
    counters = {"checkouts.new": 10, "opened": 10}
    places = {PAY: place(110, 30, 30), LIST: quick()}
    rows = [second(n, places, counters=counters) for n in range(9)]
    assert codes(of(tmp_path, rows)) == ["engine_per_request"]


def test_a_pool_that_fills_once_is_no_engine_for_each_request(tmp_path: Path) -> None:
    first = second(0, {LIST: quick()}, counters={"checkouts.new": 6, "opened": 6})
    assert codes(of(tmp_path, [first])) == []


def test_null_pool_under_load_is_found(tmp_path: Path) -> None:
    rows = [second(n, {LIST: quick()}, counters={"opened": 10}) for n in range(5)]
    found = the("null_pool", of(tmp_path, rows, pool=NULL_POOL))
    assert found.message.startswith("NullPool connects for each checkout: 50 times in 5.00 s")


def test_findings_about_engines_name_the_line_that_made_most_of_them(tmp_path: Path) -> None:
    made = {"engines@shop/db.py:7 <module>": 1}
    rows = [second(0, {LIST: quick()}, counters=made), second(1, {LIST: quick()})]
    found = the("null_pool", of(tmp_path / "null", rows, pool=NULL_POOL))
    assert "(leave out poolclass at `shop/db.py:7 <module>`)" in found.message
    new = {"checkouts.new": 10, "engines@shop/web.py:3 order": 2}
    rows = [second(0, {LIST: quick()}, counters=made)]
    rows += [second(n, {LIST: quick()}, counters=new) for n in range(1, 5)]
    found = the("engine_per_request", of(tmp_path / "engines", rows))
    assert "an engine is made (8 times at `shop/web.py:3 order`) or disposed of" in found.message


def test_null_pool_without_load_is_no_finding(tmp_path: Path) -> None:
    one = PlaceUse(checkouts=1, holds=1, hold=SECOND // 100, query=SECOND // 100)
    rows = [second(n, {LIST: one if n == 0 else PlaceUse()}) for n in range(60)]
    assert codes(of(tmp_path, rows, pool=NULL_POOL)) == []


def test_a_full_pool_whose_connections_run_queries_is_told_to_predict(tmp_path: Path) -> None:
    busy = place(300, 290, 290)
    rows = [second(n, {LIST: busy}, in_use=3, waiting=4, waits=[400] * 5) for n in range(10)]
    found = the("pool_full", of(tmp_path, rows))
    assert found.severity == "warning"
    assert found.message.startswith(
        "Checkouts waited at a full pool for 10.0 s of the 10.0 s measured. The p99"
    )
    assert found.message.endswith(
        "Predict a larger pool with `loadtest whatif`, or make the queries faster."
    )


def test_single_full_seconds_without_timeouts_are_no_finding(tmp_path: Path) -> None:
    full: dict[str, Any] = {"in_use": 3, "waiting": 4, "waits": [400] * 5}
    rows = [second(n, {LIST: quick()}, **(full if n in (3, 12) else {})) for n in range(20)]
    pool = of(tmp_path, rows)
    assert (codes(pool), pool.full_seconds) == ([], 2)


def test_short_waits_of_a_busy_machine_are_no_finding(tmp_path: Path) -> None:
    rows = [second(n, {LIST: quick()}, in_use=3, waiting=0.02, waits=[2]) for n in range(10)]
    assert codes(of(tmp_path, rows)) == []
