"""The processes of a recording: their parts, their number, and names that occur twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from loadtest.analysis.fleet.recorded_fleet import recorded_fleet
from loadtest.analysis.recordings import read_recording as reading
from loadtest.analysis.recordings.read_recording import read_recording
from loadtest.analysis.recordings.summarize_recording import summarize_recording
from loadtest.analysis.recordings.time_window import Window
from loadtest.model.interval import Gauge
from loadtest.pool.engine_settings import WAITS_FOR_EVER
from loadtest.recording.process_recorder import ProcessRecorder
from loadtest.report.recorded.recording_rows import recorded_facts
from loadtest.runfile.recording_files import RecordingFiles, recording_files
from tests.analysis.builders import SECOND, START
from tests.analysis.recorded_pools import recorded_header, write_recording
from tests.analysis.test_read_recording import busy
from tests.recording.recorded import made, use


def test_a_part_that_is_deleted_before_it_is_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = write_recording(tmp_path, [busy(0)], part=1)
    write_recording(tmp_path, [busy(1)], part=2)

    def found_and_deleted(paths: list[Path]) -> RecordingFiles:
        found = recording_files(paths)
        first.unlink()
        return found

    monkeypatch.setattr(reading, "recording_files", found_and_deleted)
    recording = read_recording([tmp_path])
    assert recording.pool().seconds == 1
    (problem,) = recording.problems
    assert problem == f"cannot read {first}: No such file or directory"


def test_processes_of_a_single_second_are_counted(tmp_path: Path) -> None:
    for number in (1, 2):
        process = f"web-{number}"
        write_recording(tmp_path, [busy(0, process=process)], process)
    fleet = recorded_fleet(read_recording([tmp_path]).pools)
    assert (fleet.hosts, fleet.processes) == (1, 2)


def begun(at: float) -> dict[str, Any]:
    """The part of a header of a process that began at a time."""
    return {"recording": {"process": "node-1", "part": 1, "database": "", "began": at}}


def test_processes_with_the_same_name_are_several(tmp_path: Path) -> None:
    for number in (1, 2):
        rows = [busy(second, in_use=2, process="node-1") for second in range(3)]
        write_recording(tmp_path / str(number), rows, "node-1", **begun(START - number))
    recording = read_recording([tmp_path / "1", tmp_path / "2"])
    seconds = recording.pool().by_second
    assert seconds.processes.tolist() == [2, 2, 2]
    assert seconds.level("in_use").tolist() == [4, 4, 4]
    assert seconds.limit.tolist() == [6, 6, 6]
    assert recorded_fleet(recording.pools).processes == 2


def test_a_restarted_container_has_its_new_settings_from_then_on(tmp_path: Path) -> None:
    larger = {**recorded_header()["pool"], "pool_size": 20}
    earlier = [busy(0, process="node-1")]
    later = [busy(1, process="node-1")]
    write_recording(tmp_path / "1", earlier, "node-1", **begun(START))
    write_recording(tmp_path / "2", later, "node-1", pool=larger, **begun(START + 1))
    pool = read_recording([tmp_path / "1", tmp_path / "2"]).pool()
    assert pool.by_second.limit.tolist() == [3, 21]


def test_pools_of_one_process_have_its_begin(tmp_path: Path) -> None:
    recorder, engines = ProcessRecorder(), [made(pool_size=size) for size in (1, 2)]
    for engine in engines:
        recorder.add(engine, {"folder": tmp_path, "name": "shop"})
        use(engine)
    recorder.close()
    for engine in engines:
        engine.dispose()
    recording = read_recording([tmp_path])
    first, second = (pool.processes[0].identity for pool in recording.pools)
    assert first == second
    assert first[1] > START
    assert recorded_fleet(recording.pools).processes == 1


def test_parts_are_in_the_order_of_their_numbers_if_the_clock_was_set_back(
    tmp_path: Path,
) -> None:
    first = [busy(7200 + second) for second in range(3)]
    write_recording(tmp_path, first, part=1, started=START + 7200.0, continued=True)
    later = [busy(600 + second) for second in range(3)]
    write_recording(tmp_path, later, part=2, started=START + 600.0, ended=False)
    assert read_recording([tmp_path]).going_on == ["web-1"]
    window = Window(START + 7200, START + 7210)
    assert read_recording([tmp_path], window).pool().seconds == 3


def test_a_part_that_is_missing_between_others_is_named(tmp_path: Path) -> None:
    for part in (2, 3, 5, 8):
        write_recording(tmp_path, [busy(part)], part=part)
    write_recording(tmp_path, [busy(9, process="web-2")], "web-2", part=7)
    stem = "shop-web-1-20250615-150640"
    assert read_recording([tmp_path]).problems == [
        f"{stem}: part 4 is missing",
        f"{stem}: parts 6 to 7 are missing",
    ]


def test_a_process_whose_next_part_is_missing_has_not_ended(tmp_path: Path) -> None:
    write_recording(tmp_path, [busy(0)], continued=True)
    assert read_recording([tmp_path]).going_on == ["web-1"]


def test_an_interval_of_ten_seconds_belongs_to_the_window_with_its_middle(tmp_path: Path) -> None:
    write_recording(tmp_path, [busy(0, length=10 * SECOND), busy(10, length=10 * SECOND)])
    for window, begin, seconds in (
        (Window(START + 3, START + 20), 0, 20),
        (Window(START + 6, START + 20), 10, 10),
        (Window(START, START + 13), 0, 10),
    ):
        pool = read_recording([tmp_path], window).pool()
        assert (pool.by_second.begin - START, pool.seconds) == (begin, seconds)


def test_full_seconds_of_an_interval_of_ten_are_the_fewest_possible(tmp_path: Path) -> None:
    row = busy(0, in_use=3, length=10 * SECOND)
    row.gauges["waiting"] = Gauge(12 * SECOND, 0, 5, 0)
    write_recording(tmp_path, [row])
    recording = read_recording([tmp_path])
    assert recording.pool().by_second.level("waiting").tolist() == [4, 4, 4, *[0] * 7]
    pool = summarize_recording(recording).pools[0]
    assert (pool.full_seconds, pool.coarse_seconds) == (3, 10)
    told = dict(recorded_facts(pool))
    assert told["recorded in intervals of ten seconds or more"] == (
        "10.0 s of all processes (size limit)"
    )


def test_a_process_and_its_successor_in_the_same_second_count_once(tmp_path: Path) -> None:
    ending = [busy(0), busy(1, length=SECOND // 3)]
    write_recording(tmp_path, ending)
    following = [busy(1, process="web-2", length=SECOND // 2), busy(2, process="web-2")]
    write_recording(tmp_path, following, "web-2")
    pool = summarize_recording(read_recording([tmp_path])).pools[0]
    assert (pool.processes, pool.processes_most, pool.connections.allowed) == (2, 1, 3)


def test_a_process_of_less_than_half_a_second_counts(tmp_path: Path) -> None:
    write_recording(tmp_path, [busy(0, length=SECOND // 5)])
    pool = summarize_recording(read_recording([tmp_path])).pools[0]
    assert (pool.processes_most, pool.connections.allowed) == (1, 3)


def test_a_pool_that_waits_for_ever_is_read(tmp_path: Path) -> None:
    recorder, engine = ProcessRecorder(), made(pool_timeout=None)
    recorder.add(engine, {"folder": tmp_path, "name": "shop"})
    use(engine)
    recorder.close()
    engine.dispose()
    assert read_recording([tmp_path]).pool().settings[0].pool_timeout == WAITS_FOR_EVER
