"""Other processes as their files show them: totals never fall from part to part."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from loadtest.model.end_reason import End, EndReason
from loadtest.recording.pool_recording import PoolRecording
from loadtest.recording.recording_settings import RecordingSettings
from loadtest.recording.size_budget import SizeBudget
from loadtest.recording.telemetry.neighbours import Neighbours
from loadtest.recording.telemetry.pool_reading import PoolReading
from tests.recording.recorded import made, use
from tests.recording.test_rolling_file import MEGABYTE, Time

END, PORT = End(EndReason.FINISHED), 9400


class Other:
    """A pool of another process on this host, cut by hand; slot: of the process."""

    def __init__(self, folder: Path, number: int, slot: int = 0, **changes: Any) -> None:
        self.engine = made(pool_size=2, max_overflow=1)
        settings = RecordingSettings(folder=folder, name="shop")
        budget = SizeBudget(100 * MEGABYTE, Time())
        self.recording = PoolRecording(f"main{number}", self.engine, settings, budget)
        self.recording._facts["pool"]["name"] = "main"
        self.recording.shown = lambda: {"metrics_port": PORT, "slot": slot, **changes}
        recorder = self.recording._recorder
        recorder.process = changes.get("process") or f"{recorder.process}{number}"
        self.recording.add(self.engine)

    def work(self, times: int = 1) -> None:
        use(self.engine, times)
        self.recording.cut()

    def close(self) -> None:
        self.recording.close(END)
        self.engine.dispose()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "recordings"
    made.mkdir()
    return made


@pytest.fixture
def neighbours(folder: Path) -> Neighbours:
    return Neighbours(folder, PORT)


@pytest.fixture
def other(folder: Path) -> Iterator[Other]:
    one = Other(folder, 1)
    yield one
    one.close()


def waits(reading: PoolReading) -> int:
    """The number of waits; checkouts and the counter agree with it."""
    times = reading.totals.times["wait"]
    counted = sum(n for name, n in reading.totals.counters.items() if name.startswith("checkouts."))
    assert counted == times.buckets.sum()
    return counted


def test_an_empty_folder_has_no_neighbours(neighbours: Neighbours) -> None:
    assert neighbours.readings() == []


def test_each_reading_adds_what_was_written_since(neighbours: Neighbours, other: Other) -> None:
    seen = []
    for count in (2, 3, 4):
        other.work(count)
        (reading,) = neighbours.readings()
        seen.append(waits(reading))
    assert seen == [2, 5, 9]
    assert (reading.pool, reading.slot) == ("main", 0)
    assert reading.levels
    assert (reading.levels.most, reading.levels.gauges["idle"]) == (3, 1)


def test_totals_are_exact_over_parts_whether_they_were_read_or_not(
    neighbours: Neighbours, folder: Path, other: Other
) -> None:
    other.recording._file._part_bytes = 4000
    expected, late = 0, Neighbours(folder, PORT)
    for second in range(40):
        other.work(1 + second % 3)
        expected += 1 + second % 3
        (reading,) = neighbours.readings()
        assert waits(reading) == expected
    parts = {path.name for path in folder.iterdir()}
    assert len(parts) > 5
    (reading,) = late.readings()
    assert waits(reading) == expected


def test_a_part_that_is_compressed_between_two_readings_is_read_on(
    neighbours: Neighbours, other: Other
) -> None:
    other.work(2)
    neighbours.readings()
    other.recording._file.end_part()
    (reading,) = neighbours.readings()
    assert waits(reading) == 2
    assert reading.levels, "it goes on with the next part"
    other.work(5)
    (reading,) = neighbours.readings()
    assert waits(reading) == 7


def test_of_an_ended_process_the_totals_stay_with_its_last_second(
    neighbours: Neighbours, folder: Path
) -> None:
    other = Other(folder, 1)
    other.work(2)
    neighbours.readings()
    use(other.engine, 4)
    other.close()
    (reading,) = neighbours.readings()
    assert waits(reading) == 6
    assert reading.levels is None


def test_a_killed_process_has_no_levels(neighbours: Neighbours, folder: Path) -> None:
    other = Other(folder, 1)
    other.work(2)
    neighbours.readings()
    other.recording._file.abandon()
    (reading,) = neighbours.readings()
    assert waits(reading) == 2
    assert reading.levels is None
    other.engine.dispose()


def test_a_later_process_has_the_slot_of_an_ended_one(neighbours: Neighbours, folder: Path) -> None:
    first, beside = Other(folder, 1, slot=0), Other(folder, 2, slot=1)
    first.work(2)
    beside.work(3)
    assert sorted((one.slot, waits(one)) for one in neighbours.readings()) == [(0, 2), (1, 3)]
    first.close()
    later = Other(folder, 3, slot=0)
    later.work(1)
    assert sorted((one.slot, waits(one)) for one in neighbours.readings()) == [(0, 1), (1, 3)]
    assert len(neighbours.readings()) == 2
    beside.close()
    later.close()


@pytest.mark.parametrize(
    "change", [{"metrics_port": PORT + 1}, {"process": "elsewhere-1"}, {"metrics_port": 0}]
)
def test_recordings_of_another_port_or_host_are_not_shown(
    neighbours: Neighbours, folder: Path, change: dict[str, Any]
) -> None:
    other = Other(folder, 1, **change)
    other.work()
    assert neighbours.readings() == []
    other.close()


def test_the_own_recording_is_not_read(neighbours: Neighbours, other: Other) -> None:
    other.recording._recorder.process = neighbours._process
    other.work()
    assert neighbours.readings() == []


def test_processes_that_ended_before_are_not_shown_and_running_ones_are(
    folder: Path, other: Other, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended, killed = Other(folder, 2, slot=1), Other(folder, 3, slot=2)
    for one in (other, ended, killed):
        one.work()
    ended.close()
    killed.recording._file.abandon()
    killed.engine.dispose()
    monkeypatch.setattr("loadtest.recording.telemetry.neighbours._SAME_TIME", -60)
    neighbours = Neighbours(folder, PORT)  # as if it began a minute later
    for time in (2**33, 1):  # a file may be changed later, when another process compresses it
        for path in folder.iterdir():
            os.utime(path, (time, time))
        (reading,) = neighbours.readings()
        assert reading.slot == 0
        assert reading.levels


def test_a_living_process_is_shown_whichever_file_was_changed_last(
    neighbours: Neighbours, folder: Path
) -> None:
    ended = Other(folder, 1)
    ended.work(2)
    ended.close()
    living = Other(folder, 2)
    living.work(3)
    for path in folder.glob("main1*"):
        os.utime(path, (2**33, 2**33))
    (reading,) = neighbours.readings()
    assert waits(reading) == 3
    assert reading.levels
    living.close()


def test_a_line_that_is_being_written_is_read_when_it_is_whole(
    neighbours: Neighbours, folder: Path, tmp_path: Path
) -> None:
    other = Other(tmp_path / "elsewhere", 1)
    other.work(2)
    (path,) = (tmp_path / "elsewhere").iterdir()
    written = path.read_bytes()
    found, at = [], 0
    with (folder / path.name).open("ab", buffering=0) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        for size in (10, len(written) - 10, len(written)):
            at += file.write(written[at:size])
            found.append([sum(one.totals.counters.values()) for one in neighbours.readings()])
    assert found == [[], [0], [3]], "two checkouts, one opened connection"
    other.close()


def test_a_damaged_recording_is_left_out_and_the_others_stay(
    neighbours: Neighbours, folder: Path, other: Other, caplog: pytest.LogCaptureFixture
) -> None:
    damaged = Other(folder, 2, slot=1)
    other.work()
    damaged.work()
    assert len(neighbours.readings()) == 2
    path = next(folder.glob("main2*"))
    damaged.recording._file.abandon()
    with path.open("ab") as file:
        file.write(b'{"type":"interval"}\n')
    (reading,) = neighbours.readings()
    assert reading.slot == 0
    assert "a recording is left out: no checksum" in caplog.text
    damaged.engine.dispose()


def test_totals_stay_when_the_folder_is_deleted(
    neighbours: Neighbours, folder: Path, other: Other
) -> None:
    other.work(2)
    neighbours.readings()
    shutil.rmtree(folder)
    for _ in range(2):
        (reading,) = neighbours.readings()
        assert waits(reading) == 2


def test_a_deleted_file_is_followed_by_the_next_part(
    neighbours: Neighbours, folder: Path, other: Other
) -> None:
    other.work(2)
    neighbours.readings()
    for path in folder.glob("main1*"):
        path.unlink()
    (reading,) = neighbours.readings()
    assert (waits(reading), reading.levels) == (2, None)
    other.work(3)
    (reading,) = neighbours.readings()
    assert waits(reading) == 5
    assert reading.levels


def test_a_recording_that_was_damaged_before_is_left_out(
    neighbours: Neighbours, folder: Path
) -> None:
    damaged = Other(folder, 1)
    damaged.work()
    damaged.recording._file.abandon()
    damaged.engine.dispose()
    (path,) = folder.iterdir()
    path.write_bytes(path.read_bytes().replace(b'"second"', b'"minute"'))
    assert neighbours.readings() == []


def test_foreign_files_are_left_alone(neighbours: Neighbours, folder: Path) -> None:
    (folder / "notes.txt").write_text("x")
    (folder / "notes-0001.jsonl").write_text("not a header\n")
    (folder / "notes-0002.jsonl.gz").write_bytes(b"not compressed\n")
    (folder / ".slot-0").write_text("")
    assert neighbours.readings() == []
