"""Levels over time."""

import math
from pathlib import Path

import numpy as np
import pytest

from loadtest.analysis.levels_over_time import GENERATOR_LEVELS, levels_over_time
from loadtest.analysis.pool_runs import gather
from loadtest.runfile.reader import Run
from tests.analysis.builders import SECOND, interval, run


def _round(folder: Path, number: int, in_use: int, start: int) -> Run:
    """A second and a half of warm-up, as long measured, and a drain; cut at UTC seconds."""
    half = SECOND // 2
    parts = [
        interval(start, period="warmup", gauges={"in_use": 1}),
        interval(start + 1, period="warmup", length=half, gauges={"in_use": 0}),
        interval(start + 1, length=half, gauges={"in_use": in_use}),
        interval(start + 2, gauges={"in_use": in_use + 2}),
        interval(start + 3, period="drain", length=half, gauges={"in_use": 0}),
    ]
    return run(folder, parts, round_=number)


def test_a_level_is_the_mean_of_the_rounds_at_each_second(tmp_path: Path) -> None:
    runs = [_round(tmp_path, n, level, 100 * n) for n, level in enumerate((4, 6, 20), start=1)]
    line = levels_over_time(gather(runs).pools[0], ["in_use", "unheard_of"])
    assert list(line.seconds) == [-2, -1, 0, 1]
    assert line.measured == 1.5
    assert list(line.levels) == ["in_use"]
    assert line.levels["in_use"].tolist() == [1, 0.5, 11, 6]


def test_processes_add_up(tmp_path: Path) -> None:
    parts = [interval(0, process=name, gauges={"in_use": 5}) for name in "ab"]
    line = levels_over_time(gather([run(tmp_path, parts)]).pools[0], ["in_use"])
    assert line.levels["in_use"].tolist() == [10]


def test_a_pool_that_never_ran_has_none(tmp_path: Path) -> None:
    line = levels_over_time(gather([run(tmp_path, [])]).pools[0], ["in_use"])
    assert (list(line.seconds), dict(line.levels), line.measured) == ([], {}, 0)


