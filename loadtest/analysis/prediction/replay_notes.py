"""The assumptions and limits of a prediction from a recording, as sentences."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from loadtest.analysis.prediction.recorded_arrivals import RecordedArrivals
from loadtest.analysis.prediction.recorded_stretches import HOLDS_OF_STRETCH
from loadtest.analysis.prediction.replayed_pools import PredictedValue, ReplayedPool
from loadtest.analysis.recordings.clock_time import date_and_time
from loadtest.analysis.recordings.full_times import LEAST_WAITING
from loadtest.analysis.recordings.pool_seconds import ENGINES, ProcessSeconds
from loadtest.analysis.recordings.recorded_pool import LONG_INTERVAL, RecordedPool
from loadtest.analysis.units import count, duration, listed, percent
from loadtest.model.distribution import Distribution
from loadtest.model.interval import Gauge
from loadtest.model.pool import PoolConfig

# A smaller share of the time in use, or of the checkouts, is not worth a sentence.
NOTABLE_UNENDED, NOTABLE_FAILED = 0.05, 0.01
# More checkouts at once than the recording had are worth a sentence from this factor on.
MORE_AT_ONCE = 1.2
# As many checkouts in progress as ever, in this share of the time, may be all threads.
NOTABLE_SATURATED, NEARLY_ALL = 0.05, 0.95
# So much smaller a number of checkouts at once shows that bursts are missing.
BURST_FACTOR = 2
# A replay of fewer times pool_timeout misses timeouts if waits are a notable share of it.
LEAST_TIMEOUTS, NOTABLE_QUEUE = 3, 0.1
# The model fits if it misses a wait by less: a share of it, or seconds.
FITTING_SHARE, FITTING_SECONDS = 0.2, 0.001


def replay_notes(
    pool: RecordedPool, recorded: RecordedArrivals, predicted: Sequence[ReplayedPool]
) -> list[str]:
    """What a prediction assumes, and where it may be wrong."""
    return [
        *_arrivals(pool, recorded),
        *_processes(pool, recorded),
        *_holds(pool, recorded),
        *_threads(recorded, predicted),
        *_saturated(pool, recorded, predicted),
        *_bursts(recorded, predicted),
        *_short(recorded, predicted),
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
        "waits grow. Of requests with several checkouts, the later ones would come later, and not "
        "at all after a timeout."
    )
    longest = max(one.longest_interval for one in pool.processes)
    if longest > LONG_INTERVAL:
        yield (
            f"The recording has intervals of up to {duration(longest)}, over which the prediction "
            "spreads the checkouts. Shorter bursts are missing, so real waits are longer."
        )
    yield "Brackets have the 95 % interval for the same arrivals at another time."


def _processes(pool: RecordedPool, recorded: RecordedArrivals) -> Iterator[str]:
    number = int(pool.serving.processes.max(initial=0))
    if number > 1:
        yield (
            f"Settings apply to each of {number} processes, numbers to all together. Connections "
            "are the sum of the processes' peaks, which is an upper bound. Processes have the "
            "shares of this recording; after another start they may differ."
        )
    if (recorded.fleet.own >= 0).any():
        holds = [one.total.histograms.get("hold", Distribution()) for one in pool.processes]
        means = sorted(one.mean_seconds or 0.0 for one in holds if one.count >= HOLDS_OF_STRETCH)
        yield (
            f"Processes hold connections for different times, on average {duration(means[0])} to "
            f"{duration(means[-1])}. In the prediction each process has its own holds, drawn from "
            "the whole recording and not from those of their time."
        )
    if not recorded.has_queue:
        yield (
            f"The recorded pool is a {pool.settings[0].poolclass} without a queue. Predictions "
            "have SQLAlchemy's defaults for settings that are not given."
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
    if not recorded.fleet.overheads.any() and total.histograms["wait"].sum:
        yield (
            "A pool was full all the time. The prediction leaves out the time that a checkout "
            "takes without a queue."
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


def _saturated(
    pool: RecordedPool, recorded: RecordedArrivals, predicted: Sequence[ReplayedPool]
) -> Iterator[str]:
    """Larger pools, if the recorded one was full and all threads were in use."""
    larger = [one.settings for one in predicted if _most(one.settings) > _most(recorded.settings)]
    share = max((_at_its_most(one) for one in pool.serving.each), default=0.0)
    if larger and recorded.has_queue and share > NOTABLE_SATURATED:
        yield (
            f"For {percent(share)} of the time, a process had as many checkouts in progress as "
            "ever, and some of them waited. Probably all threads were in use then, and checkouts "
            "came at the pace of the pool. With a larger one they come earlier, so waits are "
            f"longer than predicted for {_few(larger)}."
        )


def _at_its_most(process: ProcessSeconds) -> float:
    """The share of its seconds in which a process had its most checkouts in progress and waiting.

    Zero for a pool whose level is nearly the same all the time without waiting.
    """
    progress = process.level("in_use") + process.level("waiting")
    waits = process.level("waiting") >= LEAST_WAITING
    most = process.highest("in_use").max() + process.highest("waiting").max()
    return float((waits & (progress >= NEARLY_ALL * most)).sum() / max(process.there.sum(), 1))


def _bursts(recorded: RecordedArrivals, predicted: Sequence[ReplayedPool]) -> Iterator[str]:
    """Pools that would have far fewer checkouts in progress than the larger recorded one had."""
    most = _most(recorded.settings) if recorded.has_queue else math.inf
    smaller = [one.at_once for one in predicted if _most(one.settings) <= most]
    if smaller and recorded.at_once > BURST_FACTOR * max(smaller) + BURST_FACTOR:
        yield (
            f"A process had up to {recorded.at_once} checkouts in progress at once; the prediction "
            f"has at most {max(smaller)}. They come in bursts that it does not have, so real waits "
            "are longer."
        )


def _most(pool: PoolConfig) -> float:
    return math.inf if pool.most_connections is None else pool.most_connections


def _short(recorded: RecordedArrivals, predicted: Sequence[ReplayedPool]) -> Iterator[str]:
    """Pools whose timeouts come too late for the replayed time."""
    late = [
        pool.settings
        for pool in predicted
        if recorded.seconds < LEAST_TIMEOUTS * pool.settings.pool_timeout
        and pool.wait_p95.value > NOTABLE_QUEUE * recorded.seconds
    ]
    if late:
        yield (
            f"The prediction is of {recorded.seconds} s and begins with an empty queue. That is "
            f"short for pool_timeout = {max(pool.pool_timeout for pool in late):g} s: a queue that "
            f"grows for longer has more timeouts than predicted for {_few(late)}."
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
