"""The assumptions and limits of a prediction from a recording, as sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from loadtest.analysis.prediction.recorded_arrivals import RecordedArrivals
from loadtest.analysis.prediction.replayed_pools import PredictedValue, ReplayedPool
from loadtest.analysis.recordings.clock_time import date_and_time
from loadtest.analysis.recordings.pool_seconds import ENGINES
from loadtest.analysis.recordings.recorded_pool import RecordedPool
from loadtest.analysis.units import count, duration, listed, percent
from loadtest.model.interval import Gauge
from loadtest.model.pool import PoolConfig

# A smaller share of the time in use, or of the checkouts, is not worth a sentence.
NOTABLE_UNENDED, NOTABLE_FAILED = 0.05, 0.01
# More checkouts at once than the recording had are worth a sentence from this factor on.
MORE_AT_ONCE = 1.2
# The model fits if it misses a wait by less: a share of it, or seconds.
FITTING_SHARE, FITTING_SECONDS = 0.2, 0.001


def replay_notes(
    pool: RecordedPool, recorded: RecordedArrivals, predicted: Sequence[ReplayedPool]
) -> list[str]:
    """What a prediction assumes, and where it may be wrong."""
    return [
        *_arrivals(pool, recorded),
        *_processes(pool),
        *_holds(pool, recorded),
        *_threads(recorded, predicted),
        *_misses(recorded, predicted),
    ]


def _arrivals(pool: RecordedPool, recorded: RecordedArrivals) -> Iterator[str]:
    if recorded.ran is None:
        yield (
            f"The recording has {count(pool.checkout_attempts)} checkouts. The prediction is of "
            f"its busiest {recorded.seconds} s, from {date_and_time(recorded.begin)} UTC."
        )
    yield (
        f"The {count(recorded.asked)} checkouts come when they came in the recording, whatever the "
        "pool. Clients that wait for an answer before they ask again would come less often when "
        "waits grow."
    )
    yield "Brackets have the 95 % interval for the same arrivals at another time."


def _processes(pool: RecordedPool) -> Iterator[str]:
    number = int(pool.by_second.processes.max(initial=0))
    if number > 1:
        yield (
            f"Settings apply to each of {number} processes, numbers to all together. Connections "
            "are the sum of the processes' peaks, which is an upper bound."
        )
    if len(pool.settings) > 1:
        yield (
            "The processes had different settings. The prediction keeps the other settings of the "
            "most frequent ones."
        )
    engines = (one.total.gauges.get(ENGINES, Gauge()).max for one in pool.processes)
    if max(engines, default=0) > 1:
        yield (
            "A process had several engines, each with its own pool. The prediction treats them as "
            "one pool."
        )


def _holds(pool: RecordedPool, recorded: RecordedArrivals) -> Iterator[str]:
    total = pool.total
    yield (
        f"Hold is assumed as it was recorded, on average {duration(recorded.mean_hold)}. It grows "
        "if transactions that run at once hinder each other."
    )
    used, ended = total.gauges.get("in_use", Gauge()).integral, total.histograms["hold"].sum
    if used - ended > NOTABLE_UNENDED * used:
        yield (
            f"{percent(1 - ended / used)} of the time in use belongs to holds that had not ended. "
            "The prediction leaves them out, so it is too good."
        )
    nested = sum(use.nested for use in total.tasks.values())
    if nested:
        yield (
            f"{count(nested)} checkouts were made while the same task already held a connection. "
            "The prediction has no such tasks, and no deadlock between them."
        )
    errors = total.counters["checkout_errors"] / max(pool.checkout_attempts, 1)
    if errors > NOTABLE_FAILED:
        yield f"{percent(errors)} of the checkouts failed to connect. The prediction serves them."


def _threads(recorded: RecordedArrivals, predicted: Sequence[ReplayedPool]) -> Iterator[str]:
    """Pools with more checkouts in progress than were recorded, which threads may not allow."""
    more = [pool for pool in predicted if pool.at_once > MORE_AT_ONCE * recorded.at_once]
    if more:
        most = max(more, key=lambda pool: pool.at_once)
        yield (
            f"At most {recorded.at_once} checkouts were in progress at once in a process; with "
            f"{most.settings.name} there would be {most.at_once}. The recording does not show how "
            "many the application allows. If it has fewer threads (gunicorn's --threads, "
            "Starlette's 40), requests wait for a thread instead, and waits for a connection are "
            f"shorter than predicted for {_few([pool.settings for pool in more])}."
        )


def _few(pools: Sequence[PoolConfig]) -> str:
    names = [pool.name for pool in pools]
    return listed(names) if len(names) < 4 else f"{names[0]} and {len(names) - 1} others"


def _misses(recorded: RecordedArrivals, predicted: Sequence[ReplayedPool]) -> Iterator[str]:
    """Waits of the recorded pool that the model does not reproduce."""
    ran, model = recorded.ran, next((pool for pool in predicted if pool.recorded), None)
    if ran is None or model is None:
        return
    for name, was, found in (
        ("mean wait", ran.wait_mean, model.wait_mean),
        ("p95 of the wait", ran.wait_p95, model.wait_p95),
    ):
        if not _fits(was, found):
            yield (
                f"The model gives the recorded pool a {name} of {duration(found.value)}; it was "
                f"{duration(was)}. Expect errors of this size for similar pools."
            )


def _fits(was: float, found: PredictedValue) -> bool:
    low, high = found.ci95
    allowed = max(FITTING_SHARE * was, FITTING_SECONDS)
    return low - allowed <= was <= high + allowed
