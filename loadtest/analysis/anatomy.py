"""What the slowest checkouts were made of, percentile by percentile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from loadtest.analysis.pool_runs import SECOND, PoolRuns
from loadtest.model.interval import SlowCheckout
from loadtest.model.summary import Anatomy, Durations

ANATOMY_PERCENTILES = ("p50", "p90", "p95", "p99", "p999", "max")
# A percentile is explained by the kept checkouts that took about as long.
NEAR_SHARE = 0.10
LEAST_SAMPLES = 3


def anatomy(pool: PoolRuns, checkout: Durations) -> tuple[Anatomy, ...]:
    """The mean parts of the checkouts near each percentile, where enough of them were kept.

    Every interval keeps its slowest few, so that the tail is covered and the middle mostly not.
    """
    kept = [slow for r in pool.rounds for i in r.run.measured() for slow in i.slowest]
    return tuple(
        found
        for percentile in ANATOMY_PERCENTILES
        if (found := _near(percentile, getattr(checkout, percentile), kept))
    )


def _near(percentile: str, seconds: float | None, kept: Sequence[SlowCheckout]) -> Anatomy | None:
    if seconds is None or not kept:
        return None
    if percentile == "max":
        return _mean(percentile, [max(kept, key=lambda slow: slow.total)])
    low, high = (1 - NEAR_SHARE) * seconds * SECOND, (1 + NEAR_SHARE) * seconds * SECOND
    alike = [slow for slow in kept if low <= slow.total <= high]
    return _mean(percentile, alike) if len(alike) >= LEAST_SAMPLES else None


def _mean(percentile: str, alike: Sequence[SlowCheckout]) -> Anatomy:
    number = len(alike)
    tasks = Counter(slow.task for slow in alike if slow.task)
    return Anatomy(
        percentile=percentile,
        samples=number,
        seconds=sum(slow.total for slow in alike) / number / SECOND,
        wait_seconds=sum(slow.wait for slow in alike) / number / SECOND,
        connect_seconds=sum(slow.connect for slow in alike) / number / SECOND,
        ping_seconds=sum(slow.ping for slow in alike) / number / SECOND,
        task=tasks.most_common(1)[0][0] if tasks else None,
        waiting=sum(slow.waiting for slow in alike) / number,
        overflow=sum(slow.overflow for slow in alike) / number,
    )
