"""The figure of a search."""

import re
from pathlib import Path

import pytest

from loadtest.analysis.pool_runs import gather
from loadtest.analysis.statistics.within_rounds import seconds_spread
from loadtest.analysis.summarize import summarize_runs
from loadtest.report import html
from loadtest.report.figures import draw_figures, search_curve
from loadtest.report.figures.search_measures import search_measures
from loadtest.report.figures.toolkit import canvas
from tests.analysis.builders import interval, run, steady
from tests.analysis.test_tuning import closed_in, searched
from tests.report.test_figures import cells


def test_it_names_the_knee_and_shows_every_size(tmp_path: Path) -> None:
    runs = closed_in(tmp_path)
    summary = searched(runs)
    drawing = search_curve.draw(gather(runs), summary)
    assert drawing
    assert drawing.title == "20 connections are enough"
    assert drawing.alt.endswith(
        "641 / 80.0 ms with 19+0, 641 / 30.0 ms with 20+0 and 645 / 1.00 ms with 40+0"
    )
    assert all(f">{size}<" in drawing.svg for size in ("\xa020", 40))
    assert set(re.findall(r"--pool-\d", drawing.svg)) == {"--pool-3"}  # the answer, as elsewhere
    assert "decides nothing" in drawing.help


def test_the_band_goes_from_the_slowest_to_the_fastest_tenth_of_the_seconds(tmp_path: Path) -> None:
    parts = [
        interval(second, counters={"requests": 100 + 10 * second}, wait=[1 + second] * 9)
        for second in range(11)
    ]
    (pool,) = gather([run(tmp_path, parts)]).pools
    found = seconds_spread(pool)
    assert found
    assert found.throughput == pytest.approx((110, 190))
    assert found.wait_p95 == pytest.approx((0.002, 0.010), rel=0.02)
    (short,) = gather([run(tmp_path / "short", parts[:1])]).pools
    assert seconds_spread(short) is None


def test_the_sizes_of_a_search_are_drawn_once(tmp_path: Path) -> None:
    runs = closed_in(tmp_path)
    drawings = {drawing.name: drawing for drawing in draw_figures(gather(runs), searched(runs))}
    assert not {"sizes", "throughput"} & drawings.keys()
    table = drawings["search"].table
    assert table
    assert table.headings[-2:] == ("objective", "rounds")
    assert [row[:3] for row in table.rows] == [
        ("19+0", "19", "641"),
        ("20+0", "20", "641"),
        ("40+0", "40", "645"),
    ]


def test_without_an_objective_no_size_meets_or_misses_one(tmp_path: Path) -> None:
    runs = closed_in(tmp_path)
    drawing = search_curve.draw(gather(runs), searched(runs, ""))
    assert drawing
    assert all("objective" not in row for row in cells(drawing))


def test_the_sizes_of_a_search_have_different_numbers_of_rounds(tmp_path: Path) -> None:
    assert html._rounds(searched(closed_in(tmp_path)), 5.0) == "1 to 3 rounds of 5 s each"


def test_sizes_that_would_touch_are_left_out_but_for_the_answer() -> None:
    assert canvas.readable_sizes([19, 20, 21, 40], 20, 1.2) == [20, 40]
    assert canvas.readable_sizes([5, 10], 10, 1.2) == [5, 10]


def test_a_search_without_an_answer_says_so(tmp_path: Path) -> None:
    runs = [*closed_in(tmp_path)]
    summary = searched(runs, "checkout.wait_seconds.p95 <= 0.1ms")
    drawing = search_curve.draw(gather(runs), summary)
    assert drawing
    assert drawing.title == "No pool size meets the objective"
    assert {row["objective"] for row in cells(drawing)} == {"missed"}


def test_where_nothing_was_searched_there_is_none(tmp_path: Path) -> None:
    runs = steady(tmp_path, "20+0", [640])
    assert search_curve.draw(gather(runs), summarize_runs(runs)) is None


@pytest.mark.parametrize(
    ("objective", "panels"),
    [
        ("request_seconds.p95 <= 70ms", ["request_seconds.p95"]),
        ('request["GET /x"].p95 <= 70ms, errors.rate <= 1%', ["GET /x, p95", "errors.rate"]),
        ("throughput.per_second >= 600", []),
        ("", ["wait p95"]),
    ],
)
def test_it_draws_the_values_of_the_objective(
    tmp_path: Path, objective: str, panels: list[str]
) -> None:
    runs = closed_in(tmp_path)
    drawing = search_curve.draw(gather(runs), searched(runs, objective))
    assert drawing
    every = ("wait p95", "request_seconds.p95", "GET /x, p95", "errors.rate")
    assert [name for name in every if f">{name}<" in drawing.svg] == panels
    assert drawing.table
    assert list(drawing.table.headings[2:-2:2]) == ["ok/s", *panels]


def test_the_objective_has_its_values_and_its_limit(tmp_path: Path) -> None:
    runs = closed_in(tmp_path)
    summary = searched(runs, "request_seconds.p95 <= 70ms")
    rates, requests = search_measures(gather(runs), summary, summary.search.sizes)  # type: ignore[union-attr]
    assert (rates.limit, requests.limit) == (None, 0.07)
    assert [requests.said(name) for name in ("19+0", "20+0", "40+0")] == [
        *("160 ms", "60.0 ms", "2.00 ms"),
    ]
    assert requests.interval("19+0") == "160 ms – 160 ms"
    least = search_measures(
        gather(runs),
        searched(runs, "throughput.per_second >= 600"),
        summary.search.sizes,  # type: ignore[union-attr]
    )
    assert [one.limit for one in least] == [600]
