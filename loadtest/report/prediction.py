"""The output of a prediction: tables, whatif.html and whatif.json."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console

from loadtest.analysis.prediction.measured_pool import MeasuredPool
from loadtest.analysis.prediction.validation import ValidatedPool
from loadtest.analysis.prediction.whatif import PredictedPool, Prediction
from loadtest.analysis.units import count, duration, level, listed, percent, rate
from loadtest.report.console import plain, print_table, trimmed
from loadtest.report.figures.settings_map import short_form

# The table has to fit 80 columns.
PREDICTION_COLUMNS = (
    "pool",
    "per s",
    "p50",
    "p95",
    "p99",
    "timeout",
    "in use",
    "peak",
    "new/s",
    "",
)
PREDICTION_LEGEND = (
    "Per s: checkouts per second (a report counts requests that ended). p50, p95, p99: the wait "
    "for a connection. Timeout: the share of checkouts that time out. In use: the mean number of "
    "connections in use. Peak: the most open at once. New/s: connections opened per second."
)
CHECK_COLUMNS = ("pool", "per s", "model", "error", "wait p95", "model", "error")
NOTICEABLE_WAIT = 0.001
BUSY_GENERATOR = 0.9
FAR_OFF = 0.2


def prediction_row(cell: PredictedPool) -> tuple[str, ...]:
    """The cells of a prediction, under PREDICTION_COLUMNS; the last one is its basis."""
    wait, mark = cell.wait, "≥" if cell.bound else ""
    return (
        short_form(cell),
        rate(cell.throughput),
        duration(wait.p50),
        duration(wait.p95),
        mark + duration(wait.p99),
        percent(cell.timeouts),
        level(cell.in_use),
        count(cell.peak),
        rate(cell.opened),
        prediction_basis(cell),
    )


def prediction_basis(cell: PredictedPool) -> str:
    """The basis of a prediction in one word."""
    marks = {
        "measured": cell.measured,
        "overloaded": cell.overloaded,
        "extrapolated": cell.extrapolated,
    }
    return next((mark for mark, holds in marks.items() if holds), "")


def check_rows(prediction: Prediction) -> Iterator[tuple[str, ...]]:
    """A line for each pool that ran: measured, predicted and the error, under CHECK_COLUMNS."""
    for ran, cell in prediction.checks:
        yield (
            ran.name,
            *comparison_cells(ran.served, cell.throughput, ran.wait.p95, cell.wait.p95),
        )


def comparison_cells(
    served: float, predicted: float, wait: float | None, predicted_wait: float | None
) -> tuple[str, ...]:
    """Throughput and p95 of the wait, each as measured and predicted, with the error."""
    return (
        rate(served),
        rate(predicted),
        signed_percent(relative_error(served, predicted)),
        duration(wait),
        duration(predicted_wait),
        signed_percent(relative_error(wait, predicted_wait, NOTICEABLE_WAIT)),
    )


def relative_error(
    measured: float | None, predicted: float | None, least: float = 0.0
) -> float | None:
    """The share by which a prediction is too high; None without a value to divide by.

    least: the value below which both count as zero.
    """
    if measured is None or predicted is None or max(measured, predicted) <= least or not measured:
        return None
    return predicted / measured - 1


def signed_percent(value: float | None) -> str:
    """A relative error as `+12 %`."""
    return "–" if value is None else f"{round(100 * value):+d} %"


VALIDATION_COLUMNS = ("pool", "predicted", "per s", "error", "predicted", "wait p95", "error")


def validation_rows(results: Sequence[ValidatedPool]) -> Iterator[tuple[str, ...]]:
    """A line for each pool that was measured afterwards, under VALIDATION_COLUMNS."""
    for one in results:
        cell, found = one.predicted, one.measured
        if found is None:
            yield (short_form(cell), rate(cell.throughput), "not measured", "", "", "", "")
            continue
        said = comparison_cells(found.served, cell.throughput, found.wait.p95, cell.wait.p95)
        served, predicted, off, wait, predicted_wait, wait_off = said
        shown = short_form(cell) if one.valid else f"{short_form(cell)} (invalid)"
        yield (shown, predicted, served, off, predicted_wait, wait, wait_off)


def validation_json(results: Sequence[ValidatedPool]) -> list[dict[str, Any]]:
    """The same as JSON values; errors are shares, None if they have no meaning."""
    return [
        {
            "predicted": _cell(one.predicted),
            "measured": one.measured and _measured(one.measured),
            "valid": one.valid,
            "before": one.before and _measured(one.before),
            "throughput_error": one.measured
            and relative_error(one.measured.served, one.predicted.throughput),
            "wait_p95_error": one.measured
            and relative_error(one.measured.wait.p95, one.predicted.wait.p95, NOTICEABLE_WAIT),
        }
        for one in results
    ]


def prediction_notes(prediction: Prediction) -> list[str]:
    """The assumptions and limits of a prediction."""
    said = list(prediction.observed.notes)
    number = prediction.observed.processes
    if number > 1:
        said.append(f"Settings apply to each of {number} processes, numbers to all together.")
    beyond = [short_form(cell) for cell in prediction.cells if cell.extrapolated]
    if beyond:
        said.append(
            "Extrapolated: the number of connections in use is outside the measured range. The "
            "prediction uses the hold of the nearest measured number."
        )
    if any(cell.overloaded for cell in prediction.cells):
        said.append(
            "Overloaded: more requests arrive than all connections can serve. The wait grows for "
            f"as long as the load lasts, here {duration(prediction.observed.seconds)}."
        )
    busy = [short_form(cell) for cell in prediction.cells if cell.generator > BUSY_GENERATOR]
    if busy:
        said.append(
            f"The load generator needs more than a core for {_few(busy)}. A measurement there "
            "would show the load generator's limit, not the pool's."
        )
    return said + list(_far_off(prediction))


def _far_off(prediction: Prediction) -> Iterator[str]:
    """Sentences about the pools for which the model misses the measurement."""
    for ran, cell in prediction.checks:
        off = relative_error(ran.served, cell.throughput)
        if off is not None and abs(off) > FAR_OFF:
            yield (
                f"The model misses the measured throughput of {ran.name} by {signed_percent(off)}: "
                "something that the model does not know limits it."
            )
        late = relative_error(ran.wait.p95, cell.wait.p95, NOTICEABLE_WAIT)
        if late is not None and abs(late) > FAR_OFF:
            yield (
                f"The model misses the measured p95 of the wait of {ran.name} by "
                f"{signed_percent(late)}: expect errors of this size for waits of similar pools."
            )


def _few(names: Sequence[str]) -> str:
    return listed(names) if len(names) < 4 else f"{names[0]} to {names[-1]} and others"


def prediction_json(prediction: Prediction, about: Mapping[str, Any]) -> dict[str, Any]:
    """The prediction as JSON values, version 1: times in seconds. about: its origin."""
    work = prediction.observed.workload
    return {
        "schema": 1,
        **about,
        "workload": {
            "users": work.users * prediction.observed.processes,
            "arrivals_per_second": work.rate and work.rate * prediction.observed.processes,
            "processes": prediction.observed.processes,
            "outside_seconds": work.away(work.hold.levels[0]),
            "hold": [
                {"connections_in_use": used, "mean_seconds": sum(times) / len(times)}
                for used, times in zip(work.hold.levels, work.hold.samples, strict=True)
            ],
        },
        "notes": prediction_notes(prediction),
        "cells": [_cell(cell) for cell in prediction.cells],
        "measured": [
            {"name": ran.name, **_measured(ran), "predicted": _cell(cell)}
            for ran, cell in prediction.checks
        ],
    }


def _measured(ran: MeasuredPool) -> dict[str, Any]:
    wait = ran.wait.model_dump(mode="json")
    return {"throughput": ran.served, "wait_seconds": wait, "timeouts": ran.timeouts}


def _cell(cell: PredictedPool) -> dict[str, Any]:
    said = asdict(cell)
    del said["settings"], said["wait"]
    names = ("pool_size", "max_overflow", "pool_timeout")
    settings = {key: getattr(cell.settings, key) for key in names}
    return {**settings, **said, "wait_seconds": cell.wait.model_dump(mode="json")}


def print_prediction(prediction: Prediction, console: Console) -> None:
    """Print the map, the check of the model with measured pools, and the notes."""
    with trimmed(console):
        _print(prediction, console)


def _print(prediction: Prediction, console: Console) -> None:
    print_table(PREDICTION_COLUMNS, [prediction_row(cell) for cell in prediction.cells], console)
    console.print(plain(PREDICTION_LEGEND, console))
    if prediction.checks:
        console.print()
        console.print("Measured pools, and what the model predicts for them")
        print_table(CHECK_COLUMNS, list(check_rows(prediction)), console)
    console.print()
    for note in prediction_notes(prediction):
        console.print(plain(f"- {note}", console))


def print_validation(results: Sequence[ValidatedPool], console: Console) -> None:
    """Print the predictions and the later measurements."""
    with trimmed(console):
        print_table(VALIDATION_COLUMNS, list(validation_rows(results)), console)
    for text in changes_since(results):
        console.print(plain(text, console))


def changes_since(results: Sequence[ValidatedPool]) -> list[str]:
    """Sentences about pools that were measured before: then and now."""
    return [
        f"{short_form(one.predicted)} was measured before: {rate(one.before.served)} per s then, "
        f"{rate(one.measured.served)} now "
        f"({signed_percent(relative_error(one.before.served, one.measured.served))}). The errors "
        "above include this change, which comes from the machine or the database, not from the "
        "model."
        for one in results
        if one.before and one.measured
    ]
