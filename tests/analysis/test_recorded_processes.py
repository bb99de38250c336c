"""The processes of a recording: their parts, their number, and names that occur twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtest.analysis.fleet.recorded_fleet import recorded_fleet
from loadtest.analysis.recordings import read_recording as reading
from loadtest.analysis.recordings.read_recording import read_recording
from loadtest.runfile.recording_files import RecordingFiles, recording_files
from tests.analysis.recorded_pools import write_recording
from tests.analysis.test_read_recording import busy


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
    fleet = recorded_fleet(read_recording([tmp_path]))
    assert (fleet.hosts, fleet.processes) == (1, 2)
