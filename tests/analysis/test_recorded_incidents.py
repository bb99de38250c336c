"""Incidents in a recording are told as they are: outages, failures, holds that go on."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from loadtest.analysis.recordings.read_recording import read_recording
from loadtest.analysis.recordings.summarize_recording import summarize_recording
from loadtest.model.interval import SECOND, Gauge, Interval
from loadtest.model.place_use import PlaceUse
from loadtest.model.recording_summary import RecordingSummary
from loadtest.model.summary import Finding
from loadtest.report.recorded.recorded_waits import draw_waits
from tests.analysis.recorded_pools import write_recording
from tests.analysis.recorded_shop import LIST, PAY, milliseconds, second


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


def outage(begin: int, seconds: int, process: str = "web-1") -> list[Interval]:
    """A pool that is full: three checkouts a second, each after a wait of 2 s."""
    use = PlaceUse(checkouts=3, holds=3, hold=3 * SECOND, query=3 * SECOND, needed=3 * SECOND)
    return [
        second(begin + n, {LIST: use}, in_use=3, waiting=6, waits=[2000] * 3, process=process)
        for n in range(seconds)
    ]


def test_an_outage_in_a_long_recording_is_found(tmp_path: Path) -> None:
    quiet = PlaceUse(checkouts=2000, holds=2000, hold=SECOND, query=SECOND, needed=SECOND)
    rows = [*(second(n, {LIST: quiet}) for n in range(20)), *outage(20, 10)]
    found = summary(tmp_path, rows)
    (pool,) = found.pools
    assert pool.checkout.wait_seconds.p99 == 0
    assert [(span.seconds, span.wait_seconds_mean) for span in pool.full] == [(10, 2.0)]
    assert the("pool_full", found).evidence["full_wait"] == 2.0
    assert found.verdict.startswith("The pool of `shop` was full for 10.0 s from ")


def test_processes_that_are_not_full_do_not_hide_an_outage(tmp_path: Path) -> None:
    quick = PlaceUse(checkouts=2000, holds=2000, hold=SECOND, query=SECOND, needed=SECOND)
    rows = [second(n, {LIST: quick}, process="web-2") for n in range(10)]
    write_recording(tmp_path, rows, "web-2")
    (full,) = summary(tmp_path, outage(0, 10)).pools[0].full
    assert full.wait_seconds_mean == 2.0


def test_failed_checkouts_are_told(tmp_path: Path) -> None:
    use = PlaceUse(checkouts=7, errors=3, holds=7, hold=SECOND, query=SECOND, needed=SECOND)
    rows = [second(n, {LIST: use}, counters={"checkout_errors": 3}) for n in range(10)]
    found = summary(tmp_path, rows)
    finding = the("failed_checkouts", found)
    assert finding.severity == "error"
    assert finding.message.startswith(f"30 checkouts of 100 failed at `{LIST}` (30): ")
    assert "30 checkouts failed (30 %)." in found.verdict.splitlines()


def test_a_single_failed_checkout_is_no_finding(tmp_path: Path) -> None:
    use = PlaceUse(checkouts=10, holds=10, hold=SECOND, query=SECOND, needed=SECOND)
    rows = [second(n, {LIST: use}) for n in range(20)]
    rows[0].counters["checkout_errors"] = 1
    assert summary(tmp_path, rows).pools[0].findings == ()


def test_waits_in_progress_make_lower_bounds(tmp_path: Path) -> None:
    rows = outage(0, 10)
    rows[-1].unfinished = milliseconds([20_000] * 30)
    write_recording(tmp_path, rows)
    recording = read_recording([tmp_path])
    found = summarize_recording(recording)
    message = the("pool_full", found).message
    assert "The p99 of all waits is ≥ 20.0 s, the longest ≥ 20.0 s." in message
    drawing = draw_waits(recording.pool(), found.pools[0], "waits")
    assert drawing
    assert drawing.title == "The p95 of the waits is ≥ 20.0 s"
    assert drawing.alt.endswith("The longest wait is ≥ 20.0 s.")


def test_a_wait_in_progress_is_not_the_longest_one_in_a_verdict(tmp_path: Path) -> None:
    use = PlaceUse(checkouts=10, holds=10, hold=SECOND, query=SECOND, needed=SECOND)
    rows = [second(n, {LIST: use}) for n in range(20)]
    rows[-1].unfinished = milliseconds([900])
    assert summary(tmp_path, rows).verdict.endswith("and the longest wait is ≥ 900 ms.")


def test_a_full_engine_is_not_hidden_by_an_idle_one(tmp_path: Path) -> None:
    rows = outage(0, 20)
    for row in rows:
        row.gauges["engines"] = Gauge(2 * SECOND, 2, 2, 2)
    found = summary(tmp_path, rows)
    assert found.pools[0].full_seconds == 20
    assert "A process had 2 engines with the settings of `shop`" in (
        the("several_engines", found).message
    )


def test_a_second_engine_for_a_moment_is_no_finding(tmp_path: Path) -> None:
    use = PlaceUse(checkouts=10, holds=10, hold=SECOND, query=SECOND, needed=SECOND)
    rows = [second(n, {LIST: use}, gauges={"engines": 1 + (n == 0)}) for n in range(20)]
    assert summary(tmp_path, rows).pools[0].findings == ()


def test_a_time_in_which_no_checkout_ended_is_reported(tmp_path: Path) -> None:
    hanging = [
        second(n, {PAY: PlaceUse(kept=3, longest_hold=(n + 5) * SECOND)}, in_use=3, waiting=2)
        for n in range(20)
    ]
    hanging[-1].unfinished = milliseconds([20_000] * 2)
    found = summary(tmp_path, hanging)
    assert found.pools[0].checkout.attempts == 0
    assert found.verdict.startswith("The pool of `shop` was full for 20.0 s")
