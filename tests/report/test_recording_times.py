"""Moments and gaps in the report of a recording."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from loadtest.analysis.recordings.clock_time import clock_of
from loadtest.analysis.recordings.read_recording import read_recording
from loadtest.analysis.recordings.summarize_recording import summarize_recording
from loadtest.cli.recording_options import PartOptions
from loadtest.model.errors import UsageError
from loadtest.model.recording_summary import TimeSpan
from loadtest.report.recorded import recording_rows as rows
from loadtest.report.recorded.recorded_connections import draw_connections
from loadtest.report.recorded.recorded_waits import WaitStep, draw_waits, without_gaps
from loadtest.report.recorded.recording_markdown import recording_markdown
from tests.analysis.builders import START
from tests.analysis.recorded_pools import write_recording
from tests.analysis.recorded_shop import LIST, paying_shop, quick, second, shortage

TO_MIDNIGHT = 86_400 - START % 86_400  # 8:53:20


def test_times_over_midnight_have_their_date(tmp_path: Path) -> None:
    late = {"in_use": 3, "waiting": 2, "timeouts": 1}
    around = [
        second(TO_MIDNIGHT + n, {LIST: quick()}, shortages=[shortage(TO_MIDNIGHT + n, 200)], **late)
        for n in (-1, 0, 1)
    ]
    write_recording(tmp_path, around)
    recording = read_recording([tmp_path])
    summary = summarize_recording(recording)
    (pool,) = summary.pools
    assert "full for 3.00 s from 15 Jun 23:59:59 UTC" in summary.verdict
    assert rows.shortage_rows(pool)[0][0] == "15 Jun 23:59:59"
    assert "15 June 2025, 23:59:59 to 16 Jun 00:00:02 UTC (3.00 s)" in rows.circumstances(summary)
    assert dict(rows.recorded_facts(pool))["busiest time (UTC)"] == (
        "15 Jun 23:59:59 to 16 Jun 00:00:02"
    )
    for draw in (draw_connections, draw_waits):
        drawing = draw(recording.pool(), pool, "figure")
        assert drawing
        assert [row[0] for row in drawing.table.rows] == [
            *("15 Jun 23:59:59", "16 Jun 00:00:00", "16 Jun 00:00:01"),
        ]
        assert "16 Jun 00:00:00" in drawing.svg


def test_a_recording_until_midnight_has_one_date() -> None:
    midnight = START + TO_MIDNIGHT
    assert clock_of(midnight - 60, midnight)(midnight - 1) == "23:59:59"


def test_the_mean_in_use_leaves_out_gaps(tmp_path: Path) -> None:
    parts = [second(n, {LIST: quick()}, in_use=3) for n in (0, 1, 20, 21)]
    write_recording(tmp_path, parts)
    recording = read_recording([tmp_path])
    pool = summarize_recording(recording).pools[0]
    assert pool.connections.in_use == 3
    assert ">3 in use<" in draw_connections(recording.pool(), pool, "figure").svg


def test_gaps_that_are_not_shown_are_counted(tmp_path: Path) -> None:
    write_recording(tmp_path, [second(10 * n, {LIST: quick()}) for n in range(6)])
    pool = summarize_recording(read_recording([tmp_path])).pools[0]
    told = [text for name, text in rows.recorded_facts(pool) if name.startswith("nothing")]
    assert len(told) == 4
    assert told[-1] == "2 further times, 18.0 s"


def test_waits_are_not_drawn_across_a_time_without_a_recording() -> None:
    steps = [WaitStep(begin, begin + 10, 1, 0.1, 0.1, 0.1, 0) for begin in (0, 10, 30, 60)]
    parts = without_gaps(steps, [TimeSpan(begin=42, end=55)])
    assert [[step.begin for step in part] for part in parts] == [[0, 10, 30], [60]]
    assert without_gaps([], []) == [[]]


def test_the_tables_of_several_pools_have_their_names_in_markdown(tmp_path: Path) -> None:
    lines = [second(0, {LIST: quick()})]
    write_recording(tmp_path, lines)
    audit = {"name": "audit", "pool_size": 1, "max_overflow": 0}
    write_recording(tmp_path, lines, pool=audit)
    text = recording_markdown(summarize_recording(read_recording([tmp_path])))
    for name in ("shop", "audit"):
        assert f"Places of {name}:\n\n| place |" in text


@pytest.mark.parametrize("length", ["0s", "0"])
def test_a_busiest_time_without_a_length_is_refused(length: str) -> None:
    with pytest.raises(UsageError, match=f"--busiest: {length} has no length; write 60s"):
        _ = PartOptions(busiest=length).time


def test_each_pool_has_its_colour(tmp_path: Path) -> None:
    recording = read_recording([paying_shop(tmp_path)])
    pool = summarize_recording(recording).pools[0]
    for draw in (draw_connections, draw_waits):
        drawing = draw(recording.pool(), pool, "figure", 1)
        assert drawing
        assert set(re.findall(r"--pool-\d", drawing.svg)) == {"--pool-2"}
        assert drawing.chart
        assert {one.pool for one in drawing.chart.panels[0].lines} <= {1, None}
