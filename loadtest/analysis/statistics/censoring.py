"""Percentiles of times of which some are known only in part (censored)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from loadtest.model.distribution import Distribution
from loadtest.model.durations import Durations

PERCENTILE_SHARES = {"p50": 0.50, "p90": 0.90, "p95": 0.95, "p99": 0.99, "p999": 0.999}

CurveSeconds = npt.NDArray[np.float64]
CurveShares = npt.NDArray[np.float64]


@dataclass(frozen=True)
class CensoredTimes:
    """Times that ended in the measured time, and times that were cut off.

    unfinished: ages of the times that had not ended at the end. entered: ages, at the start, of the
    times that began before it; they are also among `finished` or `unfinished`.
    throughout: how many began before the start and had not ended at the end.
    """

    finished: Distribution = field(default_factory=Distribution)
    unfinished: Distribution = field(default_factory=Distribution)
    entered: Distribution = field(default_factory=Distribution)
    throughout: int = 0

    def __add__(self, other: CensoredTimes) -> CensoredTimes:
        return CensoredTimes(
            self.finished + other.finished,
            self.unfinished + other.unfinished,
            self.entered + other.entered,
            self.throughout + other.throughout,
        )

    @property
    def complete(self) -> bool:
        """Whether every time was seen from its start to its end."""
        return not self.unfinished.count and not self.entered.count


def distribution_curve(times: CensoredTimes) -> tuple[CurveSeconds, CurveShares]:
    """The distribution function: rising seconds, and the share of times up to each.

    The product-limit estimate (Kaplan and Meier, 1958). At risk at a time t are all that lasted
    at least as long, less those that were seen only from a greater age on (delayed entry).
    It ends below one if the longest times are unfinished.
    """
    ended, cut, late = (
        np.array(part.bins(), dtype=np.int64).reshape(-1, 2)
        for part in (times.finished, times.unfinished, times.entered)
    )
    at, deaths = ended[:, 0], ended[:, 1]
    risk = _at_least(ended, at) + _at_least(cut, at) - _at_least(late, at)
    # Request times are cut off by the age of a wait inside them, which can leave too few at risk.
    surviving = np.cumprod(1 - deaths / np.maximum(risk, deaths))
    return at / 1e6, 1 - surviving


def time_at_share(seconds: CurveSeconds, share: CurveShares, wanted: float) -> float | None:
    """The time at a share of a `distribution_curve`; None if the curve ends before."""
    at = np.flatnonzero(share >= wanted - 1e-9)
    return float(seconds[at[0]]) if len(at) else None


def _at_least(bins: npt.NDArray[np.int64], at: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """For each of some values, how many binned values are at least as long."""
    order = np.searchsorted(bins[:, 0], at, side="left")
    from_there_on = np.append(np.cumsum(bins[::-1, 1])[::-1], 0)
    return np.asarray(from_there_on[order])


def describe(times: CensoredTimes) -> Durations:
    """Mean, percentiles and maximum; lower bounds are named in `at_least`."""
    if times.complete:
        return _exact(times.finished)
    if not times.finished.count and not times.unfinished.count:
        return Durations()
    seconds, share = distribution_curve(times)
    longest = max(times.finished.max, times.unfinished.max) / 1e9
    values: dict[str, float] = {}
    bounds = []
    for name, wanted in PERCENTILE_SHARES.items():
        within = time_at_share(seconds, share, wanted)
        values[name] = longest if within is None else min(within, longest)
        if within is None or _hidden(times, wanted):
            bounds.append(name)
    if times.unfinished.max > times.finished.max:
        bounds += ["max", "mean"]
    mean = _restricted_mean(seconds, share, longest)
    return Durations(**values, mean=mean, max=longest, at_least=tuple(bounds))


def _hidden(times: CensoredTimes, wanted: float) -> bool:
    """Whether more times lasted throughout than lie beyond a percentile.

    These are at risk only from their age at the start. Below it the estimate covers the other times
    only: in a pool that starves some users, those of the served users.
    """
    seen = times.finished.count + times.unfinished.count
    return times.throughout > (1 - wanted) * seen + 1e-9


def _exact(finished: Distribution) -> Durations:
    values = {name: finished.percentile_seconds(100 * p) for name, p in PERCENTILE_SHARES.items()}
    longest = finished.max / 1e9 if finished.count else None
    return Durations(**values, mean=finished.mean_seconds, max=longest)


def _restricted_mean(seconds: CurveSeconds, share: CurveShares, longest: float) -> float:
    """The area over the curve up to the longest time seen: a lower bound of the mean."""
    edges = np.concatenate(([0.0], np.minimum(seconds, longest), [longest]))
    surviving = 1 - np.concatenate(([0.0], share))
    return float(np.sum(surviving * np.diff(edges)))
