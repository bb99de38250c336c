"""The tab's table, from intervals made by hand."""

import pytest

from loadtest.live.points import Points
from loadtest.live.tab import tab_duration, tab_rows
from loadtest.model.interval import Gauge
from tests.live.test_points import MILLISECOND, SECOND, Shown, interval


def test_the_tab_tells_the_last_second_and_the_most_so_far() -> None:
    shown = Shown("5+10")
    points = shown.points
    assert tab_rows(Points()) == []
    (row,) = tab_rows(points)
    assert row == {"pool_figure": "Pool", "last_second": "5+10", "so_far": "starting"}

    for second, level in ((1, 15), (2, 6)):
        levels = {
            "in_use": Gauge(level * SECOND, 0, level, level),
            "overflow": Gauge((level - 5) * SECOND, 0, level - 5, 0),
            "waiting": Gauge(level * SECOND // 4, 0, level, level),
        }
        times = {"checkout": [level * MILLISECOND], "generator_lag": [MILLISECOND]}
        cpu = level * SECOND // 20
        shown.add(interval(second, levels=levels, times=times, cpu=cpu, timeouts=level))

    table = {row["pool_figure"]: (row["last_second"], row["so_far"]) for row in tab_rows(points)}
    assert table == {
        "Pool": ("5+10", "measuring"),
        "In use": ("6.0 of 15", "maximum 15"),
        "Overflow": ("1.0", "maximum 10"),
        "Waiting": ("1.5", "maximum 15"),
        "Checkout p95": ("6.0 ms", "worst second 15.0 ms"),
        "Timeouts": ("6 per second", "21"),
        "Load generator": ("fine (CPU 30%, lag p99 1.0 ms)", "maximum CPU 75%"),
    }
    points.end("failed: <b>no</b> room")
    assert tab_rows(points)[0]["so_far"] == "failed: <b>no</b> room"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (0.0000412, "0.04 ms"),
        (0.0123, "12.3 ms"),
        (0.27, "270 ms"),
        (1.805, "1.80 s"),
        (1234.5, "1,234.50 s"),
    ],
)
def test_durations_in_the_tab(seconds: float | None, text: str) -> None:
    assert tab_duration(seconds) == text
