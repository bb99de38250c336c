"""What the slowest checkouts were made of, percentile by percentile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from loadtest.analysis.columns import Ints
from loadtest.analysis.pool_runs import PoolRuns
from loadtest.analysis.reduction import Slow
from loadtest.model.durations import Durations
from loadtest.model.interval import SECOND
from loadtest.model.summary import Anatomy

ANATOMY_PERCENTILES = ("p50", "p90", "p95", "p99", "p999", "max")
# A percentile is explained by the kept checkouts that took about as long.
NEAR_SHARE = 0.10
LEAST_SAMPLES = 3


def anatomy(pool: PoolRuns, checkout: Durations) -> tuple[Anatomy, ...]:
    """The mean parts of the checkouts near each percentile, where enough of them were kept.

    Every interval keeps its slowest few, so the tail is covered, but most of the middle is not.
    """
    kept = [round_.data.slow for round_ in pool.rounds]
    return tuple(
        found
        for percentile in ANATOMY_PERCENTILES
        if (found := _near(percentile, getattr(checkout, percentile), kept))
    )


def _near(percentile: str, seconds: float | None, kept: Sequence[Slow]) -> Anatomy | None:
    longest = max((int(slow.total.max()) for slow in kept if len(slow.total)), default=None)
    if seconds is None or longest is None:
        return None
    if percentile == "max":
        return _mean(percentile, [_first(kept, longest)])
    low, high = (1 - NEAR_SHARE) * seconds * SECOND, (1 + NEAR_SHARE) * seconds * SECOND
    alike = [slow.where((low <= slow.total) & (slow.total <= high)) for slow in kept]
    return (
        _mean(percentile, alike)
        if sum(len(slow.total) for slow in alike) >= LEAST_SAMPLES
        else None
    )


def _first(kept: Sequence[Slow], longest: int) -> Slow:
    """The first of the checkouts that took longest."""
    slow = next(slow for slow in kept if (slow.total == longest).any())
    return slow.where(np.arange(len(slow.total)) == np.argmax(slow.total == longest))


def _mean(percentile: str, alike: Sequence[Slow]) -> Anatomy:
    number = sum(len(slow.total) for slow in alike)
    named = (slow.tasks[task] for slow in alike for task in slow.task.tolist())
    tasks = Counter(name for name in named if name)

    def sum_of(columns: Sequence[Ints]) -> int:
        return sum(int(column.sum()) for column in columns)

    return Anatomy(
        percentile=percentile,
        samples=number,
        seconds=sum_of([slow.total for slow in alike]) / number / SECOND,
        wait_seconds=sum_of([slow.wait for slow in alike]) / number / SECOND,
        connect_seconds=sum_of([slow.connect for slow in alike]) / number / SECOND,
        ping_seconds=sum_of([slow.ping for slow in alike]) / number / SECOND,
        task=tasks.most_common(1)[0][0] if tasks else None,
        waiting=sum_of([slow.waiting for slow in alike]) / number,
        overflow=sum_of([slow.overflow for slow in alike]) / number,
    )