def test_processors_that_nobody_could_see_have_no_line(tmp_path: Path) -> None:
    for number, counters in enumerate(({}, {"cpu": SECOND // 2}), start=1):
        server = interval(0, process="server", counters=counters)
        made = run(tmp_path / str(number), [interval(0, gauges={"in_use": 1}), server])
        levels = levels_over_time(
            gather([made]).pools[0], ["server_cpu", "row_lock_waiters"]
        ).levels
        assert ("server_cpu" in levels) == bool(counters)
        assert levels["row_lock_waiters"].tolist() == [0]


def test_the_band_is_from_the_lowest_to_the_highest_round(tmp_path: Path) -> None:
    runs = [_round(tmp_path, n, level, 100 * n) for n, level in enumerate((4, 6, 20), start=1)]
    line = levels_over_time(gather(runs).pools[0], ["in_use"])
    assert line.lowest["in_use"].tolist() == [1, 0.5, 5, 3]
    assert line.highest["in_use"].tolist() == [1, 0.5, 21, 11]
    assert line.typical("in_use") == 8.5


def test_a_thinned_line_keeps_means_and_extremes(tmp_path: Path) -> None:
    parts = [interval(second, gauges={"in_use": second}) for second in range(7)]
    parts.insert(0, interval(-1, period="warmup", gauges={"in_use": 50}))
    line = levels_over_time(gather([run(tmp_path, parts)]).pools[0], ["in_use"])
    thin = line.thinned(3)
    assert (list(thin.seconds), thin.step, thin.edges) == ([-1, 0, 3, 6], 3, [-1, 0, 3, 6, 9])
    assert thin.levels["in_use"].tolist() == [50, 1, 4, 6]
    assert thin.lowest["in_use"].tolist() == [50, 0, 3, 6]
    assert thin.highest["in_use"].tolist() == [50, 2, 5, 6]
    assert line.thinned(8) is line


def test_of_the_generator_the_busiest_process_is_shown(tmp_path: Path) -> None:
    parts = [
        interval(0, process="idle", counters={"cpu": SECOND // 10}, generator_lag=[1]),
        interval(0, process="busy", counters={"cpu": SECOND // 2}, generator_lag=[2, 4]),
    ]
    line = levels_over_time(gather([run(tmp_path, parts)]).pools[0], GENERATOR_LEVELS)
    assert line.levels["generator_cpu"].tolist() == [0.5]
    assert line.levels["generator_lag"].tolist() == [0.003]


def test_a_second_in_which_the_server_could_not_be_asked_is_a_gap_in_its_place(
    tmp_path: Path,
) -> None:
    half = SECOND // 2
    loader = [interval(0, period="warmup", length=half, gauges={"in_use": 1})]
    loader += [interval(second, gauges={"in_use": second}) for second in range(1, 7)]
    asked = {second: {"threads_connected": second} for second in (1, 2, 5, 6)}
    server = [interval(0, period="warmup", process="server", length=half)]
    server += [interval(second, process="server", gauges=has) for second, has in asked.items()]
    pool = gather([run(tmp_path, [*loader, *server])]).pools[0]

    line = levels_over_time(pool, ["threads_connected"])
    assert line.edges == [0, 1, 2, 3, 4, 5, 6]
    np.testing.assert_array_equal(
        line.levels["threads_connected"], [1, 2, math.nan, math.nan, 5, 6]
    )
    assert line.typical("threads_connected") == 3.5
    thin = line.thinned(3)
    np.testing.assert_array_equal(thin.levels["threads_connected"], [1.5, math.nan, 5.5])
    np.testing.assert_array_equal(thin.highest["threads_connected"], [2, math.nan, 6])
    assert levels_over_time(pool, ["in_use"]).levels["in_use"].tolist() == [1, 1, 2, 3, 4, 5, 6]


def test_a_first_second_that_was_cut_late_leaves_no_gap(tmp_path: Path) -> None:
    parts = [interval(0, length=5 * SECOND // 4, gauges={"in_use": 4})]
    parts += [interval(second, gauges={"in_use": 4}) for second in (2, 3)]
    line = levels_over_time(gather([run(tmp_path, parts)]).pools[0], ["in_use"])
    assert list(line.seconds) == [0, 1, 2, 3]
    assert line.levels["in_use"].tolist() == [4, 4, 4, 4]
    # One that is a little longer than a second is that second all the same.
    parts = [interval(second, gauges={"in_use": 4}) for second in (1, 2)]
    parts.insert(0, interval(0, length=SECOND + 900_000, gauges={"in_use": 4}))
    whole = levels_over_time(gather([run(tmp_path / "whole", parts)]).pools[0], ["in_use"])
    assert list(whole.seconds) == [0, 1, 2]


def test_a_first_second_in_which_the_warm_up_ended_is_in_its_place(tmp_path: Path) -> None:
    parts = [interval(0, period="warmup", length=SECOND // 4, gauges={"in_use": 9})]
    parts += [interval(0, length=SECOND // 2, gauges={"in_use": 1})]
    parts += [interval(second, gauges={"in_use": 3}) for second in (1, 2)]
    line = levels_over_time(gather([run(tmp_path, parts)]).pools[0], ["in_use"])
    assert list(line.seconds) == [-1, 0, 1, 2]
    assert line.levels["in_use"].tolist() == [9, 2, 3, 3]


def test_a_worker_that_joined_late_stands_where_it_joined(tmp_path: Path) -> None:
    parts = [interval(0, process="first", period="warmup", gauges={"in_use": 1})]
    parts += [interval(second, process="first", gauges={"in_use": 1}) for second in (1, 2, 3, 4)]
    parts += [interval(second, process="late", gauges={"in_use": 5}) for second in (3, 4)]
    line = levels_over_time(gather([run(tmp_path, parts)]).pools[0], ["in_use"])
    assert list(line.seconds) == [-1, 0, 1, 2, 3]
    assert line.levels["in_use"].tolist() == [1, 1, 1, 6, 6]


def test_workers_whose_seconds_are_cut_elsewhere_began_together(tmp_path: Path) -> None:
    cut = {"right": SECOND // 2, "wrong": SECOND // 5}
    parts = [
        interval(
            second, process=name, length=length if second == 0 else SECOND, gauges={"in_use": 1}
        )
        for name, length in cut.items()
        for second in (0, 1, 2)
    ]
    line = levels_over_time(gather([run(tmp_path, parts)]).pools[0], ["in_use"])
    assert line.levels["in_use"].tolist() == pytest.approx([2, 2, 2])
