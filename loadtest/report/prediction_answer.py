"""What a prediction says in short: the best settings, how sure that is, and what to do next."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from loadtest.analysis.prediction.whatif import PredictedPool, Prediction
from loadtest.analysis.units import duration, rate
from loadtest.report.figures.settings_map import short_form
from loadtest.report.prediction import NOTICEABLE_WAIT, relative_error, signed_percent

# A pool with less than the most throughput by at most this share is as good.
NEARLY_AS_GOOD = 0.05
# Shares of timeouts that differ by less are the same.
_SAME_TIMEOUTS = 0.001


def prediction_answer(prediction: Prediction, *, validated: bool) -> list[str]:
    """The headline and the sentences below it. validated: whether settings were measured later."""
    cells = prediction.cells
    chosen = enough(cells)
    most = max(cells, key=lambda cell: cell.throughput)
    lines = [
        f"Predicted: {short_form(chosen)} is the smallest of these pools with nearly the most "
        f"checkouts, {rate(chosen.throughput)} per second, and a p95 of the wait of "
        f"{duration(chosen.wait.p95)}."
    ]
    if most is not chosen:
        lines.append(
            f"The most are {rate(most.throughput)} with {short_form(most)}. Nearly: at most "
            f"{100 * NEARLY_AS_GOOD:g} % fewer, and not more timeouts."
        )
    shortest = min(cells, key=lambda cell: cell.wait.p95 or 0.0)
    if _notably_shorter(shortest, chosen):
        lines.append(
            f"The shortest p95 of the wait is {duration(shortest.wait.p95)}, with "
            f"{short_form(shortest)}."
        )
    return [*lines, *_how_sure(prediction, chosen), _next(validated)]


def enough(cells: Sequence[PredictedPool]) -> PredictedPool:
    """The pool with the fewest connections that is nearly as good as the best one."""
    most = max(cell.throughput for cell in cells)
    fewest = min(cell.timeouts for cell in cells)
    good = [
        cell
        for cell in cells
        if cell.throughput >= (1 - NEARLY_AS_GOOD) * most
        and cell.timeouts <= fewest + _SAME_TIMEOUTS
        and not cell.overloaded
    ]
    return min(good or cells, key=lambda cell: (_allowed(cell), cell.wait.p95 or 0.0))


def _allowed(cell: PredictedPool) -> float:
    most = cell.settings.most_connections
    return math.inf if most is None else most


def _notably_shorter(one: PredictedPool, other: PredictedPool) -> bool:
    shorter, longer = one.wait.p95 or 0.0, other.wait.p95 or 0.0
    return longer > max(NOTICEABLE_WAIT, (1 + NEARLY_AS_GOOD) * shorter)


def _how_sure(prediction: Prediction, chosen: PredictedPool) -> Iterator[str]:
    """The errors of the model where settings were measured, and whether the answer is there."""
    checks = prediction.checks
    if not checks:
        yield "No measured pool has settings that can be predicted, so the error is unknown."
        return
    served = [relative_error(ran.served, cell.throughput) for ran, cell in checks]
    waits = [relative_error(ran.wait.p95, cell.wait.p95, NOTICEABLE_WAIT) for ran, cell in checks]
    said = [
        f"{what} by {_spread(known)}"
        for what, errors in (("the throughput", served), ("the p95 of the wait", waits))
        if (known := [error for error in errors if error is not None])
    ]
    if said:
        yield f"For the measured pools, the model misses {' and '.join(said)}."
    if chosen.measured:
        yield f"{short_form(chosen)} was measured; the report has its numbers."
    elif chosen.extrapolated:
        yield (
            f"{short_form(chosen)} has more or fewer connections in use than any measured pool, "
            "so its error may be larger."
        )


def _spread(errors: Sequence[float]) -> str:
    low, high = signed_percent(min(errors)), signed_percent(max(errors))
    return low if low == high else f"{low} to {high}"


def _next(validated: bool) -> str:
    if validated:
        return "Compare the settings that you choose in several rounds: `loadtest compare`."
    return "Measure before you change a pool: add `--validate` to the command at the end."
