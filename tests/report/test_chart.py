"""The data of charts, as the page's script reads them."""

import json
import math
from pathlib import Path

import pytest

from loadtest.report.figures import connections_over_time, generator_load, wait_percentiles
from loadtest.report.figures.toolkit.chart import Chart, ChartLine, ChartPanel, rounded
from tests.analysis.builders import interval, run
from tests.report.test_figures import drawn, eventful


@pytest.mark.parametrize(
    ("value", "short"),
    [(1234.56, 1235), (0.0123456, 0.0123), (2.0, 2), (0.0, 0), (math.nan, None), (None, None)],
)
def test_numbers_have_three_digits(value: float | None, short: float | None) -> None:
    assert rounded(value) == short
    assert json.dumps(rounded(value)) in (str(short), "null")


def test_what_is_empty_takes_no_room() -> None:
    line = ChartLine("in use", [1.0, math.nan], pool=8, rest=0.0)
    assert line.to_json() == {
        "label": "in use",
        "pool": 2,
        "stroke": "thick",
        "rest": 0,
        "values": [1, None],
    }


def panels(chart: Chart | None) -> dict[str, ChartPanel]:
    assert chart
    return {panel.title: panel for panel in chart.panels}


def lines(panel: ChartPanel) -> dict[str, dict[str, object]]:
    return {line.label: line.to_json() for line in panel.lines}


def test_levels_have_the_range_of_the_rounds_around_the_thick_line_only(tmp_path: Path) -> None:
    runs = [eventful(tmp_path, round_=number) for number in (1, 2, 3)]
    panel = panels(drawn(connections_over_time, runs).chart)["5+10"]
    found = lines(panel)
    assert (found["in use"]["low"], found["in use"]["high"]) == ([13, 13], [15, 15])
    assert [name for name, line in found.items() if "low" in line] == ["in use"]
    assert found["in use"]["values"] == [14, 14]
    assert found["users waiting"]["rest"] == 40
    assert panel.limits == [(5, "pool_size"), (15, "with overflow")]
    assert "pool" not in found["users waiting"]  # it has the colour of text


def test_warm_up_and_drain_are_spans(tmp_path: Path) -> None:
    parts = [
        interval(second, period=period, gauges={"in_use": 1})  # type: ignore[arg-type]
        for second, period in enumerate(("warmup", "measured", "measured", "drain"))
    ]
    chart = drawn(connections_over_time, [run(tmp_path, parts)]).chart
    assert panels(chart)["20+0"].spans == [(-1, 0, "aside"), (2.0, 3, "aside")]


def test_pools_are_lines_of_the_generator_over_the_seconds_of_all(tmp_path: Path) -> None:
    runs = [
        eventful(tmp_path, "5+10", started=1, seconds=2),
        eventful(tmp_path, "20+0", started=2, seconds=3),
    ]
    cpu = panels(drawn(generator_load, runs).chart)["CPU, share of a core"]
    assert list(cpu.x) == [0, 1, 2]
    assert lines(cpu)["5+10"]["values"] == [0.5, 0.5, None]
    assert lines(cpu)["20+0"]["values"] == [0.5, 0.5, 0.5]
    assert cpu.limits == [(0.9, "90 % is too busy")]


def test_a_percentile_curve_has_a_wait_at_every_place(tmp_path: Path) -> None:
    part = interval(counters={"requests": 9, "checkouts": 100}, wait=[10] * 99 + [900])
    chart = drawn(wait_percentiles, [run(tmp_path, [part])]).chart
    panel = panels(chart)["wait"]
    (line,) = lines(panel).values()
    assert panel.x[0] == 0
    assert panel.x[-1] == pytest.approx(2)
    waits = line["values"]
    assert isinstance(waits, list)
    assert (waits[0], waits[120]) == pytest.approx((0.01, 0.01), rel=0.02)
    assert line["rest"] == pytest.approx(0.01, rel=0.02)
