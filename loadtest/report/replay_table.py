"""The output of a prediction from a recording: the table, whatif.html and whatif.json."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from loadtest.analysis.prediction.recorded_arrivals import RecordedArrivals, RecordedWaits
from loadtest.analysis.prediction.replayed_pools import PredictedValue, ReplayedPool
from loadtest.analysis.units import count, duration, percent
from loadtest.report.console import plain, print_table, trimmed
from loadtest.report.page_template import whole_page
from loadtest.report.prediction_page import prediction_files, write_page
from loadtest.report.recorded.recording_rows import single_lines

REPLAY_COLUMNS = ("pool", "timeouts", "mean wait", "p95 of the wait", "connections")
REPLAY_LEGEND = (
    "Timeouts: the share of checkouts that time out. Wait: for a connection, also one that ends in "
    "a timeout. Connections: the most open at once. Brackets: the 95 % interval."
)


def replay_rows(
    recorded: RecordedArrivals, predicted: Sequence[ReplayedPool]
) -> list[tuple[str, ...]]:
    """The cells of each prediction, under REPLAY_COLUMNS, after what was recorded."""
    rows = [_recorded_row(recorded.ran)] if recorded.ran else []
    return rows + [_row(pool) for pool in predicted]


def _recorded_row(ran: RecordedWaits) -> tuple[str, ...]:
    return (
        "recorded",
        percent(ran.timeouts),
        duration(ran.wait_mean),
        duration(ran.wait_p95),
        count(ran.connections),
    )


def _row(pool: ReplayedPool) -> tuple[str, ...]:
    return (
        pool.settings.name,
        with_interval(pool.timeouts, percent),
        with_interval(pool.wait_mean, duration),
        with_interval(pool.wait_p95, duration),
        with_interval(pool.connections, count),
    )


def with_interval(predicted: PredictedValue, formatted: Callable[[float], str]) -> str:
    """A value and its interval, `31.2 (12.1–55.3) ms`; the unit once if it is the same."""
    value, low, high = (formatted(one) for one in (predicted.value, *predicted.ci95))
    if value == low == high:
        return value
    units = {text.rpartition(" ")[2] for text in (value, low, high) if " " in text}
    numbers = [text.rpartition(" ")[0] or text for text in (value, low, high)]
    if len(units) > 1 or any(number.startswith("<") for number in numbers):
        return f"{value} ({low}–{high})"
    return " ".join([f"{numbers[0]} ({numbers[1]}–{numbers[2]})", *units])


def print_replay(
    recorded: RecordedArrivals,
    predicted: Sequence[ReplayedPool],
    notes: Sequence[str],
    console: Console,
) -> None:
    """Print the table and the notes."""
    with trimmed(console):
        print_table(REPLAY_COLUMNS, replay_rows(recorded, predicted), console)
        console.print(plain(REPLAY_LEGEND, console))
        console.print()
        for note in notes:
            console.print(plain(f"- {note}", console))


def replay_json(
    recorded: RecordedArrivals,
    predicted: Sequence[ReplayedPool],
    notes: Sequence[str],
    about: Mapping[str, Any],
) -> dict[str, Any]:
    """The prediction as JSON values, version 1: times in seconds. about: its origin."""
    return {
        "schema": 1,
        **about,
        "recording": {
            "begin": recorded.begin,
            "seconds": recorded.seconds,
            "checkouts": recorded.asked,
            "processes": len(recorded.shares),
            "hold_mean_seconds": recorded.mean_hold,
        },
        "notes": list(notes),
        "recorded": recorded.ran and _in_seconds(asdict(recorded.ran)),
        "cells": [_cell(pool) for pool in predicted],
    }


def _cell(pool: ReplayedPool) -> dict[str, Any]:
    names = ("pool_size", "max_overflow", "pool_timeout")
    settings = {name: getattr(pool.settings, name) for name in names}
    values = asdict(pool)
    del values["settings"]
    return {**settings, **_in_seconds(values)}


def _in_seconds(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values, with the unit in the names of times."""
    return {f"{n}_seconds" if n.startswith("wait") else n: value for n, value in values.items()}


def write_replay(
    recorded: RecordedArrivals,
    predicted: Sequence[ReplayedPool],
    notes: Sequence[str],
    about: Mapping[str, Any],
    folder: Path,
) -> None:
    """Write whatif.json and whatif.html; raises UsageError if that fails.

    about: its origin, with `name`, `result` and `command`.
    """
    data = json.dumps(replay_json(recorded, predicted, notes, about), indent=2, allow_nan=False)
    page = whole_page(
        "whatif.html.j2",
        title=str(about["name"]),
        source="recording",
        subtitle=f"Other settings of the pool, from {about['result']}",
        answer=(),
        drawing=None,
        checked=(),
        validated=(),
        columns=REPLAY_COLUMNS,
        legend=REPLAY_LEGEND,
        rows=[single_lines(row) for row in replay_rows(recorded, predicted)],
        row_pools={},
        notes=notes,
        files=prediction_files(about, folder),
        command=about["command"],
    )
    write_page(folder, data, page)
