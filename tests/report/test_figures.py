"""What the figures draw, before it is an image."""

from pathlib import Path

import pytest
from matplotlib.figure import Figure

from loadtest.analysis.measured import gather
from loadtest.analysis.summary import summarize, summarize_runs
from loadtest.interval import SERVER, Period
from loadtest.report.figures import errors, phases, server
from tests.analysis.builders import interval, run, steady


def shades(figure: Figure) -> dict[str, object]:
    """The colour of each part of the bars."""
    bars = figure.axes[0].containers
    return {str(bar.get_label()): bar.patches[0].get_facecolor() for bar in bars}  # type: ignore[attr-defined]


def test_a_phase_has_its_colour_whichever_others_are_shown() -> None:
    times = dict(zip(phases.PHASES, (1.0, 2.0, 3.0, 4.0), strict=True))
    every = shades(phases._figure({"20+0": times}))
    few = shades(phases._figure({"20+0": {**times, "waiting": 0.0, "pinging": 0.0}}))
    assert list(every) == list(phases.PHASES)
    assert len(set(every.values())) == 4
    assert few == {phase: every[phase] for phase in ("connecting", "holding")}


@pytest.mark.parametrize(("failures", "end"), [(1, 0.01), (300, 0.3)])
def test_a_tiny_share_of_errors_is_a_tiny_bar(tmp_path: Path, failures: int, end: float) -> None:
    summary = summarize_runs(steady(tmp_path, "20+0", [1000 - failures], failures=failures))
    axes = errors._figure(summary.pools).axes[0]
    ticks = [axes.xaxis.get_major_formatter()(x, 0) for x in axes.get_xticks() if x <= end]
    assert axes.get_xlim() == pytest.approx((0, end))
    assert len(set(ticks)) == len(ticks) > 2


@pytest.mark.parametrize(("period", "drawn"), [("measured", True), ("drain", False)])
def test_a_server_that_was_only_asked_after_the_measured_time_is_not_drawn(
    tmp_path: Path, period: Period, drawn: bool
) -> None:
    gauges = {"threads_running": 3, "threads_connected": 5}
    parts = [
        interval(0, counters={"requests": 9}),
        interval(1, period=period, process=SERVER, gauges=gauges),
    ]
    measurements = gather([run(tmp_path, parts)])
    drawing = server.draw(measurements, summarize(measurements))
    assert (drawing is not None) == drawn
