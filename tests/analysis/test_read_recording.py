"""Recordings as they are read: parts, processes, seconds; and files that are cut off or mixed."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from loadtest.analysis.recordings import read_processes
from loadtest.analysis.recordings.read_recording import read_recording
from loadtest.analysis.recordings.time_window import Window
from loadtest.model.errors import UsageError
from loadtest.model.interval import Interval
from loadtest.recording.process_recorder import ProcessRecorder
from loadtest.runfile.folders import holds_recording
from loadtest.runfile.reader import RunFile
from tests.analysis.builders import SECOND, START, interval, run
from tests.analysis.recorded_pools import recorded, recorded_header, write_recording
from tests.recording.recorded import made, use


def busy(second: int, checkouts: int = 10, in_use: int = 1, **more: Any) -> Interval:
    gauges = {"in_use": in_use, "open": 2, "idle": 2 - in_use, "waiting": 0, "engines": 1}
    return interval(
        second, counters={"checkouts": checkouts}, gauges=gauges, wait=[1] * checkouts, **more
    )


def test_processes_and_parts_together_are_one_pool(tmp_path: Path) -> None:
    write_recording(tmp_path, [busy(0), busy(1)], part=1)
    write_recording(tmp_path, [busy(2)], part=2)
    write_recording(tmp_path, [busy(1, process="web-2")], "web-2")
    recording = read_recording([tmp_path])
    pool = recording.pool("shop")
    assert (recording.application, recording.problems, recording.going_on) == ("shop.web", [], [])
    assert [(one.name, len(one.headers)) for one in pool.processes] == [("web-1", 2), ("web-2", 1)]
    assert pool.total.counters["checkouts"] == 40
    assert pool.total.histograms["wait"].count == 40
    assert (pool.seconds, pool.total.second) == (3, START)
    seconds = pool.by_second
    assert seconds.processes.tolist() == [1, 2, 1]
    assert seconds.count("checkouts").tolist() == [10, 20, 10]
    assert seconds.level("in_use").tolist() == [1, 2, 1]
    assert seconds.most("open").tolist() == [2, 4, 2]
    assert seconds.limit.tolist() == [3, 6, 3]


def test_seconds_without_any_process_are_gaps(tmp_path: Path) -> None:
    pool = recorded(tmp_path, [busy(0), busy(1), busy(5)])
    assert pool.by_second.gaps == [(START + 2, START + 5)]
    assert (pool.seconds, pool.by_second.length) == (3, 6)
    assert pool.by_second.limit.tolist() == [3, 3, 0, 0, 0, 3]


def test_an_interval_of_ten_seconds_is_spread_over_them(tmp_path: Path) -> None:
    pool = recorded(tmp_path, [busy(0), busy(1, 25, in_use=2, length=10 * SECOND)])
    seconds = pool.by_second
    assert seconds.count("checkouts").tolist() == [10, 3, 3, 3, 3, 3, 2, 2, 2, 2, 2]
    assert seconds.level("in_use").tolist() == [1, *[2] * 10]
    assert pool.seconds == 11
    assert pool.total.counters["checkouts"] == 35
    assert pool.block_seconds == 10


def test_engines_that_share_a_file_have_a_pool_each(tmp_path: Path) -> None:
    second = busy(0)
    second.gauges["engines"] = interval(gauges={"engines": 4}).gauges["engines"]
    assert recorded(tmp_path, [second]).by_second.limit.tolist() == [12]


def test_pools_without_a_limit_have_none(tmp_path: Path) -> None:
    pool = {"name": "shop", "poolclass": "NullPool", "pool_size": None, "max_overflow": None}
    assert recorded(tmp_path, [busy(0)], pool=pool).by_second.limit.tolist() == [float("inf")]


def test_processes_may_have_different_settings(tmp_path: Path) -> None:
    larger = {**recorded_header()["pool"], "pool_size": 10}
    write_recording(tmp_path, [busy(0)])
    write_recording(tmp_path, [busy(0, process="web-2")], "web-2", pool=larger)
    pool = read_recording([tmp_path]).pool()
    assert [settings.pool_size for settings in pool.settings] == [2, 10]
    assert pool.by_second.limit.tolist() == [3 + 11]


def test_a_window_of_time_is_read_alone(tmp_path: Path) -> None:
    write_recording(tmp_path, [busy(second) for second in range(10)])
    pool = read_recording([tmp_path], Window(START + 2, START + 5)).pool()
    assert (pool.total.second, pool.seconds) == (START + 2, 3)
    assert pool.total.counters["checkouts"] == 30


def test_a_part_that_is_being_written_is_read_up_to_its_last_whole_line(tmp_path: Path) -> None:
    path = write_recording(tmp_path, [busy(0), busy(1)], ended=False)
    whole = path.read_bytes()
    path.write_bytes(whole + whole.splitlines()[-1][:50])
    recording = read_recording([tmp_path])
    assert recording.pool().seconds == 2
    assert (recording.problems, recording.going_on) == ([], ["web-1"])


def test_an_original_beside_its_compressed_form_counts_once(tmp_path: Path) -> None:
    packed = write_recording(tmp_path, [busy(0)])
    packed.with_suffix("").write_bytes(gzip.decompress(packed.read_bytes()))
    assert read_recording([tmp_path]).pool().total.counters["checkouts"] == 10


def test_a_copy_in_another_folder_counts_once(tmp_path: Path) -> None:
    path = write_recording(tmp_path / "one", [busy(0)])
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / path.name).write_bytes(path.read_bytes())
    folders = [tmp_path / "one", tmp_path / "two"]
    assert read_recording(folders).pool().total.counters["checkouts"] == 10


def test_a_part_that_is_compressed_after_it_was_listed_is_found(tmp_path: Path) -> None:
    packed = write_recording(tmp_path, [busy(0)])
    assert read_recording([tmp_path]).pool().seconds == 1
    assert holds_recording([packed])
    file = RunFile(packed.with_suffix(""))
    assert [one.second for one in file.whole()] == [START]


def test_a_truncated_file_is_read_as_far_as_it_goes_and_named(tmp_path: Path) -> None:
    path = write_recording(tmp_path, [busy(second, second + 1) for second in range(300)])
    path.write_bytes(path.read_bytes()[:-4000])
    recording = read_recording([tmp_path])
    assert 0 < recording.pool().seconds < 300
    (problem,) = recording.problems
    assert problem.startswith(path.name)
    assert problem.endswith("is damaged (the compressed file is cut off or damaged)")


def test_a_file_without_a_whole_line_is_named(tmp_path: Path) -> None:
    write_recording(tmp_path, [busy(0)])
    path = write_recording(tmp_path, [busy(1)], part=2)
    path.write_bytes(path.read_bytes()[:30])
    (problem,) = read_recording([tmp_path]).problems
    assert problem == f"{path} is cut off or damaged: it has no whole line"


def test_different_applications_are_refused_until_one_is_chosen(tmp_path: Path) -> None:
    write_recording(tmp_path, [busy(0)])
    write_recording(tmp_path, [busy(0)], "mail-1", name="shop.mail")
    with pytest.raises(UsageError, match=r"different applications \(shop.mail and shop.web\)"):
        read_recording([tmp_path])
    assert read_recording([tmp_path], application="shop.mail").pool().processes[0].name == "mail-1"
    with pytest.raises(UsageError, match="no recording of 'other'; there is one of"):
        read_recording([tmp_path], application="other")


def test_a_recording_without_a_checkout_is_refused(tmp_path: Path) -> None:
    write_recording(tmp_path, [interval(0)])
    with pytest.raises(UsageError, match="the recording of shop has no checkout: the application"):
        read_recording([tmp_path])


def test_a_window_without_a_checkout_is_refused(tmp_path: Path) -> None:
    write_recording(tmp_path, [busy(0)])
    with pytest.raises(UsageError, match="no checkout in the requested time"):
        read_recording([tmp_path], Window(START + 10, START + 20))


def test_a_folder_without_a_recording_is_refused(tmp_path: Path) -> None:
    assert not holds_recording([tmp_path])
    with pytest.raises(UsageError, match="no recording"):
        read_recording([tmp_path])


def test_a_run_of_a_load_test_among_the_parts_is_refused(tmp_path: Path) -> None:
    write_recording(tmp_path, [busy(0)])
    run(tmp_path, [interval(0)])
    with pytest.raises(UsageError, match="is a run of a load test; give recordings only"):
        read_recording([tmp_path])


def test_what_an_application_records_is_read(tmp_path: Path) -> None:
    recorder = ProcessRecorder()
    engine = made(pool_size=2, max_overflow=1)
    recorder.add(engine, {"folder": tmp_path, "name": "shop"})
    use(engine, 5)
    recorder.close()
    engine.dispose()
    recording = read_recording([tmp_path])
    assert (recording.application, recording.going_on) == ("shop", [])
    assert recording.pool("sqlite").total.counters["checkouts"] == 5
    assert recording.pool().settings[0].pool_size == 2
    with pytest.raises(UsageError, match="no pool 'other'; it has sqlite"):
        recording.pool("other")


def test_many_files_are_read_in_several_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for process in ("web-1", "web-2", "web-3"):
        rows = [busy(second, process=process) for second in range(3)]
        write_recording(tmp_path, rows, process)
    alone = read_recording([tmp_path]).pool()
    monkeypatch.setattr(read_processes, "_WORTH_PROCESSES_BYTES", 0)
    together = read_recording([tmp_path]).pool()
    assert [one.name for one in together.processes] == ["web-1", "web-2", "web-3"]
    assert together.total == alone.total
    assert together.blocks == alone.blocks


def test_parts_outside_of_a_window_are_not_read(tmp_path: Path) -> None:
    for part in range(4):
        rows = [busy(1000 * part + second) for second in range(3)]
        write_recording(tmp_path, rows, part=part + 1, started=START + 1000.0 * part)
    damaged = next(tmp_path.glob("*-0001.jsonl.gz"))
    damaged.write_bytes(damaged.read_bytes()[:-60])
    recording = read_recording([tmp_path], Window(START + 2000, START + 2002))
    assert (recording.pool().seconds, recording.problems) == (2, [])
