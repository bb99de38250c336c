"""From the files of a recording to its report: summary.json, figures and the page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from loadtest.analysis.recordings.clock_time import moment
from loadtest.analysis.recordings.read_recording import Recording, read_recording
from loadtest.analysis.recordings.summarize_recording import summarize_recording
from loadtest.analysis.recordings.time_window import ALL_TIME, Window
from loadtest.model.errors import UsageError
from loadtest.model.recording_summary import RecordingSummary
from loadtest.report.figures import without_formulas
from loadtest.report.figures.toolkit.drawing import Drawing
from loadtest.report.recorded.recorded_connections import draw_connections
from loadtest.report.recorded.recorded_waits import draw_waits
from loadtest.report.recorded.recording_page import Drawings, recording_page
from loadtest.report.render import write_figures, write_whole


@dataclass(frozen=True)
class ReportedTime:
    """The part of a recording to report: moments as texts, and the length of the busiest time (s).

    Empty and None stand for all of it.
    """

    since: str = ""
    until: str = ""
    busiest: float | None = None

    @property
    def given(self) -> bool:
        """Whether it is only a part."""
        return bool(self.since or self.until or self.busiest)


def render_recording(
    paths: Sequence[Path], out: Path, time: ReportedTime, application: str = ""
) -> RecordingSummary:
    """Read a recording and write summary.json, figures/ and report.html; returns the summary.

    paths: files or folders. out: a folder, made if necessary. Raises UsageError if there is nothing
    to report, or if writing fails.
    """
    recording = _recording(paths, time, application)
    summary = summarize_recording(recording)
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_whole(out / "summary.json", json.dumps(summary.to_json(), indent=2) + "\n")
        drawings = draw_recording(recording, summary)
        write_figures(out / "figures", [one for each in drawings.values() for one in each])
        write_whole(out / "report.html", recording_page(summary, drawings))
    except OSError as error:
        raise UsageError(f"cannot write the report in {out}: {error.strerror}") from None
    return summary


def draw_recording(recording: Recording, summary: RecordingSummary) -> Drawings:
    """The figures of each pool, by its name; those of the first have names without a number."""
    found: dict[str, list[Drawing]] = {}
    with without_formulas():
        for number, (pool, of) in enumerate(zip(recording.pools, summary.pools, strict=True), 1):
            suffix = f"-{number}" if number > 1 else ""
            drawn = (
                draw_connections(pool, of, f"connections{suffix}"),
                draw_waits(pool, of, f"waits{suffix}"),
            )
            found[pool.name] = [drawing for drawing in drawn if drawing]
    return found


def _recording(paths: Sequence[Path], time: ReportedTime, application: str) -> Recording:
    """The recording, or a part of it: its moments are known when all of it has been read."""
    recording = read_recording(paths, ALL_TIME, application)
    if not time.given:
        return recording
    window = _window(recording, time)
    if not time.busiest:
        return read_recording(paths, window, application)
    if window != ALL_TIME:
        recording = read_recording(paths, window, application)
    begin, end = recording.pool().by_second.busiest(round(max(1.0, time.busiest)))
    return read_recording(paths, Window(begin, end), application)


def _window(recording: Recording, time: ReportedTime) -> Window:
    each = [pool.by_second for pool in recording.pools]
    begin = min(seconds.begin for seconds in each)
    end = max(seconds.begin + seconds.length for seconds in each)
    since = moment(time.since, begin, end) if time.since else ALL_TIME.since
    until = moment(time.until, begin, end) if time.until else ALL_TIME.until
    if since >= until:
        raise UsageError(f"--since {time.since} is not before --until {time.until}")
    return Window(since, until)
