"""What the table and the page say of an open loop."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from loadtest.analysis.summarize import summarize_runs
from loadtest.report.pool_table import LineGroup, line_groups
from loadtest.runfile.reader import Run
from tests.analysis.builders import header, interval, run
from tests.report.pages import page_of


def _open(folder: Path, pool: str = "20+0", **load: Any) -> Run:
    counters = {"arrivals": 100, "dropped": 4, "requests": 96}
    lags = [*[1] * 95, *[500] * 5]
    facts = {**header()["load"], "arrival_rate": 100.0, "arrivals": "poisson", **load}
    parts = [interval(n, counters=counters, schedule_lag=lags, request=[9] * 96) for n in range(5)]
    return run(folder, parts, pool, load=facts)


def _closed(folder: Path, pool: str) -> Run:
    return run(folder, [interval(counters={"requests": 100})], pool)


def _group(heading: str, *runs: Run) -> LineGroup | None:
    found = {group.heading: group for group in line_groups(summarize_runs(runs))}
    return found.get(heading)


def _text(folder: Path) -> str:
    return page_of(folder).replace("\xa0", " ")


def test_an_open_loop_has_lines_of_its_own(tmp_path: Path) -> None:
    group = _group("Open loop", _open(tmp_path))

    assert group
    assert {line.label: line.values for line in group.lines} == {
        "offered rate, per second": ("100",),
        "achieved rate, per second": ("100",),
        "arrivals dropped": ("20",),
        "schedule lag, p50": ("1.00 ms",),
        "schedule lag, p99": ("500 ms",),
    }


def test_a_closed_loop_has_not(tmp_path: Path) -> None:
    assert _group("Open loop", _closed(tmp_path, "20+0")) is None
    assert _group("Requests", _closed(tmp_path, "20+0"))


def test_the_page_says_what_arrived(tmp_path: Path) -> None:
    _open(tmp_path, users=1000)

    text = _text(tmp_path)
    assert "100 requests per second offered · at most 1,000 users · " in text
    assert re.search(r"<th[^>]*>offered rate, per second</th>\s*<td[^>]*>100</td>", text)


def test_the_page_says_that_they_were_evenly_spaced(tmp_path: Path) -> None:
    _open(tmp_path, users=1, arrivals="even")

    assert "100 requests per second offered, evenly spaced · at most 1 user" in _text(tmp_path)


def test_the_page_says_after_how_long_an_arrival_was_dropped(tmp_path: Path) -> None:
    _open(tmp_path, drop_after=0.5)

    facts = dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", _text(tmp_path)))
    assert facts["drop_after"] == "0.5 s"
    assert facts["arrivals"] == "poisson"


def test_of_a_closed_loop_the_page_says_nothing_of_arrivals(tmp_path: Path) -> None:
    _closed(tmp_path, "20+0")

    text = _text(tmp_path)
    assert "300 users · " in text
    assert "arrivals" not in text
