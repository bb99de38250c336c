"""The parts of a recording are followed while they are written."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtest.model.errors import UsageError
from loadtest.recording.part_files import compressed
from loadtest.runfile.followed_recording import FollowedRecording
from tests.runfile.driven_runs import application_second, driven, load_second, part


def seconds(recording: FollowedRecording) -> list[int]:
    """The seconds of the new intervals, after the first one."""
    records = [line.record for _, line in recording.new() if line.record]
    begin = application_second(0).second
    return [one["second"] - begin for one in records if one["type"] == "interval"]


def test_each_line_is_new_once(tmp_path: Path) -> None:
    path = part(tmp_path, map(application_second, range(3)))
    lines = path.read_bytes().splitlines(keepends=True)
    recording = FollowedRecording(tmp_path)
    path.write_bytes(lines[0][:50])
    assert seconds(recording) == []
    assert recording.parts[path.name].header is None
    path.write_bytes(b"".join(lines[:2]) + lines[2][:50])
    assert seconds(recording) == [0]
    path.write_bytes(b"".join(lines))
    assert seconds(recording) == [1, 2]
    assert seconds(recording) == []


def test_a_part_that_is_compressed_meanwhile_is_read_on(tmp_path: Path) -> None:
    path = part(tmp_path, map(application_second, range(3)))
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2]))
    recording = FollowedRecording(tmp_path)
    assert seconds(recording) == [0]
    path.write_bytes(b"".join(lines))
    compressed(path)
    part(tmp_path, [application_second(3)], number=2)
    assert seconds(recording) == [1, 2, 3]
    assert len(recording.parts) == 2


def test_a_compressed_part_that_is_cut_off_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    packed = part(tmp_path, map(application_second, range(3)))
    compressed(packed)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-9])
    assert seconds(FollowedRecording(tmp_path)) == [0, 1, 2]


def test_a_damaged_line_has_no_record(tmp_path: Path) -> None:
    path = part(tmp_path, [application_second(0), application_second(1)])
    path.write_bytes(path.read_bytes().replace(b'"waiting"', b'"waitinG"', 1))
    damaged, sound, footer = (line for _, line in FollowedRecording(tmp_path).new())
    assert damaged.record is None
    assert sound.record
    assert footer.record


def test_a_damaged_header_is_refused(tmp_path: Path) -> None:
    path = part(tmp_path, [])
    path.write_bytes(path.read_bytes().replace(b"shop", b"shoq"))
    with pytest.raises(UsageError, match=r"the header, is damaged \(wrong checksum\)"):
        list(FollowedRecording(tmp_path).new())


def test_a_run_of_a_load_test_is_refused(tmp_path: Path) -> None:
    path, _ = driven(tmp_path, [load_second(0)])
    with pytest.raises(UsageError, match="is not a part of a recording"):
        list(FollowedRecording(path.parent).new())
