"""The run that drove an application has the application's intervals, too."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from loadtest.model.errors import UsageError
from loadtest.model.interval import SERVER, Interval
from loadtest.model.pool import PoolSettings
from loadtest.recording.part_files import compressed
from loadtest.runfile.folders import holds_recording
from loadtest.runfile.merged_recording import leave_known, merge, merge_left
from loadtest.runfile.reader import read_run
from loadtest.runfile.writer import RunWriter
from tests.analysis.builders import MILLISECOND, SECOND, interval
from tests.runfile.driven_runs import (
    OF_APPLICATION,
    application_second,
    driven,
    load_second,
    of_application,
    part,
    read,
)

FACTS = {"name": "shop", "command": "uvicorn shop.web:app", "ready": "http://127.0.0.1:8800/"}


def test_a_second_gets_the_period_that_covers_most(tmp_path: Path) -> None:
    load = [
        load_second(0, period="warmup", length=700 * MILLISECOND),
        load_second(1, period="warmup", length=300 * MILLISECOND),
        load_second(1, length=700 * MILLISECOND),
        load_second(2, length=900 * MILLISECOND),
        load_second(2, period="drain", length=100 * MILLISECOND),
        load_second(3, period="drain", length=900 * MILLISECOND),
    ]
    load[2].stage = load[3].stage = "peak"
    path, recordings = driven(tmp_path, load)
    part(recordings, map(application_second, range(4)))
    merge(path, recordings, FACTS)
    found = [(one.second - load[0].second, one.period, one.stage) for one in of_application(path)]
    assert found == [
        (0, "warmup", ""),
        (1, "measured", "peak"),
        (2, "measured", "peak"),
        (3, "drain", ""),
    ]


def test_a_process_that_only_forks_is_left_out(tmp_path: Path) -> None:
    after = application_second(1).second
    for name, forked in (("some", {7: after, 9: after}), ("all", {7: after, 8: after})):
        (tmp_path / name).mkdir()
        path, recordings = driven(tmp_path / name, [load_second(0)])
        for process in ("web-7", "web-8"):
            part(recordings, [application_second(0, process)], process=process)
        merge(path, recordings, FACTS, (), forked)
        found = {one.process for one in of_application(path)}
        assert found == ({"web-8"} if name == "some" else {"web-7", "web-8"})


def in_periods(first: int) -> list[Interval]:
    """A warm-up of 2 s, 5 measured seconds and 1 s of drain, each beginning `first` ms late."""
    lengths = [first, 1000 - first]
    found = []
    for second in range(9):
        for place, length in enumerate(lengths):
            began = second - (place == 0)  # the second after the load's begin to which it belongs
            period = "warmup" if began < 2 else "measured" if began < 7 else "drain"
            if length and 0 <= began < 8:
                found.append(load_second(second, period=period, length=length * MILLISECOND))
    return found


@pytest.mark.parametrize("first", [0, 1, 250, 499, 500, 501, 750, 999])
def test_the_application_has_as_many_measured_seconds(tmp_path: Path, first: int) -> None:
    path, recordings = driven(tmp_path, in_periods(first))
    part(recordings, map(application_second, range(-2, 12)))
    merge(path, recordings, FACTS)
    assert sum(one.period == "measured" for one in of_application(path)) == 5


@pytest.mark.parametrize("first", [0, 400, 600])
def test_a_load_without_drain_has_as_many_measured_seconds(tmp_path: Path, first: int) -> None:
    load = [one for one in in_periods(first) if one.period != "drain"]
    path, recordings = driven(tmp_path, load)
    part(recordings, map(application_second, range(-2, 12)))
    merge(path, recordings, FACTS)
    assert sum(one.period == "measured" for one in of_application(path)) == 5


def test_measured_time_that_is_a_little_short_keeps_all_its_seconds(tmp_path: Path) -> None:
    load = [load_second(0, period="warmup", length=585 * MILLISECOND)]
    load += [load_second(0, length=415 * MILLISECOND), *map(load_second, range(1, 5))]
    load += [load_second(5, length=425 * MILLISECOND)]
    load += [load_second(5, period="drain", length=575 * MILLISECOND)]
    path, recordings = driven(tmp_path, load)
    part(recordings, map(application_second, range(6)))
    merge(path, recordings, FACTS)
    periods = [one.period for one in of_application(path)]
    assert periods == ["warmup", *["measured"] * 5]


def test_the_warm_up_and_the_drain_have_every_second_with_load(tmp_path: Path) -> None:
    load = in_periods(900)
    path, recordings = driven(tmp_path, load)
    part(recordings, map(application_second, range(-2, 12)))
    merge(path, recordings, FACTS)
    assert {one.second for one in of_application(path)} == {one.second for one in load}


def test_several_generators_agree_about_a_second(tmp_path: Path) -> None:
    load = [load_second(0), load_second(0), load_second(1, length=400 * MILLISECOND)]
    load[1].process = "worker-2"
    path, recordings = driven(tmp_path, load)
    part(recordings, map(application_second, range(2)))
    merge(path, recordings, FACTS)
    assert [one.second for one in of_application(path)] == [load[0].second]


def test_a_long_interval_of_the_generator_covers_its_seconds(tmp_path: Path) -> None:
    path, recordings = driven(tmp_path, [load_second(0, length=3 * SECOND)])
    part(recordings, map(application_second, range(5)))
    merge(path, recordings, FACTS)
    assert len(of_application(path)) == 3


def test_seconds_outside_of_the_run_are_left_out(tmp_path: Path) -> None:
    asked = interval(9, process=SERVER)  # the server alone is no load
    path, recordings = driven(tmp_path, [load_second(5), load_second(6), asked])
    part(recordings, map(application_second, range(10)))
    merge(path, recordings, FACTS)
    seconds = [one.second for one in of_application(path)]
    assert seconds == [load_second(5).second, load_second(6).second]
    footer = read(path).footer
    assert footer
    assert footer.totals.counters == {"checkouts": 20}


def test_the_generator_comes_first_in_each_second(tmp_path: Path) -> None:
    path, recordings = driven(tmp_path, [load_second(0), load_second(1)])
    part(recordings, [application_second(0), application_second(1)])
    part(recordings, [application_second(n, "web-8") for n in range(2)], process="web-8")
    merge(path, recordings, FACTS)
    processes = [one.process for one in read(path).intervals]
    assert processes == ["locust", "web-7", "web-8"] * 2


def test_parts_of_a_process_follow_each_other(tmp_path: Path) -> None:
    path, recordings = driven(tmp_path, [load_second(n) for n in range(4)])
    part(recordings, map(application_second, range(2)))
    part(recordings, map(application_second, range(2, 4)), number=2)
    merge(path, recordings, FACTS)
    assert [one.second - load_second(0).second for one in of_application(path)] == [0, 1, 2, 3]


def test_intervals_are_unchanged_except_their_place_in_the_load(tmp_path: Path) -> None:
    load = [load_second(0, period="warmup"), load_second(1)]
    path, recordings = driven(tmp_path, load)
    part(recordings, map(application_second, range(2)))
    merge(path, recordings, FACTS)
    expected = [application_second(0), application_second(1)]
    expected[0].period = "warmup"
    for one in expected:
        one.role = "application"
    assert of_application(path) == expected
    assert [one for one in read(path).intervals if not one.role] == load


def test_the_header_tells_the_application_and_its_pool(tmp_path: Path) -> None:
    path, recordings = driven(tmp_path, [load_second(0)])
    part(recordings, [application_second(0)])
    merge(path, recordings, FACTS)
    header = read(path).header
    assert header.driven
    assert header.driven.command == FACTS["command"]
    assert (header.driven.engine, header.driven.database) == ("shop", "sqlite+pysqlite")
    assert header.pool == PoolSettings(name="as-is", pool_size=2, max_overflow=0)
    assert (header.application, header.driver) == ("shop", "pysqlite")
    assert not holds_recording([path])


def test_merging_twice_changes_nothing(tmp_path: Path) -> None:
    path, recordings = driven(tmp_path, [load_second(0)])
    part(recordings, [application_second(0)])
    merge(path, recordings, FACTS)
    assert not recordings.exists()
    once = path.read_bytes()
    merge(path, recordings, FACTS)
    assert path.read_bytes() == once
    # A tool that is killed before it deletes the recordings merges them again.
    part(recordings, [application_second(0)])
    merge(path, recordings, {})
    assert path.read_bytes() == once
    assert not recordings.exists()
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_a_cut_part_is_read_as_far_as_it_is_whole(tmp_path: Path) -> None:
    path, recordings = driven(tmp_path, [load_second(n) for n in range(3)])
    cut = part(recordings, map(application_second, range(3)), ended=False)
    cut.write_bytes(cut.read_bytes()[:-40])
    unbegun = part(recordings, [], process="web-8", ended=False)
    unbegun.write_bytes(unbegun.read_bytes()[:40])
    merge(path, recordings, FACTS)
    assert len(of_application(path)) == 2


def test_a_run_that_was_killed_in_a_line_ends_before_it(tmp_path: Path) -> None:
    path, recordings = driven(tmp_path, [load_second(n) for n in range(3)], reason=None)
    path.write_bytes(path.read_bytes()[:-40])
    part(recordings, map(application_second, range(3)), ended=False)
    merge(path, recordings, FACTS)
    found = read_run(path)
    assert found.problems == ("interrupted: the file has no footer",)
    assert [one.role for one in found.intervals] == ["", "application"] * 2


def test_a_compressed_part_is_read_too(tmp_path: Path) -> None:
    path, recordings = driven(tmp_path, [load_second(n) for n in range(4)])
    compressed(part(recordings, map(application_second, range(2))))
    part(recordings, map(application_second, range(2, 4)), number=2)
    merge(path, recordings, FACTS)
    assert len(of_application(path)) == 4


def test_a_damaged_line_is_told(tmp_path: Path) -> None:
    path, recordings = driven(tmp_path, [load_second(n) for n in range(3)])
    damaged = part(recordings, map(application_second, range(3)))
    lines = damaged.read_bytes().splitlines(keepends=True)
    lines[2] = lines[2].replace(b"checkouts", b"checkoutz")
    damaged.write_bytes(b"".join(lines))
    merge(path, recordings, FACTS)
    found = read_run(path)
    assert found.problems == ("line 4 is damaged (wrong checksum)",)
    assert sum(one.role == "application" for one in found.intervals) == 2


def test_an_interrupted_run_stays_interrupted(tmp_path: Path) -> None:
    path, recordings = driven(tmp_path, [load_second(0)], reason=None)
    part(recordings, [application_second(0)])
    merge(path, recordings, FACTS)
    assert read_run(path).problems == ("interrupted: the file has no footer",)
    once = path.read_bytes()
    part(recordings, [application_second(0)])
    merge(path, recordings, FACTS)
    assert path.read_bytes() == once


OTHER = PoolSettings(name="audit")


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ([], "the application recorded no pool: it made no engine"),
        ([("web-7", OTHER), ("web-7", None)], "the application has 2 pools: audit, shop"),
        (
            [("web-7", None), ("web-8", PoolSettings(name="shop"))],
            "the processes of the application had pools with different settings",
        ),
    ],
)
def test_what_is_not_one_pool_is_refused_and_stays(
    tmp_path: Path, parts: Sequence[tuple[str, PoolSettings | None]], why: str
) -> None:
    path, recordings = driven(tmp_path, [load_second(0)])
    recordings.mkdir()
    for process, pool in parts:
        used = [application_second(0, process)]
        part(recordings, used, process=process, pool=pool or OF_APPLICATION)
    before, left = path.read_bytes(), sorted(recordings.iterdir())
    with pytest.raises(UsageError) as refused:
        merge(path, recordings, FACTS)
    assert str(refused.value) == why
    assert (path.read_bytes(), sorted(recordings.iterdir())) == (before, left)


def test_an_unused_pool_beside_the_used_one_is_left_out(tmp_path: Path) -> None:
    path, recordings = driven(tmp_path, [load_second(0)])
    part(recordings, [application_second(0)])
    part(recordings, [application_second(0, checkouts=0)], pool=OTHER)
    merge(path, recordings, FACTS)
    (one,) = of_application(path)
    assert one.counters["checkouts"] == 10


def test_what_a_killed_tool_left_is_merged(tmp_path: Path) -> None:
    path, recordings = driven(tmp_path, [load_second(0)])
    part(recordings, [application_second(0)], ended=False)
    merge_left(tmp_path)
    assert len(of_application(path)) == 1
    header = read(path).header
    assert header.driven
    assert header.driven.name == "shop"
    assert not recordings.exists()


def test_what_a_killed_tool_knew_is_in_the_merged_run(tmp_path: Path) -> None:
    path, recordings = driven(tmp_path, [load_second(0)])
    part(recordings, [application_second(0)], ended=False)
    audit = PoolSettings(name="audit", pool_size=1)
    part(recordings, [application_second(0)], process="web-8", pool=audit)
    leave_known(recordings, FACTS, {"shop"}, {})
    merge_left(tmp_path)
    found = read(path).header.driven
    assert found
    assert (found.engine, found.command) == ("shop", FACTS["command"])


def test_a_process_that_only_forks_is_left_out_of_what_a_killed_tool_left(tmp_path: Path) -> None:
    path, recordings = driven(tmp_path, [load_second(second) for second in range(3)])
    for process, used in (("web-7", [0]), ("web-8", [0, 1, 2]), ("web-9", [2])):
        seconds = [application_second(second, process) for second in used]
        part(recordings, seconds, process=process, ended=False)
    forked = application_second(1).second + 0.5
    leave_known(recordings, FACTS, {"shop"}, {7: forked, 8: forked})
    merge_left(tmp_path)
    assert {one.process for one in of_application(path)} == {"web-8", "web-9"}


def test_a_run_that_goes_on_is_left_alone(tmp_path: Path) -> None:
    path, recordings = driven(tmp_path, [load_second(0)])
    written = part(recordings, [application_second(0)])
    before = path.read_bytes()
    writer = RunWriter(written.with_name("shop-web-9-20260101-000000-0001.jsonl"), {})
    try:
        merge_left(tmp_path)
    finally:
        writer.abandon()
    assert path.read_bytes() == before
    assert recordings.exists()
