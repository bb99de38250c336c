"""Stages, read from runs made by hand."""

from pathlib import Path
from typing import Any

from loadtest.analysis.levels_over_time import levels_over_time
from loadtest.analysis.pool_runs import gather
from loadtest.analysis.summarize import summarize_runs
from loadtest.model.summary import Summary
from loadtest.report.stage_rows import STAGE_HEADINGS, stage_rows
from loadtest.runfile.reader import Run
from tests.analysis.builders import header, interval, run

LOAD = {
    "users": 90,
    "warmup": 1.0,
    "duration": 3.0,
    "stages": [
        {"name": "calm", "duration": 2.0, "users": 3},
        {"name": "rush", "duration": 1.0, "users": 90},
    ],
    "faults": [
        {"kind": "freeze", "at": 1.0, "length": 0.5},
        {"kind": "connect-delay", "at": 0.0, "length": None, "delay": 0.1},
    ],
}


def _staged(folder: Path, pool: str = "20+0", round_: int = 1, requests: int = 10) -> Run:
    def second(number: int, stage: str, ended: int, users: int, **more: Any) -> Any:
        part = interval(
            number,
            counters={"requests": ended, "failures": ended // 10, "opened": users},
            gauges={"users": users, "open": users},
            **more,
        )
        part.stage = stage
        return part

    parts = [
        second(0, "", 99, 1, period="warmup", wait=[900], unfinished=[400]),
        second(1, "calm", requests, 3, wait=[10]),
        second(2, "calm", requests, 3, wait=[10], unfinished=[700]),
        second(3, "rush", 10 * requests, 90, wait=[800, 20]),
        second(4, "", 7, 1, period="drain", wait=[999]),
    ]
    return run(folder, parts, pool, round_, load={**header()["load"], **LOAD})


def _summary(folder: Path) -> Summary:
    return summarize_runs([_staged(folder), _staged(folder, round_=2, requests=20)])


def test_each_stage_is_measured_by_itself(tmp_path: Path) -> None:
    calm, rush = _summary(tmp_path).pool("20+0").stages
    assert (calm.name, calm.begin, calm.seconds, calm.users) == ("calm", 0, 4, 3)
    assert (rush.name, rush.begin, rush.seconds, rush.users) == ("rush", 2, 2, 90)
    assert calm.throughput_per_second == (9 + 18) / 2
    assert rush.throughput_per_second == (90 + 180) / 2
    assert (calm.connections_peak, rush.connections_peak) == (3, 90)
    assert (calm.opened, rush.opened) == (12, 180)
    assert rush.error_rate == 0.1
    assert calm.arrivals_per_second is None
    assert rush.wait_seconds.max == 0.8


def test_waits_from_the_stage_before_are_no_news_in_the_next(tmp_path: Path) -> None:
    rush = gather([_staged(tmp_path)]).pools[0].stage("rush")
    times = rush.times("wait", cut_off_by_waits=True)
    assert times.finished.count == 2
    assert times.entered.count == 1


def test_a_load_without_stages_has_no_rows(tmp_path: Path) -> None:
    summary = summarize_runs([run(tmp_path, [interval(0, counters={"requests": 9})])])
    assert summary.pools[0].stages == ()
    assert stage_rows(summary) == []


def test_rows_go_stage_by_stage_and_pool_by_pool(tmp_path: Path) -> None:
    runs = [_staged(tmp_path), _staged(tmp_path, "5+10")]
    shown = stage_rows(summarize_runs(runs))
    assert [row[:3] for row in shown] == [
        ("calm", "20+0", "3 users"),
        ("calm", "5+10", "3 users"),
        ("rush", "20+0", "90 users"),
        ("rush", "5+10", "90 users"),
    ]
    assert {len(row) for row in shown} == {len(STAGE_HEADINGS)}


def test_stages_and_faults_stand_on_the_time_axis(tmp_path: Path) -> None:
    line = levels_over_time(gather([_staged(tmp_path)]).pools[0], ["open"])
    assert list(line.stages) == [(0, 2, "calm"), (2, 3, "rush")]
    assert list(line.faults) == [(1, 1.5, "freeze")]
