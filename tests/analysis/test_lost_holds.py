"""Holds that do not end: how many, of which process, and which are no leak."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from loadtest.analysis.recordings.read_recording import read_recording
from loadtest.analysis.recordings.summarize_recording import summarize_recording
from loadtest.analysis.recordings.time_window import ALL_TIME, Window
from loadtest.model.interval import SECOND, Interval
from loadtest.model.place_use import USER_ENDED, PlaceUse
from loadtest.model.recorded_places import RecordedPlace
from loadtest.model.recording_summary import RecordedPoolSummary
from tests.analysis.builders import START
from tests.analysis.recorded_pools import write_recording
from tests.analysis.recorded_shop import LIST, PAY, place, quick, second


def summary(folder: Path, window: Window = ALL_TIME) -> RecordedPoolSummary:
    return summarize_recording(read_recording([folder], window)).pools[0]


def of_place(pool: RecordedPoolSummary, name: str = PAY) -> RecordedPlace:
    return next(one for one in pool.places if one.place == name)


def keeping(
    kept: Iterable[int], process: str = "web-1", *, begin: int = 0, ended: int = 0, hold: float = 0
) -> list[Interval]:
    """Seconds with holds in progress of `pay`, the oldest since the begin, and with ended ones."""
    ns = int(hold * SECOND)
    uses = [
        PlaceUse(
            checkouts=ended,
            holds=ended,
            hold=ended * ns,
            query=ended * ns,
            needed=ended * ns,
            kept=number,
            longest_hold=(n + 1) * SECOND,
        )
        for n, number in enumerate(kept)
    ]
    return [
        second(begin + n, {PAY: use, LIST: quick()}, process=process) for n, use in enumerate(uses)
    ]


def test_one_old_hold_among_short_ones_counts_alone(tmp_path: Path) -> None:
    # Ten checkouts a second that last 0.85 s: 8.5 of them are in progress on average.
    write_recording(tmp_path, keeping([9, 10] * 20, ended=10, hold=0.85))
    assert of_place(summary(tmp_path)).lost == 1


def test_many_old_holds_among_short_ones_are_counted(tmp_path: Path) -> None:
    write_recording(tmp_path, keeping([9, 10] * 20, ended=10, hold=0.05))
    assert of_place(summary(tmp_path)).lost == 9


def test_one_connection_for_the_life_of_each_process_is_no_leak(tmp_path: Path) -> None:
    for process in ("web-1", "web-2", "web-3", "web-4"):
        write_recording(tmp_path, keeping([1] * 80, process), process)
    assert summary(tmp_path).findings == ()


def test_holds_of_successive_processes_do_not_add_up(tmp_path: Path) -> None:
    for number in range(3):
        process = f"web-{number}"
        write_recording(tmp_path, keeping([2] * 40, process, begin=60 * number), process)
    pool = summary(tmp_path)
    assert (of_place(pool).lost, of_place(pool).lost_now) == (2, True)
    assert "2 of 3 are still held, the oldest for 40.0 s" in pool.findings[0].message


def test_holds_until_the_end_of_a_process_are_a_leak_though_another_process_has_none(
    tmp_path: Path,
) -> None:
    write_recording(tmp_path, keeping([3] * 40), "web-1")
    later = [second(60 + n, {LIST: quick()}, process="web-2") for n in range(40)]
    write_recording(tmp_path, later, "web-2")
    pool = summary(tmp_path)
    assert "3 of 3 were in use when a process ended, the oldest for 40.0 s" in (
        pool.findings[0].message
    )


def test_a_hold_at_the_end_of_a_window_may_have_ended_after_it(tmp_path: Path) -> None:
    write_recording(tmp_path, keeping([2] * 80))
    assert of_place(summary(tmp_path, Window(START, START + 60))).lost == 0
    assert of_place(summary(tmp_path, Window(START, START + 80))).lost == 2


@pytest.mark.parametrize(("holds", "found"), [(1, ["leak"]), (100, [])])
def test_a_moment_after_the_end_of_a_task_is_no_leak(
    tmp_path: Path, holds: int, found: list[str]
) -> None:
    # A connection is seen after its task in a second of ten: for 100 ms or 1 ms of each hold.
    use = place(5, 4, idle_at=Counter())
    rows = []
    for n in range(100):
        ended = {"idle_at": Counter({USER_ENDED: 1 if n % 10 == 0 else 0})}
        ns = holds * 5 * SECOND // 1000
        one = PlaceUse(checkouts=holds, holds=holds, hold=ns, query=ns, needed=ns, **ended)
        rows.append(second(n, {PAY: one, LIST: use}))
    write_recording(tmp_path, rows)
    pool = summary(tmp_path)
    assert [finding.code for finding in pool.findings] == found
    assert all(finding.severity == "warning" for finding in pool.findings)
