"""Reading a long recording takes little memory and time: what is not looked at is not kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtest.analysis.recordings.part_of_recording import ReportedTime, read_reported_time
from loadtest.model.interval import SECOND, Interval, total
from loadtest.model.place_use import PlaceUse
from loadtest.model.recording_summary import TimeSpan
from loadtest.report.recorded.time_axis import joined_spans
from loadtest.runfile.reader import FilePart, RunFile
from tests.analysis.builders import START
from tests.analysis.recorded_pools import recorded, write_recording
from tests.analysis.recorded_shop import LIST, PAY, paying, quick, second


def test_the_seconds_of_places_are_not_kept(tmp_path: Path) -> None:
    pool = recorded(tmp_path, [second(n, {PAY: paying(), LIST: quick()}) for n in range(3)])
    (process,) = pool.processes
    assert set(process.columns.times) == {"wait", "hold"}
    assert {f"hold@{PAY}", f"needed@{LIST}"} <= pool.total.histograms.keys()


def test_a_total_takes_new_intervals_without_copying_its_places() -> None:
    whole = total([Interval(0, places={PAY: PlaceUse(checkouts=1, kept=1, longest_hold=5)})])
    kept = whole.places[PAY]
    later = Interval(1, places={PAY: PlaceUse(checkouts=2, kept=2, longest_hold=3)})
    whole.absorb(later)
    assert whole.places[PAY] is kept
    assert kept == PlaceUse(checkouts=3, kept=2, longest_hold=5)
    assert later.places[PAY] == PlaceUse(checkouts=2, kept=2, longest_hold=3)


def test_a_place_that_is_not_in_a_later_interval_keeps_nothing() -> None:
    first = Interval(0, places={PAY: PlaceUse(checkouts=1, kept=1, hold=SECOND)})
    whole = total([first, Interval(1, places={LIST: PlaceUse(kept=3)})])
    assert whole.places == {PAY: PlaceUse(checkouts=1, hold=SECOND), LIST: PlaceUse(kept=3)}
    assert first.places[PAY].kept == 1


@pytest.mark.parametrize(
    ("asked", "parts"),
    [
        (ReportedTime(since="10s"), ["0004", "0004"]),
        (ReportedTime(busiest=2.0), ["0001", "0002", "0003", "0004", "0001", "0004"]),
    ],
)
def test_a_part_of_the_time_is_read_without_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: ReportedTime, parts: list[str]
) -> None:
    for part in range(4):
        seconds = range(1000 * part, 1000 * part + (3 if part < 3 else 100))
        rows = [second(n, {LIST: quick()}, in_use=4 - part) for n in seconds]
        write_recording(tmp_path, rows, part=part + 1, started=START + 1000.0 * part)
    read: list[str] = []
    whole = RunFile.whole

    def noted(file: RunFile) -> FilePart:
        read.append(file.path.name.partition(".")[0][-4:])
        return whole(file)

    monkeypatch.setattr(RunFile, "whole", noted)
    assert read_reported_time([tmp_path], asked).pool().seconds > 0
    assert read == parts


def test_full_times_that_cannot_be_told_apart_are_drawn_as_one() -> None:
    spans = [TimeSpan(begin=n, end=n + 5) for n in (0, 10, 50, 60)]
    assert joined_spans(spans, 6.0) == [(0, 15), (50, 65)]
    assert joined_spans(spans, 5.0) == [(0, 5), (10, 15), (50, 55), (60, 65)]
