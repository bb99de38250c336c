"""Whether a run had settled when measuring began.

MSER-5 (White, Simulation 69(6), 1997; White, Cobb and Spratt, Winter Simulation Conference, 2000):
from the means of five observations each, leave out the number at the start that minimises the
standard error of the mean of the rest. If that is more than half, the run never settled.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from loadtest.analysis.pool_runs import PoolRuns
from loadtest.analysis.round import Round
from loadtest.analysis.units import percent, plural
from loadtest.model.interval import SECOND
from loadtest.model.summary import Finding

BATCH_SECONDS = 5
LEAST_RUN_SECONDS = 30
NOTABLE_CHANGE = 0.03


def truncation(values: Sequence[float]) -> int:
    """How many values at the start to leave out by MSER-5; all but half at most."""
    batches = np.array(values[: len(values) // BATCH_SECONDS * BATCH_SECONDS], dtype=float).reshape(
        -1, BATCH_SECONDS
    )
    means = batches.mean(axis=1)
    if not len(means):
        return 0
    errors = [
        np.var(means[left_out:]) / (len(means) - left_out) for left_out in range(_most(values) + 1)
    ]
    return BATCH_SECONDS * int(np.argmin(errors))


def _most(values: Sequence[float]) -> int:
    """The most batches that may be left out."""
    return len(values) // BATCH_SECONDS // 2


def unsettled(pool: PoolRuns) -> Iterator[Finding]:
    """Runs of 30 s and more whose beginning is unlike the rest."""
    for round_ in pool.rounds:
        values = _per_second(round_)
        # A run of 30 seconds measures some milliseconds less.
        if round(round_.seconds) < LEAST_RUN_SECONDS or not any(values):
            continue
        left_out = truncation(values)
        change = float(np.mean(values[left_out:]) / np.mean(values)) - 1
        if not left_out or abs(change) < NOTABLE_CHANGE:
            continue
        settled = left_out < BATCH_SECONDS * _most(values)
        differs = f"{percent(abs(change))} {'higher' if change > 0 else 'lower'}"
        yield Finding(
            code="unsettled",
            severity="warning",
            message=f"{round_.run.path.name} {_says(settled, left_out)} (MSER-5). Without its "
            f"beginning the throughput is {differs}. "
            f"{'Use a longer warm-up.' if settled else 'Measure for longer.'}",
            evidence={"file": round_.run.path.name, "left_out": left_out, "change": change},
        )


def _says(settled: bool, left_out: int) -> str:
    if not settled:
        return "never settled"
    return f"had not settled in its first {plural(left_out, 'second')}"


def _per_second(round_: Round) -> list[float]:
    """Requests that succeeded in each whole second, of all processes together."""
    rows = round_.measured
    ended, lengths = rows.by_second(rows.successes), rows.longest_by_second()
    return [number for second, number in ended.items() if lengths[second] > 0.9 * SECOND]
