"""A result as an HdrHistogram log, version 1.3, which HdrHistogram's own tools read.

Format: https://github.com/HdrHistogram/HdrHistogram, `HistogramLogWriter`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from loadtest.model.interval import SERVER, Interval
from loadtest.runfile.reader import RunFile

LEGEND = '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"'


def histogram_log_lines(paths: Sequence[Path]) -> Iterator[str]:
    """A line per measured interval and histogram, tagged POOL.HISTOGRAM (`20+0.wait`).

    A tag may have neither commas nor blanks: those of the names of requests become underscores.
    paths: run files in the order in which they began. Histograms are in microseconds; start and
    length of an interval are in seconds, its maximum is in milliseconds.
    """
    began = RunFile(paths[0]).header.started
    day = datetime.fromtimestamp(began, UTC).isoformat(sep=" ", timespec="milliseconds")
    yield "#[Logged with loadtest; histograms in microseconds, Interval_Max in milliseconds]\n"
    yield "#[Histogram log format version 1.3]\n"
    yield f"#[StartTime: {began:.3f} (seconds since epoch), {day}]\n"
    yield f"{LEGEND}\n"
    for path in paths:
        run = RunFile(path)
        measured = [
            one for one in run.whole() if one.period == "measured" and one.process != SERVER
        ]
        for interval in sorted(measured, key=lambda one: one.second):
            yield from _lines(run.header.pool.name, interval)


def _lines(pool: str, interval: Interval) -> Iterator[str]:
    for name, distribution in interval.histograms.items():
        told = distribution.to_json()
        numbers = f"{interval.second:.3f},{interval.length / 1e9:.3f},{told['max'] / 1e6:.3f}"
        tag = re.sub(r"[\s,]", "_", f"{pool}.{name}")
        yield f"Tag={tag},{numbers},{told['hdr']}\n"
