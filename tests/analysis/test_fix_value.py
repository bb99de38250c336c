"""The value of a fix: the load of a process, and recordings that a simulation cannot explain."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtest.analysis.recordings.read_recording import read_recording
from loadtest.analysis.recordings.summarize_recording import summarize_recording
from loadtest.model.interval import Interval
from loadtest.model.recording_summary import FixValue
from tests.analysis.builders import interval
from tests.analysis.recorded_pools import write_recording
from tests.analysis.recorded_shop import PAY, paying, place, second

SIZES = {"name": "shop", "pool_size": 30, "max_overflow": 0, "pool_timeout": 30.0}


def held(seconds: range, process: str) -> list[Interval]:
    """Ten checkouts a second that hold a connection for a second and need it for 40 ms."""
    use = place(1000, 20, 40, idle_at=paying().idle_at)
    return [second(n, {PAY: use}, in_use=10, process=process) for n in seconds]


def fix_of(folder: Path) -> FixValue:
    fix = summarize_recording(read_recording([folder])).pools[0].fix
    assert fix
    return fix


def test_a_process_without_a_checkout_takes_no_share_of_the_load(tmp_path: Path) -> None:
    """A master that loads the application records a row each second, too."""
    write_recording(tmp_path, held(range(60), "web-1"), "web-1", pool=SIZES)
    alone = fix_of(tmp_path)
    write_recording(tmp_path, [interval(n) for n in range(60)], "master-1", pool=SIZES)
    assert fix_of(tmp_path) == alone
    assert (alone.processes, alone.attempts_per_second) == (1, 10.0)


def test_a_restart_in_the_busiest_minute_does_not_halve_the_load(tmp_path: Path) -> None:
    """Both processes run for two seconds of it."""
    for process, seconds in (("web-1", range(31)), ("web-2", range(29, 60))):
        write_recording(tmp_path, held(seconds, process), process, pool=SIZES)
    fix = fix_of(tmp_path)
    assert (fix.processes, fix.attempts_per_second) == (1, pytest.approx(10.0))


def test_a_full_pool_whose_waits_the_simulation_does_not_have_gives_no_value(
    tmp_path: Path,
) -> None:
    """Checkouts in bursts fill a pool that evenly spread ones would hardly use."""
    use = place(100, 2, 40, idle_at=paying().idle_at)
    sizes = {**SIZES, "pool_size": 10}
    rows = [second(n, {PAY: use}, in_use=10, waiting=5, waits=[500] * 5) for n in range(60)]
    write_recording(tmp_path, rows, pool=sizes)
    found = summarize_recording(read_recording([tmp_path])).pools[0]
    assert found.full_seconds == 60
    assert found.fix is None
