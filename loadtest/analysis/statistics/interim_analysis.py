"""Interim analyses of a run under way: whether its outcome is already clear.

Four analyses that stop at the first difference that seems certain err in more than 5 % of cases.
O'Brien and Fleming's bounds keep the error at 5 % for all of them together: the first ones are
strict ("A multiple testing procedure for clinical trials", 1979; the values are in Jennison and
Turnbull, Group Sequential Methods, 2000, table 2.3). They assume a known variance; here it comes
from a few seconds, so the bound is Student's at the same level (the same book, chapter 4).

Seconds stand for batches of requests (batch means: Law, Simulation Modeling and Analysis, 2007,
chapter 9). Near saturation neighbouring seconds are alike, and show less than they seem to: the
final decision uses rounds.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from loadtest.analysis.statistics.batches import BatchOfRequests, successes, whole_seconds
from loadtest.analysis.statistics.censoring import PERCENTILE_SHARES
from loadtest.analysis.statistics.students_t import student_quantile
from loadtest.model.distribution import Distribution
from loadtest.model.experiment import MARGIN
from loadtest.model.interval import SECOND, Interval
from loadtest.model.objective import Bound, of_request
from loadtest.model.request_use import (
    IN_PROGRESS,
    RequestUse,
    ages_in_progress,
    is_of_name,
    name_in,
    times_of_name,
)

# The share of the measured time after which each analysis is due, and the standard errors that stop
# the run there. The fourth analysis is the end of the run.
STOPPING_BOUNDS = ((0.25, 4.049), (0.5, 2.863), (0.75, 2.337))
_HISTOGRAMS = {
    "checkout.wait_seconds": "wait",
    "checkout.seconds": "checkout",
    "request_seconds": "request",
    "hold_seconds": "hold",
}
_CUT_OFF_BY_WAITS = ("wait", "checkout", "request")
_PERCENTILE = re.compile(rf"^(?P<of>.+)\.(?P<name>{'|'.join(PERCENTILE_SHARES)})$")


@dataclass(frozen=True)
class ThroughputEstimate:
    """A throughput (requests per second that succeeded) and its standard error."""

    mean: float
    error: float


@dataclass(frozen=True)
class Excess:
    """By how much each second exceeded its allowance, and the least error of the total.

    least_error: known beforehand, as the seconds may be too alike by chance.
    """

    parts: Sequence[float]
    least_error: float

    def below_zero(self, standard_errors: float) -> bool | None:
        """Whether the total is clearly below zero (True) or above (False); None if neither.

        standard_errors: how many are enough, if the variance were known.
        """
        number = len(self.parts)
        if number < 2:
            return None
        spread = math.sqrt(number) * float(np.std(self.parts, ddof=1))
        of_a_few = student_quantile(number - 1, _normal_cdf(standard_errors))
        enough = max(of_a_few * spread, standard_errors * self.least_error)
        total = sum(self.parts)
        return None if abs(total) <= enough else total < 0


def rate_of(seconds: Sequence[BatchOfRequests]) -> ThroughputEstimate | None:
    """The throughput of some seconds; None with fewer than two."""
    if len(seconds) < 2:
        return None
    length = sum(one.length for one in seconds) / SECOND
    mean = sum(one.successes for one in seconds) / length
    excess = [one.successes - mean * one.length / SECOND for one in seconds]
    return ThroughputEstimate(
        mean, math.sqrt(len(seconds)) * float(np.std(excess, ddof=1)) / length
    )


def early_conclusion(
    parts: Sequence[Interval],
    duration: float,
    bounds: Sequence[Bound],
    best: ThroughputEstimate | None,
    margin: float = MARGIN,
) -> str:
    """What is already clear about a run, in a few words; empty if nothing is, or none is due.

    parts: the intervals so far, of a run of `duration` seconds. best: the throughput to keep; None
    if there is none yet, and a run that may be the best then goes to its end.
    """
    standard_errors = _due(parts, duration)
    if standard_errors is None:
        return ""
    seconds = whole_seconds(parts)
    kept = {bound.text: _of(bound, seconds, standard_errors) for bound in bounds}
    loses = best and _lost(seconds, (1 - margin) * best.mean, best.error).below_zero(
        standard_errors
    )
    missed = [text for text, fine in kept.items() if fine is False]
    if missed:
        return f"surely misses {missed[0]}"
    if loses is False:
        return "surely loses throughput"
    return "surely good" if loses and all(kept.values()) else ""


def _due(parts: Sequence[Interval], duration: float) -> float | None:
    """The standard errors that stop the run, if the last second made an analysis due."""
    if not parts:
        return None
    now = sum(part.length for part in parts) / SECOND / duration
    before = now - parts[-1].length / SECOND / duration
    return next((enough for share, enough in STOPPING_BOUNDS if before < share <= now), None)


def _of(bound: Bound, seconds: Sequence[Interval], standard_errors: float) -> bool | None:
    excess = _excess(bound, seconds)
    return excess.below_zero(standard_errors) if excess else None


def _excess(bound: Bound, seconds: Sequence[Interval]) -> Excess | None:
    """The excess over a bound; None for bounds that a part of a run cannot decide."""
    if requested := of_request(bound.path):
        return _excess_of_request(bound, *requested, seconds)
    percentile = _PERCENTILE.match(bound.path)
    if percentile and bound.at_most and percentile["of"] in _HISTOGRAMS:
        allowed = 1 - PERCENTILE_SHARES[percentile["name"]]
        return _too_long(seconds, _HISTOGRAMS[percentile["of"]], bound.limit, allowed)
    if bound.path == "errors.rate" and bound.at_most:
        failed = [(one.counters["failures"], one.counters["requests"]) for one in seconds]
        return _too_many(failed, bound.limit)
    if bound.path == "throughput.per_second" and not bound.at_most:
        return _lost(seconds, bound.limit, 0.0)
    return None


def _excess_of_request(
    bound: Bound, name: str, value: str, seconds: Sequence[Interval]
) -> Excess | None:
    """The same for the requests of one name."""
    if bound.at_most and value in PERCENTILE_SHARES:
        allowed = 1 - PERCENTILE_SHARES[value]
        return _too_long(seconds, times_of_name(name), bound.limit, allowed)
    if bound.at_most and value == "error_rate":
        uses = [one.requests.get(name, RequestUse()) for one in seconds]
        return _too_many([(use.failed, use.count) for use in uses], bound.limit)
    return None


def _too_long(seconds: Sequence[Interval], name: str, longest: float, allowed: float) -> Excess:
    """Times over a bound, beyond the share that a percentile allows; includes unfinished waits."""
    times = [one.histograms.get(name, Distribution()) for one in seconds]
    counted = [(one.longer_than(longest), one.count) for one in times]
    if left := _unfinished(name, seconds[-1]):
        going_on = left.longer_than(longest)
        over, of = counted[-1]
        counted[-1] = over + going_on, of + going_on
    return _too_many(counted, allowed)


def _unfinished(name: str, last: Interval) -> Distribution | None:
    """The ages by which the times of a histogram are cut off at the end, if any."""
    of_requests = ages_in_progress(last.requests, name_in(name))
    if is_of_name(name) or (name == "request" and IN_PROGRESS in last.gauges):
        return of_requests
    return last.unfinished if name in _CUT_OFF_BY_WAITS else None


def _too_many(counted: Sequence[tuple[int, int]], allowed: float) -> Excess:
    """The counted events of each second, beyond an allowed share of all.

    Without counted events the seconds do not differ, but the binomial's error remains.
    """
    number = sum(of for _, of in counted)
    least = math.sqrt(allowed * (1 - allowed) * number)
    return Excess([some - allowed * of for some, of in counted], least)


def _lost(seconds: Sequence[Interval], least: float, error: float) -> Excess:
    """Requests that are missing for a throughput, which has an error, too."""
    length = sum(one.length for one in seconds) / SECOND
    parts = [least * one.length / SECOND - successes(one) for one in seconds]
    return Excess(parts, max(error * length, math.sqrt(len(seconds)) / 2))


def _normal_cdf(standard_errors: float) -> float:
    """The share of the normal distribution below some standard errors."""
    return 0.5 * math.erfc(-standard_errors / math.sqrt(2))
