"""How much of the time of slow requests is waiting for a connection."""

from __future__ import annotations

import math

from loadtest.analysis.statistics.students_t import student_quantile
from loadtest.model.durations import Durations
from loadtest.model.interval import SECOND
from loadtest.model.request_times import Explained
from loadtest.model.request_use import RequestUse, TimeBand, band_of

_PERCENTILES = ("p50", "p95", "p99")
# Fewer requests near a percentile explain nothing.
LEAST_TOLD = 10
# How often the mean wait of such requests may be below the lower bound.
_LEVEL = 0.05


def explained(use: RequestUse, times: Durations) -> dict[str, Explained]:
    """The waits in some percentiles of the times of a request, where enough requests told theirs.

    Percentiles of waits would not do: the requests that wait longest need not be the slowest ones.
    So it is the share of the waits in the time of the requests that took about as long. A
    percentile that is a lower bound has none, because slower requests are not known.
    """
    known = [name for name in _PERCENTILES if name not in times.at_least]
    values = {name: getattr(times, name) for name in known}
    found = {name: _near(use, seconds) for name, seconds in values.items() if seconds is not None}
    return {name: one for name, one in found.items() if one}


def _near(use: RequestUse, seconds: float) -> Explained | None:
    """The requests in the band of a time. Those of other bands wait for other parts of it."""
    band = use.bands.get(band_of(round(seconds * SECOND)), TimeBand())
    if band.told < LEAST_TOLD or not band.time:
        return None
    waiting = seconds * _least_share(band)
    return Explained(seconds=seconds, waiting_seconds=waiting, told=band.told)


def _least_share(band: TimeBand) -> float:
    """A one-sided 95 % bound of the mean share of the waits (Student, 1908).

    Without the squares of an older file, the spread is the largest that shares can have.
    """
    share = min(band.waited / band.time, 1.0)
    variance = share * (1 - share)
    if band.squares:
        mean_time = band.time / band.told / 1000  # µs, as in the squares
        variance = max(band.squares / band.told / mean_time**2 - share**2, 0.0)
    t = student_quantile(band.told - 1, 1 - _LEVEL)
    return max(share - t * math.sqrt(variance / (band.told - 1)), 0.0)
