"""The requests to an application: a row per name and pool, and what slow ones waited for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from loadtest.analysis.units import NO_VALUE, at_least, count, duration, marked_duration, percent
from loadtest.model.request_times import RequestTimes
from loadtest.model.summary import PoolSummary, Summary

REQUEST_HEADINGS = (
    "request",
    "pool",
    "requests",
    "failed",
    "p50",
    "p95",
    "p99",
    "waiting in p95",
    "statuses",
)
# The columns that a terminal has room for.
FEW_HEADINGS = REQUEST_HEADINGS[:-1]
# More names are in summary.json only.
MOST_SHOWN, MOST_IN_TERMINAL = 30, 8
_EXPLAINED = "p95"
# Less waiting explains no slow request.
_NOTABLE_SHARE = 0.1


def request_rows(summary: Summary, most: int = MOST_SHOWN) -> list[tuple[str, ...]]:
    """The cells under REQUEST_HEADINGS, the most frequent names first.

    Empty unless the load drove an application.
    """
    return [
        _row(name, pool, pool.request[name])
        for name in _names(summary)[:most]
        for pool in summary.pools
        if name in pool.request
    ]


def not_shown(summary: Summary, most: int = MOST_SHOWN) -> int:
    """How many further names there are."""
    return max(len(_names(summary)) - most, 0)


def _names(summary: Summary) -> list[str]:
    numbers = Counter[str]()
    for pool in summary.pools:
        numbers.update({name: times.count for name, times in pool.request.items()})
    return [name for name, _ in numbers.most_common()]


def _row(name: str, pool: PoolSummary, times: RequestTimes) -> tuple[str, ...]:
    statuses = [f"{status}: {count(number)}" for status, number in times.by_status.items()]
    return (
        name,
        pool.name,
        count(times.count),
        percent(times.error_rate),
        *(marked_duration(times, percentile) for percentile in ("p50", "p95", "p99")),
        _waiting(times),
        ", ".join(statuses) or NO_VALUE,
    )


def _waiting(times: RequestTimes) -> str:
    """The time that a slow request waited for a connection; at least zero says nothing."""
    explained = times.explained.get(_EXPLAINED)
    if not explained or not explained.waiting_seconds:
        return NO_VALUE
    return at_least(explained.waiting_seconds, bound=True)


def explanations(summary: Summary) -> list[str]:
    """For each pool, a sentence about the request in whose p95 most time is waiting."""
    return [sentence for pool in summary.pools if (sentence := _explanation(pool))]


def _explanation(pool: PoolSummary) -> str:
    told: Sequence[tuple[str, RequestTimes]] = [
        (name, times) for name, times in pool.request.items() if _EXPLAINED in times.explained
    ]
    if not told:
        return ""
    name, times = max(told, key=lambda one: one[1].explained[_EXPLAINED].waiting_seconds)
    found = times.explained[_EXPLAINED]
    if found.waiting_seconds < _NOTABLE_SHARE * found.seconds:
        return ""
    return (
        f"With {pool.name}, the p95 of {name} is {duration(found.seconds)}. At least "
        f"{duration(found.waiting_seconds)} of it are waiting for a connection (mean of "
        f"{count(found.told)} requests of about this time)."
    )
