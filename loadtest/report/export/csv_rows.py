"""A result as CSV: one row per interval, the unit of a value at the end of its column's name."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from io import StringIO
from pathlib import Path

from loadtest.model.interval import Interval
from loadtest.runfile.reader import RunFile
from loadtest.runfile.schema import Header

_PERCENTILES = (50, 95, 99)
FIRST = (
    "pool",
    "round",
    "model",
    "server",
    "process",
    "role",
    "second_utc_s",
    "period",
    "stage",
    "length_s",
)


def csv_lines(paths: Sequence[Path]) -> Iterator[str]:
    """A line of column names, then a line per interval; a value that was not measured is empty.

    The role is `application` for a process of a driven application, otherwise empty.
    """
    columns = _columns(paths)
    yield _line([*FIRST, *columns])
    for path in paths:
        run = RunFile(path)
        for interval in run.whole():
            values = dict(_values(interval))
            row = [values.get(name, "") for name in columns]
            yield _line([*_first(run.header, interval), *row])


def _columns(paths: Sequence[Path]) -> list[str]:
    """The columns that any interval has, in the order of their names by kind."""
    found = {
        name: None for path in paths for one in RunFile(path).whole() for name, _ in _values(one)
    }
    return sorted(found)


def _first(header: Header, interval: Interval) -> list[object]:
    told = [header.pool.name, header.round, header.load.model, header.server.name]
    length = f"{interval.length / 1e9:.9f}"
    place = [interval.process, interval.role, interval.second, interval.period, interval.stage]
    return [*told, *place, length]


def _values(interval: Interval) -> Iterator[tuple[str, object]]:
    for name, number in interval.counters.items():
        yield f"{name}_count", number
    for name, use in interval.requests.items():
        yield from ((f"requests@{name}_count", use.count), (f"failures@{name}_count", use.failed))
        statuses = use.by_status.items()
        yield from ((f"status_{status}@{name}_count", number) for status, number in statuses)
    for name, gauge in interval.gauges.items():
        yield f"{name}_mean", f"{gauge.integral / max(interval.length, 1):.6f}"
        yield from ((f"{name}_min", gauge.min), (f"{name}_max", gauge.max))
    for name, distribution in interval.histograms.items():
        yield f"{name}_values_count", distribution.count
        yield f"{name}_mean_s", f"{distribution.mean_seconds or 0:.9f}"
        found = distribution.percentiles_seconds(_PERCENTILES)
        for percent, seconds in zip(_PERCENTILES, found, strict=True):
            yield f"{name}_p{percent}_s", f"{seconds or 0:.9f}"
        yield f"{name}_max_s", f"{distribution.max / 1e9:.9f}"


def _line(cells: Sequence[object]) -> str:
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()
