"""Incidents in a recording are told as they are: outages, failures, holds that go on."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from loadtest.analysis.recordings.read_recording import read_recording
from loadtest.analysis.recordings.summarize_recording import summarize_recording
from loadtest.model.interval import SECOND, Interval
from loadtest.model.place_use import PlaceUse
from loadtest.model.recording_summary import RecordingSummary
from loadtest.model.summary import Finding
from tests.analysis.recorded_pools import write_recording
from tests.analysis.recorded_shop import LIST, PAY, second


def summary(folder: Path, rows: Iterable[Interval], **more: Any) -> RecordingSummary:
    write_recording(folder, rows, **more)
    return summarize_recording(read_recording([folder]))


def the(code: str, found: RecordingSummary) -> Finding:
    (finding,) = [one for one in found.pools[0].findings if one.code == code]
    return finding


def test_holds_that_go_on_are_not_called_queries(tmp_path: Path) -> None:
    held = PlaceUse(kept=3, longest_hold=SECOND)
    timed_out = PlaceUse(timeouts=2)
    rows = [
        second(n, {PAY: held, LIST: timed_out}, in_use=3, waiting=4, timeouts=2) for n in range(20)
    ]
    found = summary(tmp_path, rows)
    assert "ran queries" not in found.verdict
    message = the("pool_full", found).message
    assert "Predict a larger pool" not in message
    assert message.endswith(
        "Most of the time in use is that of holds which have not ended: see which places held "
        "connections in the longest waits."
    )
