"""Figures without anything to see: a sentence stands in their place."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from loadtest.analysis.pool_runs import gather
from loadtest.analysis.recordings.read_recording import read_recording
from loadtest.analysis.recordings.summarize_recording import summarize_recording
from loadtest.analysis.summarize import summarize
from loadtest.model.interval import Fair
from loadtest.report.figures import (
    connections_over_time,
    failed_requests,
    phase_times,
    search_curve,
    size_curve,
    throughput,
    user_sharing,
    wait_percentiles,
)
from loadtest.report.figures.toolkit.drawing import Drawing
from loadtest.report.html import report_page
from loadtest.report.recorded.recorded_waits import draw_waits
from loadtest.runfile.reader import Run
from tests.analysis.builders import MILLISECOND, interval, run, steady
from tests.analysis.recorded_shop import clean_shop
from tests.analysis.test_tuning import searched


def drawn(figure: Any, runs: list[Run]) -> Drawing:
    measurements = gather(runs)
    drawing = figure.draw(measurements, summarize(measurements))
    assert isinstance(drawing, Drawing)
    return drawing


def test_one_round_of_one_pool_is_one_number(tmp_path: Path) -> None:
    drawing = drawn(throughput, steady(tmp_path / "one", "20+0", [100]))
    assert (drawing.title, drawing.svg) == ("20+0 does 100 requests per second", "")
    assert drawn(throughput, steady(tmp_path / "two", "20+0", [100, 101])).svg
    measurements = gather(steady(tmp_path / "page", "20+0", [100]))
    page = report_page(summarize(measurements), [drawing])
    assert '<figure id="throughput">' in page
    assert "<figcaption>" not in page  # it would explain a picture
    assert "<summary>The numbers</summary>" in page


def test_where_no_checkout_waits_that_is_all(tmp_path: Path) -> None:
    fair = Fair(users=5, served=5, checkouts=50, squares=500, longest_wait=MILLISECOND // 50)
    quick = [replace(interval(counters={"requests": 9, "checkouts": 9}, wait=[0] * 9), fair=fair)]
    runs = [run(tmp_path, quick), run(tmp_path, quick, "5+0", started=2)]
    waits = drawn(wait_percentiles, runs)
    assert waits.title == "No checkout waited for 100 µs or longer"
    assert (waits.svg, waits.chart, waits.help) == ("", None, "")
    shared = drawn(user_sharing, runs)
    assert shared.title.startswith(
        "No user went without a connection; the longest wait was 20.0 µs"
    )
    assert shared.svg == ""
    sizes = drawn(size_curve, runs)
    assert "wait p95" not in sizes.svg
    assert "The p95 of the wait is below 0.1 ms with every pool." in sizes.help


def test_a_level_that_is_zero_with_every_pool_has_no_column(tmp_path: Path) -> None:
    def runs(overflow: int) -> list[Run]:
        gauges = {"in_use": 2, "idle": 1, "overflow": overflow, "waiting": 0}
        part = interval(counters={"requests": 9, "checkouts": 9}, gauges=gauges)
        return [run(tmp_path / str(overflow), [part], "5+10")]

    for overflow in (0, 3):
        table = drawn(connections_over_time, runs(overflow)).table
        assert table
        assert ("overflow" in table.headings) == bool(overflow)


@pytest.mark.parametrize("kinds", [1, 2])
def test_one_kind_of_errors_of_one_pool_is_said(tmp_path: Path, kinds: int) -> None:
    failed = {"failures": 2 * kinds, "errors.deadlock": 2, "errors.write_conflict": 2 * kinds - 2}
    drawing = drawn(
        failed_requests, [run(tmp_path, [interval(counters={"requests": 40} | failed)])]
    )
    assert bool(drawing.svg) == (kinds == 2)
    assert drawing.title.endswith("fail with 20+0" + (": deadlocks" if kinds == 1 else ""))


@pytest.mark.parametrize("wait", [0, 30])
def test_one_phase_of_one_pool_is_said(tmp_path: Path, wait: int) -> None:
    part = interval(counters={"requests": 9, "checkouts": 9}, wait=[wait] * 9, hold=[20] * 9)
    drawing = drawn(phase_times, [run(tmp_path, [part])])
    assert bool(drawing.svg) == bool(wait)
    assert drawing.title == f"Most time goes into {'waiting' if wait else 'holding'} with 20+0"


def test_a_search_that_tried_one_size_draws_none(tmp_path: Path) -> None:
    runs = [*steady(tmp_path, "default:5+10", [600], peak=15), *steady(tmp_path, "40+0", [640])]
    drawing = search_curve.draw(gather(runs), searched(runs))
    assert drawing
    assert (drawing.svg, drawing.help) == ("", "")
    assert drawing.table


def test_a_recording_without_a_wait_says_so(tmp_path: Path) -> None:
    recording = read_recording([clean_shop(tmp_path)])
    summary = summarize_recording(recording).pools[0]
    drawing = draw_waits(recording.pool(), summary, "waits")
    assert drawing
    assert drawing.title == "No checkout waited for 1 ms or longer"
    assert (drawing.svg, drawing.chart) == ("", None)
