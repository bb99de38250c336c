"""Whether the load was the requested one, and stalls that a closed loop hides."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import dropwhile

import numpy as np

from loadtest.analysis.pool_runs import PoolRuns
from loadtest.analysis.round import Round
from loadtest.analysis.units import count, duration, percent, plural, rate
from loadtest.model.interval import SECOND
from loadtest.model.summary import Finding

# Below this share of its usual rate, a second was part of a stall.
STALLED_SHARE = 0.5
# And this many standard deviations of a Poisson count below it: small counts vary by chance.
CHANCE_DEVIATIONS = 3
# Seconds that are needed for a usual rate.
SECONDS_OF_USUAL_RATE = 5
# From this share of all requests on, the unsent ones would change the p99.
NOTABLE_SHARE = 0.01
NOTABLE_DROPS = 0.01


def dropped_arrivals(pool: PoolRuns) -> Iterator[Finding]:
    """Arrivals that found no free user in time: the load was lower than offered."""
    arrived, dropped = pool.counters["arrivals"], pool.counters["dropped"]
    if not dropped:
        return
    load = pool.header.load
    limit = duration(load.drop_after) if load.drop_after else "the limit"
    share = dropped / max(arrived, dropped)
    yield Finding(
        code="dropped_arrivals",
        severity="error" if share > NOTABLE_DROPS else "warning",
        message=f"{count(dropped)} of {count(arrived)} arrivals ({percent(share)}) were dropped: "
        f"none of {plural(load.users or 0, 'user')} was free within {limit}. The pool received "
        f"less than the offered rate, {rate(arrived / pool.seconds)} requests per second. Request "
        "times leave out the dropped ones. If all connections were in use, the rate is too high "
        "for this pool. Otherwise use more users.",
        evidence={"dropped": dropped, "arrivals": arrived},
    )


def unseen_stall(pool: PoolRuns) -> Iterator[Finding]:
    """A stall in a closed loop: most requests of that time were never sent.

    Each user waits for its answer before it asks again, so a stall of any length shows up as one
    slow request per user (coordinated omission: Schroeder, Wierman,
    Harchol-Balter, Open Versus Closed, NSDI 2006; Tene, How NOT to Measure Latency, 2013).
    """
    if pool.counters["arrivals"] or pool.stages:
        return  # a load in stages has no usual rate
    missing = sum(_never_sent(round_) for round_ in pool.rounds)
    requests = pool.counters["requests"]
    if not requests or missing < NOTABLE_SHARE * requests:
        return
    stalled = sum(len(_stalled(round_)) for round_ in pool.rounds)
    usual = float(np.median([_usual(_rates(round_)) for round_ in pool.rounds]))
    yield Finding(
        code="unseen_stall",
        severity="warning",
        message=f"In {plural(stalled, 'second')} the rate of requests was less than half of the "
        f"usual {rate(usual)} per second. In a closed loop, users wait for an answer before they "
        f"send the next request. About {count(missing)} requests that independent users would "
        "have sent meanwhile are missing, so p95 and p99 look too good. To include them, run an "
        f"open loop: --arrival-rate {usual:.0f}.",
        evidence={"seconds": stalled, "never_sent": missing, "usual": usual},
    )


def _never_sent(round_: Round) -> float:
    rates = _rates(round_)
    return sum(_usual(rates) - rates[second] for second in _stalled(round_))


def _stalled(round_: Round) -> list[int]:
    """The seconds with far fewer requests than usual, after the first that had enough."""
    rates = _rates(round_)
    usual = _usual(rates)
    # Users that ask less than once per second may all ask in the same second of several.
    if len(rates) < SECONDS_OF_USUAL_RATE or usual < _users(round_):
        return []
    limit = min(STALLED_SHARE * usual, usual - CHANCE_DEVIATIONS * math.sqrt(usual))
    few = {second for second, rate_ in rates.items() if rate_ < limit}
    begun = dropwhile(lambda second: second in few, sorted(rates))
    return [second for second in begun if second in few]


def _users(round_: Round) -> float:
    gauge = round_.together.gauges.get("users")
    return gauge.integral / round_.together.length if gauge else 0.0


def _usual(rates: Mapping[int, float]) -> float:
    return float(np.median(list(rates.values()))) if rates else 0.0


def _rates(round_: Round) -> dict[int, float]:
    """Requests that ended in each whole second that was measured."""
    rows = round_.measured
    ended = rows.by_second(rows.counter("requests"))
    lengths = rows.longest_by_second().items()
    return {s: ended[s] * SECOND / length for s, length in lengths if length > SECOND / 2}
