"""How much of the time of slow requests is waiting for a connection."""

from __future__ import annotations

from functools import reduce

from loadtest.model.durations import Durations
from loadtest.model.interval import SECOND
from loadtest.model.request_times import Explained
from loadtest.model.request_use import RequestUse, TimeBand, band_of

_PERCENTILES = ("p50", "p95", "p99")
# Fewer requests near a percentile explain nothing. The bands beside its own are asked, too.
LEAST_TOLD = 10
_WIDEST = 2


def explained(use: RequestUse, times: Durations) -> dict[str, Explained]:
    """The waits in some percentiles of the times of a request, where enough requests told theirs.

    Percentiles of waits would not do: the requests that wait longest need not be the slowest ones.
    So it is the share of the waits in the time of the requests that took about as long.
    """
    values = {name: getattr(times, name) for name in _PERCENTILES}
    found = {name: _near(use, seconds) for name, seconds in values.items() if seconds is not None}
    return {name: one for name, one in found.items() if one}


def _near(use: RequestUse, seconds: float) -> Explained | None:
    """The requests in the band of a time, and in as few bands around it as are necessary."""
    band = band_of(round(seconds * SECOND))
    for width in range(_WIDEST + 1):
        bands = range(band - width, band + width + 1)
        near = reduce(TimeBand.plus, (use.bands.get(b, TimeBand()) for b in bands))
        if near.told >= LEAST_TOLD and near.time:
            waiting = seconds * min(near.waited / near.time, 1.0)
            return Explained(seconds=seconds, waiting_seconds=waiting, told=near.told)
    return None
