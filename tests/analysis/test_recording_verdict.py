"""The verdict on a recording: full times, the holder, the value of a fix, the busiest minute."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from loadtest.analysis.recordings.clock_time import clock_time, moment
from loadtest.analysis.recordings.read_recording import read_recording
from loadtest.analysis.recordings.summarize_recording import summarize_recording
from loadtest.model.errors import UsageError
from loadtest.model.interval import Interval
from loadtest.model.recording_summary import RecordingSummary, TimeSpan
from tests.analysis.builders import START
from tests.analysis.recorded_pools import recorded, write_recording
from tests.analysis.recorded_shop import (
    CALL,
    LIST,
    PAY,
    paying,
    paying_shop,
    place,
    quick,
    second,
)

MIDNIGHT = START - START % 86_400


def summary(folder: Path) -> RecordingSummary:
    return summarize_recording(read_recording([folder]))


def test_the_verdict_names_the_full_time_the_holder_and_the_value_of_the_fix(
    tmp_path: Path,
) -> None:
    headline, timeouts, fix = summary(paying_shop(tmp_path)).verdict.splitlines()
    assert headline == (
        f"The pool of `shop` was full for 30.0 s from {clock_time(START + 10)} UTC. 94 % of the "
        f"time in use, `{PAY}` held a connection without running a query."
    )
    assert timeouts == "30 checkouts timed out (2.4 %)."
    assert fix == (
        f"If `{PAY}` returns the connection before the call at `{CALL}`, 1 connection serves what "
        "3 serve now (simulated at the rate of the busiest time)."
    )


def test_several_full_times_are_counted(tmp_path: Path) -> None:
    full = {*range(10, 20), 22, *range(40, 50)}
    rows = [
        second(
            n, {LIST: quick()}, **({"in_use": 3, "waiting": 1, "timeouts": 1} if n in full else {})
        )
        for n in range(60)
    ]
    write_recording(tmp_path, rows)
    pool = summary(tmp_path).pools[0]
    spans = [(span.begin - START, span.end - START) for span in pool.full]
    assert (pool.full_seconds, spans) == (21, [(10, 23), (40, 50)])
    begin, end = clock_time(START + 10), clock_time(START + 50)
    assert f"full for 21.0 s in 2 periods from {begin} to {end} UTC" in summary(tmp_path).verdict


def test_one_full_process_of_two_is_enough(tmp_path: Path) -> None:
    rows = [second(n, {LIST: quick()}, in_use=3, waiting=2, waits=[300] * 5) for n in range(10)]
    write_recording(tmp_path, rows)
    idle = [second(n, {LIST: quick()}, in_use=0, process="web-2") for n in range(10)]
    write_recording(tmp_path, idle, "web-2")
    pool = summary(tmp_path).pools[0]
    assert (pool.full_seconds, pool.connections.allowed, pool.processes_most) == (10, 6, 2)


def test_the_busiest_minute_is_that_with_the_most_in_use_and_waiting(tmp_path: Path) -> None:
    def rows() -> Iterable[Interval]:
        for n in range(300):
            busy = 120 <= n < 180
            yield second(n, {LIST: quick()}, in_use=3 if busy else 1, waits=[30] if busy else [])

    busiest = recorded(tmp_path, rows()).by_second.busiest(60)
    assert busiest == (START + 120, START + 180)
    found = summary(tmp_path).pools[0].busiest
    assert found.period == TimeSpan(begin=START + 120, end=START + 180)
    assert (found.in_use, found.attempts_per_second, found.in_use_most) == (3.0, 10.0, 3)
    assert found.wait_seconds_mean == pytest.approx(0.003)


def test_the_value_of_a_fix_is_per_process(tmp_path: Path) -> None:
    sizes = {"name": "shop", "pool_size": 30, "max_overflow": 0, "pool_timeout": 30.0}
    held = place(1000, 20, 40, idle_at=paying().idle_at)
    for process in ("web-1", "web-2"):
        rows = [second(n, {PAY: held}, in_use=10, process=process) for n in range(60)]
        write_recording(tmp_path, rows, process, pool=sizes)
    fix = summary(tmp_path).pools[0].fix
    assert fix
    assert (fix.processes, fix.line, fix.attempts_per_second) == (2, CALL, 10.0)
    # Ten connections are in use on average, and 0.4 after the fix.
    assert 14 <= fix.now <= 20
    assert 2 <= fix.after <= 4


def test_the_value_of_a_fix_of_several_places(tmp_path: Path) -> None:
    held = place(400, 8, 12)
    rows = [second(n, {PAY: held, LIST: held}, in_use=8) for n in range(20)]
    write_recording(tmp_path, rows, pool={"name": "shop", "pool_size": 30, "max_overflow": 0})
    sentence = summary(tmp_path).verdict.splitlines()[-1]
    assert sentence.startswith(
        f"If `{PAY}` and `{LIST}` return connections before the longest time without a query, "
    )


def test_without_a_saving_there_is_no_value(tmp_path: Path) -> None:
    held = place(200, 8, 110)
    rows = [second(n, {PAY: held}, in_use=1) for n in range(20)]
    sizes = {"name": "shop", "pool_size": 1, "max_overflow": 0}
    write_recording(tmp_path, rows, pool=sizes)
    assert summary(tmp_path).pools[0].fix is None


@pytest.mark.parametrize(
    ("text", "second_of_day"),
    [
        ("14:03", 14 * 3600 + 180),
        ("14:03:20", 14 * 3600 + 200),
        ("14:03 UTC", 14 * 3600 + 180),
        ("15:03+01:00", 14 * 3600 + 180),
        ("09:03-05:00", 14 * 3600 + 180),
        ("09-05:00", 14 * 3600),
        ("10m", 14 * 3600),
        ("90s ago", 14 * 3600 + 510),
        ("23:50", -600),
    ],
)
def test_a_moment_is_in_the_recording_or_before_its_end(text: str, second_of_day: int) -> None:
    begin, end = MIDNIGHT - 1800, MIDNIGHT + 14 * 3600 + 600
    assert moment(text, begin, end) == MIDNIGHT + second_of_day


def test_a_moment_may_have_a_date_or_be_local(monkeypatch: pytest.MonkeyPatch) -> None:
    assert moment("2025-06-15T14:03", START, START + 60) == 1_749_996_180
    monkeypatch.setenv("TZ", "XXX-02")
    time.tzset()
    try:
        assert moment("2025-06-15T16:03 local", START, START + 60) == 1_749_996_180
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("text", ["", "noon", "25:00", "2025-13-01", "10 parsecs"])
def test_another_text_is_no_moment(text: str) -> None:
    with pytest.raises(UsageError, match="is not a time; write 14:03"):
        moment(text, START, START + 60)
