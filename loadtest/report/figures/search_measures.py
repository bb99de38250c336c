"""What the figure of a search shows of each size: throughput, and the values of the objective."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from loadtest.analysis.pool_runs import Measurements
from loadtest.analysis.statistics.within_rounds import SecondsSpread, seconds_spread
from loadtest.analysis.units import NO_VALUE, duration, percent, rate
from loadtest.model.field_types import Interval95
from loadtest.model.objective import Bound, is_share, is_time, of_request, parse_objective
from loadtest.model.search_result import SizeTried
from loadtest.model.summary import ObjectiveResult, Summary
from loadtest.report.figures.toolkit import canvas
from loadtest.report.figures.toolkit.drawing import UNNOTICED

WAIT, THROUGHPUT = "checkout.wait_seconds.p95", "throughput.per_second"
# More panels would not fit a page.
_MOST_BOUNDS = 3
_SAY: Mapping[str, Callable[[float | None], str]] = {
    "seconds": duration,
    "share": percent,
    "level": rate,
}

Measured = tuple[float | None, Interval95 | None]
"""A value with its interval, if it has one."""


@dataclass(frozen=True)
class Measure:
    """A panel of the figure. label, heading: above the panel, and in the table.

    values: by the pools' names. spreads: from the slowest tenth of the seconds to the fastest.
    limit: the objective's, if it has one.
    """

    label: str
    heading: str
    form: Literal["seconds", "share", "level"]
    values: Mapping[str, Measured]
    limit: float | None = None
    spreads: Mapping[str, Interval95] = field(default_factory=dict)

    def said(self, pool: str) -> str:
        """The value of a pool."""
        value = self.values[pool][0]
        return NO_VALUE if value is None else _SAY[self.form](value)

    def interval(self, pool: str) -> str:
        """The interval of a pool's value."""
        found, say = self.values[pool][1], _SAY[self.form]
        return f"{say(max(found[0], 0.0))} – {say(found[1])}" if found else NO_VALUE


def search_measures(
    measurements: Measurements, summary: Summary, tried: Sequence[SizeTried]
) -> list[Measure]:
    """The throughput and the objective's values; without an objective, the p95 of the wait."""
    bounds = parse_objective(str(summary.experiment.get("objective") or ""))
    spreads = _spreads(measurements)
    least = next((bound.limit for bound in bounds if bound.path == THROUGHPUT), None)
    others = [bound for bound in bounds if bound.path != THROUGHPUT][:_MOST_BOUNDS]
    return [
        Measure(
            *("successful requests per second", "ok/s", "level"),
            {one.pool: (one.throughput, one.throughput_ci95) for one in tried},
            least,
            {name: one.throughput for name, one in spreads.items()},
        ),
        *(_of_bound(bound, summary, tried, spreads) for bound in others),
        *([] if bounds else _waits(tried, spreads)),
    ]


def wait_measure(
    tried: Sequence[SizeTried], spreads: Mapping[str, SecondsSpread], limit: float | None = None
) -> Measure:
    """The p95 of the wait."""
    return Measure(
        *("wait p95", "wait p95", "seconds"),
        {one.pool: (one.wait_p95, one.wait_p95_ci95) for one in tried},
        limit,
        {name: one.wait_p95 for name, one in spreads.items()},
    )


def _waits(tried: Sequence[SizeTried], spreads: Mapping[str, SecondsSpread]) -> Iterator[Measure]:
    """The p95 of the wait, if any size had one that matters."""
    if any((one.wait_p95 or 0.0) >= UNNOTICED for one in tried):
        yield wait_measure(tried, spreads)


def _of_bound(
    bound: Bound,
    summary: Summary,
    tried: Sequence[SizeTried],
    spreads: Mapping[str, SecondsSpread],
) -> Measure:
    if bound.path == WAIT:
        return wait_measure(tried, spreads, bound.limit)
    found = of_request(bound.path)
    label = f"{canvas.shortened(found[0], 30)}, {found[1]}" if found else bound.path
    form: Literal["seconds", "share", "level"] = "share" if is_share(bound.path) else "level"
    return Measure(
        label,
        f"{found[0]}, {found[1]}" if found else bound.path,
        "seconds" if is_time(bound.path) else form,
        {one.pool: _value(summary, one.pool, bound) for one in tried},
        bound.limit,
    )


def _value(summary: Summary, pool: str, bound: Bound) -> Measured:
    results: Sequence[ObjectiveResult] = summary.pool(pool).objectives
    for one in results:
        if one.text == bound.text:
            return one.value, one.ci95
    return None, None


def _spreads(measurements: Measurements) -> Mapping[str, SecondsSpread]:
    """How uneven the seconds of each pool were, by its name."""
    each = {pool.name: seconds_spread(pool) for pool in measurements.pools}
    return {name: found for name, found in each.items() if found}
