"""What the figures draw, before it is an image."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

from loadtest.analysis.pool_runs import gather
from loadtest.analysis.summarize import summarize, summarize_runs
from loadtest.model.interval import SERVER, Fair, Period, SlowCheckout
from loadtest.report.figures import (
    connections_over_time,
    draw_figures,
    failed_requests,
    generator_load,
    phase_times,
    server_activity,
    size_curve,
    slowest_checkouts,
    throughput,
    user_sharing,
    wait_percentiles,
)
from loadtest.report.figures.toolkit.drawing import Drawing
from loadtest.report.figures.toolkit.svg import INK, POOL_COLOURS
from loadtest.runfile.reader import Run
from tests.analysis.builders import MILLISECOND, SECOND, interval, milliseconds, run, steady


def looks(figure: Figure) -> dict[str, object]:
    """The colour and the pattern of each part of the bars."""
    parts = {str(bar.get_label()): bar.patches[0] for bar in figure.axes[0].containers}  # type: ignore[attr-defined]
    return {name: (one.get_facecolor(), one.get_hatch()) for name, one in parts.items()}


def test_phases_and_errors_have_greys_and_patterns_since_colours_are_those_of_pools(
    tmp_path: Path,
) -> None:
    runs = [eventful(tmp_path, "5+10"), eventful(tmp_path, "20+0", started=2)]
    for figure in (phase_times, failed_requests):
        svg = drawn(figure, runs).svg
        assert "currentColor" in svg
        assert not [colour for colour in POOL_COLOURS if colour in svg]


def test_no_line_leads_to_a_pool_without_a_limit(tmp_path: Path) -> None:
    sizes = ("5+10", "20+0", "3000+inf")
    runs = [
        one for n, pool in enumerate(sizes) for one in steady(tmp_path, pool, [n + 9], started=n)
    ]
    summary = summarize_runs(runs)
    figure = size_curve._figure(gather(runs), dict(enumerate(summary.pools)), {0: [], 1: [], 2: []})
    joined = [line for line in figure.axes[0].lines if line.get_color() == INK]
    assert [line.get_xdata().tolist() for line in joined] == [[15.0, 20.0]]  # type: ignore[union-attr]


def test_a_phase_looks_the_same_whichever_others_are_shown() -> None:
    times = dict(zip(phase_times.PHASES, (1.0, 2.0, 3.0, 4.0, 5.0, 6.0), strict=True))
    every = looks(phase_times._figure({"20+0": times}))
    few = looks(phase_times._figure({"20+0": {**times, "waiting": 0.0, "pinging": 0.0}}))
    assert list(every) == list(phase_times.PHASES)
    assert len({str(look) for look in every.values()}) == 6
    assert few == {name: every[name] for name in every if name not in ("waiting", "pinging")}


@pytest.mark.parametrize(("failures", "end"), [(1, 0.01), (300, 0.3)])
def test_a_tiny_share_of_errors_is_a_tiny_bar(tmp_path: Path, failures: int, end: float) -> None:
    summary = summarize_runs(steady(tmp_path, "20+0", [1000 - failures], failures=failures))
    axes = failed_requests._figure(summary.pools).axes[0]
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
    drawing = server_activity.draw(measurements, summarize(measurements))
    assert (drawing is not None) == drawn


def drawn(figure: Any, runs: list[Run]) -> Drawing:
    """The figure of some runs, which must have one."""
    measurements = gather(runs)
    drawing = figure.draw(measurements, summarize(measurements))
    assert isinstance(drawing, Drawing)
    return drawing


def cells(drawing: Drawing) -> list[dict[str, str]]:
    """The rows of the table behind a figure, by their headings."""
    assert drawing.table
    return [dict(zip(drawing.table.headings, row, strict=True)) for row in drawing.table.rows]


def eventful(
    folder: Path, pool: str = "5+10", round_: int = 1, started: int = 1, seconds: int = 2
) -> Run:
    """A run that has something for every figure but that of a search."""
    slow = [SlowCheckout(total=900 * MILLISECOND, wait=900 * MILLISECOND)] * 3
    parts = [
        replace(
            interval(
                second,
                counters={
                    **{"requests": 100, "failures": 3, "errors.deadlock": 3, "checkouts": 100},
                    "cpu": SECOND // 2,
                },
                gauges={"open": 15, "in_use": 12 + round_, "idle": 1, "overflow": 9, "waiting": 40},
                slowest=slow,
                wait=[100] * 99 + [900],
                checkout=[100] * 99 + [900],
                hold=[30] * 100,
                reset=[10] * 100,
                request=[130] * 97,
                generator_lag=[1, 3],
            ),
            fair=Fair(users=50, served=50, checkouts=100, squares=200, longest_wait=900_000_000),
        )
        for second in range(seconds)
    ]
    gauges = {"threads_running": 3, "threads_connected": 16}
    parts += [interval(second, process=SERVER, gauges=gauges) for second in range(seconds)]
    return run(folder, parts, pool, round_, started=started)


def test_figures_are_drawn_while_the_rest_of_the_report_is_prepared(tmp_path: Path) -> None:
    measurements = gather([eventful(tmp_path, "5+10", 1, 1)])
    called: list[str] = []
    drawn = draw_figures(measurements, summarize(measurements), lambda: called.append("meanwhile"))
    assert called == ["meanwhile"]
    own = throughput.draw(measurements, summarize(measurements))
    assert own in drawn


def test_every_figure_answers_a_question_with_a_table_behind_it(tmp_path: Path) -> None:
    runs = [eventful(tmp_path, "5+10", 1, 1), eventful(tmp_path, "20+0", 1, 2)]
    measurements = gather(runs)
    drawings = draw_figures(measurements, summarize(measurements))
    assert [drawing.name for drawing in drawings] == [
        *("sizes", "waits", "connections", "server", "phases", "sharing", "slowest"),
        *("generator", "errors"),
    ]
    for drawing in drawings:
        assert drawing.question.endswith("?")
        rows = cells(drawing)
        assert {row["pool"] for row in rows} == {"5+10", "20+0"}
        assert all(cell for row in rows for cell in row.values())


@pytest.mark.parametrize(
    ("small", "big", "said"),
    [
        ([100, 101, 102], [150, 151, 152], "A bigger pool helps: 20+0 does 151 "),
        ([150, 151, 152], [100, 101, 102], "The biggest pool is not the best: 5+0 does 151 "),
        ([100, 151, 202], [100, 155, 210], "20+0 does 155 "),
        ([100], [150], "20+0 does 150 "),
    ],
)
def test_whether_a_bigger_pool_helps_is_said_where_rounds_show_it(
    tmp_path: Path, small: list[int], big: list[int], said: str
) -> None:
    runs = [
        *steady(tmp_path, "5+0", small, started=1),
        *steady(tmp_path, "20+0", big, started=2),
    ]
    drawing = drawn(size_curve, runs)
    assert drawing.title.startswith(said)
    five, twenty = cells(drawing)
    assert (five["connections allowed"], twenty["connections allowed"]) == ("5", "20")
    assert five["in each round"] == " · ".join(["10.0 ms"] * len(small))


def test_a_bigger_pool_helps_up_to_the_recommended_one(tmp_path: Path) -> None:
    runs = [
        *steady(tmp_path, "5+0", [100, 101, 102, 99, 98], peak=5, started=1),
        *steady(tmp_path, "20+0", [150, 151, 152, 149, 148], started=2),
        *steady(tmp_path, "40+0", [150, 152, 153, 149, 148], peak=40, started=3),
    ]
    title = drawn(size_curve, runs).title
    assert title == "Up to 20+0, a bigger pool helps: 40+0 does 150 requests per second, 5+0 100"


def test_pools_stand_by_what_they_may_open_those_without_a_limit_last(tmp_path: Path) -> None:
    runs = [
        *steady(tmp_path, "3000+inf", [100], started=1),
        *steady(tmp_path, "5+10", [100], started=2),
        *steady(tmp_path, "15+0", [100], started=3),
        *steady(tmp_path, "20+0", [100], started=4),
    ]
    summary = summarize_runs(runs)
    places = size_curve._places(dict(enumerate(summary.pools)))
    assert sorted(places, key=lambda number: places[number]) == [1, 2, 3, 0]
    assert places[2] / places[1] == pytest.approx(1.06, abs=0.05)
    assert cells(drawn(size_curve, runs))[0]["connections allowed"] == "no limit"


def test_pools_of_one_size_are_compared_row_by_row(tmp_path: Path) -> None:
    runs = [
        *steady(tmp_path, "a:20+0", [100, 110], started=1),
        *steady(tmp_path, "b:pool_size=20,max_overflow=0,pool_pre_ping=true", [90], started=2),
    ]
    measurements = gather(runs)
    assert size_curve.draw(measurements, summarize(measurements)) is None
    drawing = drawn(throughput, runs)
    assert drawing.title == "a does 105 requests per second, b 90.0"
    assert [row["in each round"] for row in cells(drawing)] == ["100 · 110", "90.0"]


@pytest.mark.parametrize(("waited", "far"), [(9_000, "–"), (20_000, "900 ms")])
def test_the_wait_of_one_in_ten_thousand_needs_as_many(
    tmp_path: Path, waited: int, far: str
) -> None:
    parts = interval(counters={"requests": 9, "checkouts": waited})
    parts.histograms["wait"] = milliseconds([10] * (waited - 3) + [900] * 3)
    (row,) = cells(drawn(wait_percentiles, [run(tmp_path, [parts])]))
    assert (row["p50"], row["p99.9"], row["p99.99"]) == ("10.0 ms", "10.0 ms", far)


def test_limits_are_drawn_where_they_are_near(tmp_path: Path) -> None:
    svg = drawn(connections_over_time, [eventful(tmp_path)]).svg
    assert ">15 with overflow<" in svg
    assert ">5 pool_size<" in svg
    assert "max_connections" not in svg
    near = {"variables": {"max_connections": "17"}}
    scarce = run(tmp_path, eventful(tmp_path).intervals, server=near)
    assert ">17 max_connections<" in drawn(connections_over_time, [scarce]).svg


def test_the_limits_of_several_processes_are_those_of_all_pools_together(tmp_path: Path) -> None:
    parts = [interval(0, process=name, counters={"requests": 9}) for name in "ab"]
    measurements = gather([run(tmp_path, parts, "5+10")])
    assert connections_over_time.pool_limits(measurements.pools[0]) == [
        (10, "pool_size × 2"),
        (30, "with overflow"),
    ]


def test_the_table_over_time_has_the_rounds_beside_their_median(tmp_path: Path) -> None:
    rows = cells(drawn(connections_over_time, [eventful(tmp_path, round_=n) for n in (1, 2, 3)]))
    assert [row["seconds"] for row in rows] == ["0 to 1", "1 to 2"]
    assert rows[0]["in use"] == "14 (13 – 15)"
    assert rows[0]["users waiting"] == "40"


def test_the_reset_is_a_part_of_the_hold(tmp_path: Path) -> None:
    (row,) = cells(drawn(phase_times, [eventful(tmp_path)]))
    assert (row["holding"], row["resetting"], row["total"]) == ("20.0 ms", "10.0 ms", "138 ms")


def test_slow_checkouts_say_what_they_waited_for(tmp_path: Path) -> None:
    opening = SlowCheckout(
        total=200 * MILLISECOND,
        wait=50 * MILLISECOND,
        connect=150 * MILLISECOND,
        task="buy",
        waiting=7,
    )
    part = interval(counters={"requests": 9}, slowest=[opening], wait=[0], checkout=[200])
    runs = [eventful(tmp_path), run(tmp_path, [part], "50+0", started=2)]
    drawing = drawn(slowest_checkouts, runs)
    assert (
        drawing.title == "Slow checkouts spend their time waiting with 5+10, connecting with 50+0"
    )
    first, last = cells(drawing)[0], cells(drawing)[-1]
    assert (first["waiting"], first["connecting"]) == ("900 ms (100 %)", "0 s (0 %)")
    assert first["task"] == "–"
    assert (last["waiting"], last["connecting"]) == ("50.0 ms (25 %)", "150 ms (75 %)")
    assert (last["percentile"], last["task"], last["others asking"]) == ("max", "buy", "7")
    assert "pinging" not in last  # nobody did


def test_slow_checkouts_with_one_phase_are_said_and_not_drawn(tmp_path: Path) -> None:
    drawing = drawn(slowest_checkouts, [eventful(tmp_path)])
    assert drawing.title == "Slow checkouts spend their time waiting with 5+10"
    assert drawing.svg == ""
    assert cells(drawing)[0]["waiting"] == "900 ms (100 %)"
    opening = SlowCheckout(total=200 * MILLISECOND, wait=MILLISECOND, connect=199 * MILLISECOND)
    part = interval(counters={"requests": 9}, slowest=[opening], wait=[0], checkout=[200])
    runs = [eventful(tmp_path), run(tmp_path, [part], "50+0", started=2)]
    assert drawn(slowest_checkouts, runs).svg == ""  # each pool has its phase


def test_checkouts_that_nobody_notices_are_not_taken_apart(tmp_path: Path) -> None:
    quick = SlowCheckout(total=50_000, wait=50_000)
    part = interval(counters={"requests": 9}, slowest=[quick], checkout=[0])
    measurements = gather([run(tmp_path, [part])])
    assert slowest_checkouts.draw(measurements, summarize(measurements)) is None


def test_a_damaged_checkout_that_is_made_of_nothing_is_not_drawn(tmp_path: Path) -> None:
    empty = SlowCheckout(total=200 * MILLISECOND)
    part = interval(counters={"requests": 9}, slowest=[empty], checkout=[200])
    measurements = gather([run(tmp_path, [part])])
    assert slowest_checkouts.draw(measurements, summarize(measurements)) is None


def test_users_who_got_nothing_are_counted(tmp_path: Path) -> None:
    lucky = Fair(users=50, served=5, checkouts=100, squares=2000, longest_wait=950 * MILLISECOND)
    part = replace(interval(counters={"requests": 9}, wait=[10, 10, 10]), fair=lucky)
    drawing = drawn(user_sharing, [eventful(tmp_path), run(tmp_path, [part], "5+0", started=2)])
    assert drawing.title == "In the worst round of 5+0, 45 of 50 users got no connection"
    some, unlucky = cells(drawing)
    assert (some["users without a connection"], some["Jain's index"]) == ("0 of 50", "1.00")
    assert (unlucky["longest wait"], unlucky["longest / median"]) == ("950 ms", "95 times")
    fine = drawn(user_sharing, [eventful(tmp_path)])
    assert fine.title == "No user went without a connection; the longest wait was 900 ms with 5+10"


def test_a_generator_that_failed_requests_keep_busy_is_not_said_to_keep_up(tmp_path: Path) -> None:
    counters = {"requests": 9, "failures": 6, "errors.write_conflict": 6, "cpu": SECOND}
    part = interval(counters=counters, request=[100] * 3, generator_lag=[1] * 9)
    drawing = drawn(generator_load, [run(tmp_path, [part])])
    assert drawing.title == "With 20+0 failed requests overloaded the load generator"


def test_beside_a_pool_that_is_not_valid_the_generator_is_not_praised(tmp_path: Path) -> None:
    counters = {"requests": 9, "cpu": SECOND // 2}
    part = interval(counters=counters, request=[100] * 9, generator_lag=[1] * 9)
    load = {"users": 3, "duration": 9.0}
    drawing = drawn(generator_load, [run(tmp_path, [part], load=load)])
    assert drawing.title == "The load generator's CPU: 50 % of its core with 20+0"


@pytest.mark.parametrize(
    ("cpu", "lag", "said"),
    [
        (0.5, 1, "The load generator kept up: 50 % of its core with 20+0"),
        (0.95, 1, "With 20+0 the results show the load generator's limit, not the pool's"),
        (0.5, 50, "With 20+0 the results show the load generator's limit, not the pool's"),
    ],
)
def test_the_generator_is_held_against_the_gate(
    tmp_path: Path, cpu: float, lag: int, said: str
) -> None:
    counters = {"requests": 9, "cpu": int(cpu * SECOND)}
    part = interval(counters=counters, request=[100] * 9, generator_lag=[lag] * 9)
    drawing = drawn(generator_load, [run(tmp_path, [part])])
    assert drawing.title == said
    (row,) = cells(drawing)
    assert row["lag, allowed"] == "10.0 ms"
    assert ">10.0 ms allowed<" in drawing.svg
    assert ">90 % is too busy<" in drawing.svg
