"""From the files of a recording to its report: summary.json, figures and the page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from loadtest.analysis.recordings.part_of_recording import ReportedTime, read_reported_time
from loadtest.analysis.recordings.read_recording import Recording
from loadtest.analysis.recordings.summarize_recording import summarize_recording
from loadtest.model.errors import UsageError
from loadtest.model.recording_summary import RecordingSummary
from loadtest.report.figures import without_formulas
from loadtest.report.figures.toolkit.drawing import Drawing
from loadtest.report.recorded.recorded_connections import draw_connections
from loadtest.report.recorded.recorded_waits import draw_waits
from loadtest.report.recorded.recording_origin import recording_origin
from loadtest.report.recorded.recording_page import Drawings, recording_page
from loadtest.report.render import write_figures, write_whole


def render_recording(
    paths: Sequence[Path], out: Path, time: ReportedTime, application: str = ""
) -> RecordingSummary:
    """Read a recording and write summary.json, figures/ and report.html; returns the summary.

    paths: files or folders. out: a folder, made if necessary. Raises UsageError if there is nothing
    to report, or if writing fails.
    """
    recording = read_reported_time(paths, time, application)
    summary = summarize_recording(recording)
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_whole(out / "summary.json", json.dumps(summary.to_json(), indent=2) + "\n")
        drawings = draw_recording(recording, summary)
        write_figures(out / "figures", [one for each in drawings.values() for one in each])
        origin = recording_origin(paths, out, time, application)
        write_whole(out / "report.html", recording_page(summary, drawings, origin))
    except OSError as error:
        raise UsageError(f"cannot write the report in {out}: {error.strerror}") from None
    return summary


def draw_recording(recording: Recording, summary: RecordingSummary) -> Drawings:
    """The figures of each pool, by its name; those of the first have names without a number."""
    found: dict[str, list[Drawing]] = {}
    with without_formulas():
        for number, (pool, of) in enumerate(zip(recording.pools, summary.pools, strict=True)):
            suffix = f"-{number + 1}" if number else ""
            drawn = (
                draw_connections(pool, of, f"connections{suffix}", number),
                draw_waits(pool, of, f"waits{suffix}", number),
            )
            found[pool.name] = [drawing for drawing in drawn if drawing]
    return found
