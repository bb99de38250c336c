"""What figures claim in their titles, and how they tell many pools and unsound ones apart."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from loadtest.analysis.pool_runs import gather
from loadtest.analysis.statistics.censoring import distribution_curve
from loadtest.analysis.summarize import summarize
from loadtest.report.figures import (
    connections_over_time,
    generator_load,
    phase_times,
    size_curve,
    slowest_checkouts,
    user_sharing,
    wait_percentiles,
)
from loadtest.report.figures.toolkit import canvas
from loadtest.runfile.reader import Run
from tests.analysis.builders import SECOND, interval, run, steady
from tests.report.test_figures import drawn, eventful


def believable_and_not(folder: Path) -> list[Run]:
    """20+0, which is sound, and 5+10, whose load generator had no CPU left."""
    busy = eventful(folder / "first", "5+10").intervals
    for one in busy:
        one.counters["cpu"] = SECOND
    return [eventful(folder, "20+0"), run(folder, busy, "5+10", started=2)]


def test_a_wait_that_is_a_lower_bound_is_told_as_one(tmp_path: Path) -> None:
    parts = [interval(counters={"requests": 50}, wait=[2] * 50, unfinished=[1900] * 50)]
    drawing = drawn(wait_percentiles, [run(tmp_path, parts)])
    assert drawing.title == "1 in 20 checkouts waits 1.90 s or longer with 20+0"
    assert "≥ 1.90 s" in drawing.alt


def test_where_the_time_goes_is_told_pool_by_pool(tmp_path: Path) -> None:
    holding = interval(
        counters={"requests": 9, "checkouts": 9}, wait=[1] * 9, hold=[40] * 9, request=[41] * 9
    )
    runs = [eventful(tmp_path, "5+10"), run(tmp_path, [holding], "50+0", started=2)]
    assert (
        drawn(phase_times, runs).title == "Most time goes into waiting with 5+10, holding with 50+0"
    )


def test_pools_with_the_same_longest_phase_are_told_together(tmp_path: Path) -> None:
    runs = [eventful(tmp_path, "5+10"), eventful(tmp_path, "20+0")]
    assert drawn(phase_times, runs).title == "Most time goes into waiting with both pools"


@pytest.mark.parametrize(
    "figure", [size_curve, wait_percentiles, phase_times, user_sharing, slowest_checkouts]
)
def test_nothing_is_claimed_of_a_pool_that_is_not_valid(tmp_path: Path, figure: Any) -> None:
    drawing = drawn(figure, believable_and_not(tmp_path))
    assert "20+0" in drawing.title
    assert "5+10" not in drawing.title


def test_the_wait_of_a_pool_that_is_not_valid_is_drawn_faintly(tmp_path: Path) -> None:
    sound, busy = believable_and_not(tmp_path)
    assert "Faint lines are not valid." in drawn(wait_percentiles, [sound, busy]).help
    assert "Faint" not in drawn(wait_percentiles, [sound]).help
    assert "stroke-opacity: 0.4" in drawn(wait_percentiles, [sound, busy]).svg
    assert "stroke-opacity: 0.4" not in drawn(wait_percentiles, [sound]).svg


def test_a_curve_ends_at_the_edge_without_a_last_rise_on_it(tmp_path: Path) -> None:
    part = interval(counters={"requests": 9}, wait=[10] * 99 + [900])
    measurements = gather([run(tmp_path, [part])])
    times = measurements.pools[0].times("wait", cut_off_by_waits=True)
    axes = wait_percentiles._figure({0: distribution_curve(times)}, summarize(measurements)).axes[0]
    places, heights = axes.lines[0].get_data()
    assert (places[-1], axes.get_xlim()[1]) == pytest.approx((2, 2))
    assert max(heights) == pytest.approx(0.010, rel=0.01)


def of_sizes(folder: Path, pools: Sequence[int]) -> list[Run]:
    return [one for n in pools for one in steady(folder, f"{n}+0", [n], wait=n, started=n)]


def test_pools_of_one_colour_have_different_lines(tmp_path: Path) -> None:
    styles = [canvas.line_style(number) for number in range(21)]
    assert len({str(style) for style in styles}) == 21
    assert [style["ls"] for style in styles[:7]] == ["-"] * 7
    assert (
        "stroke-dasharray"
        not in drawn(wait_percentiles, of_sizes(tmp_path / "few", range(1, 8))).svg
    )
    assert (
        "stroke-dasharray" in drawn(wait_percentiles, of_sizes(tmp_path / "many", range(1, 9))).svg
    )


def test_what_all_pools_have_in_common_is_said_once(tmp_path: Path) -> None:
    runs = [
        *steady(tmp_path, "a:20+0", [100], started=1),
        *steady(tmp_path, "b:20+0", [110], started=2),
    ]
    assert drawn(connections_over_time, runs).title == "Open connections reach 20 with both pools"
    said = "The load generator kept up: 50 % of its core with both pools"
    assert (
        drawn(
            generator_load,
            [eventful(tmp_path, p, started=n) for n, p in ((1, "5+10"), (2, "20+0"))],
        ).title
        == said
    )


def test_pools_that_do_the_same_are_not_ranked(tmp_path: Path) -> None:
    runs = [*steady(tmp_path, "5+0", [100], started=1), *steady(tmp_path, "9+0", [101], started=2)]
    assert drawn(size_curve, runs).title == "Both pools do about 101 requests per second"
