"""A part of a recording as a person asks for it: the time, and how it is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from loadtest.analysis.recordings.clock_time import moment
from loadtest.analysis.recordings.read_recording import Recording, read_recording, recorded_time
from loadtest.analysis.recordings.time_window import ALL_TIME, Window
from loadtest.model.errors import UsageError


@dataclass(frozen=True)
class ReportedTime:
    """The part of a recording to report: moments as texts, and the length of the busiest time (s).

    Empty and None stand for all of it.
    """

    since: str = ""
    until: str = ""
    busiest: float | None = None


def read_reported_time(
    paths: Sequence[Path], time: ReportedTime, application: str = ""
) -> Recording:
    """A recording as far as it lies in a time; raises UsageError as `read_recording` does."""
    recording = read_recording(paths, _window(paths, time, application), application)
    if time.busiest is None:
        return recording
    begin, end = recording.pool().by_second.busiest(round(max(1.0, time.busiest)))
    return read_recording(paths, Window(begin, end), application)


def _window(paths: Sequence[Path], time: ReportedTime, application: str) -> Window:
    if not (time.since or time.until):
        return ALL_TIME
    begin, end = recorded_time(paths, application)
    since = moment(time.since, begin, end) if time.since else ALL_TIME.since
    until = moment(time.until, begin, end) if time.until else ALL_TIME.until
    if since >= until:
        raise UsageError(f"--since {time.since} is not before --until {time.until}")
    return Window(since, until)
