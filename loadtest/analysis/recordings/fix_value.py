"""The value of a fix: the connections that are saved if places return them earlier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from loadtest.analysis.prediction.samples import p95_seconds, samples
from loadtest.analysis.prediction.simulation import simulate
from loadtest.analysis.prediction.workload import ByLevel, SimulationOutcome, Workload
from loadtest.analysis.recordings.place_numbers import HOLD_OF, NEEDED_OF
from loadtest.analysis.recordings.recorded_pool import RecordedPool
from loadtest.model.distribution import Distribution
from loadtest.model.interval import ENDED_CHECKOUTS
from loadtest.model.pool import PoolConfig
from loadtest.model.recorded_places import RecordedPlace
from loadtest.model.recording_summary import BusyTime, FixValue

# Checkouts of one simulation, and its shortest and longest time (s).
_CHECKOUTS = 4_000
_LEAST_SECONDS, _MOST_SECONDS = 5.0, 600.0
# A wait (s) that no user notices, and the share of connections in use of a stable pool.
UNNOTICED_WAIT, STABLE = 0.001, 0.95
# As many users as an open loop can need.
_USERS = 100_000
_SEED = 1
# Fewer connections than this share of the most in use do not serve the checkouts as they came.
_BURST = 0.5
_WITHOUT_LIMIT = 500


@dataclass(frozen=True)
class _Offer:
    """The work that one process is offered: checkouts per second, and pool_timeout (s)."""

    rate: float
    timeout: float


def fix_value(
    pool: RecordedPool, places: Sequence[RecordedPlace], busiest: BusyTime, *, short: bool
) -> FixValue | None:
    """The connections that one process needs now, and after the fix of some places.

    After it, a hold of these places lasts without its longest time without a query. short: whether
    the pool was full; then it needs all that it has. None if these times were not recorded, if
    nothing is saved, or if checkouts came in bursts: they need more than the simulation knows.
    """
    now, needed = _histograms(pool, HOLD_OF), _histograms(pool, NEEDED_OF)
    fixed = {one.place: needed[one.place] for one in places if one.place in needed}
    if not fixed or not busiest.attempts_per_second:
        return None
    processes, rate = _busy_process(pool, busiest)
    offer = _Offer(rate, pool.settings[0].pool_timeout)
    most = _connections(pool)
    as_now = _outcome(offer, now, most)
    if short and not as_now.timeouts and p95_seconds(as_now.waits) <= UNNOTICED_WAIT:
        return None
    needs = most if short else _smallest(offer, now, most, as_now)
    if needs < _BURST * busiest.in_use_most / processes:
        return None
    fewest = _smallest(offer, {**now, **fixed}, most, as_now)
    if fewest >= needs:
        return None
    return FixValue(
        places=tuple(fixed),
        line=places[0].line if len(places) == 1 else "",
        now=needs,
        after=fewest,
        attempts_per_second=rate,
        processes=processes,
    )


def _histograms(pool: RecordedPool, prefix: str) -> Mapping[str, Distribution]:
    """The histograms of the places under a prefix, by place."""
    found = pool.total.histograms.items()
    return {
        name.removeprefix(prefix): times
        for name, times in found
        if name.startswith(prefix) and times.count
    }


def _busy_process(pool: RecordedPool, busiest: BusyTime) -> tuple[int, float]:
    """How many processes shared the load of the busiest time, and the checkouts/s of one.

    A process counts while it runs, and if it asked for a connection in this time.
    """
    attempts = served = 0
    for one in pool.serving.each:
        begin = max(busiest.period.begin - one.begin, 0)
        here = slice(begin, max(busiest.period.end - one.begin, begin))
        if asked := int(one.count(*ENDED_CHECKOUTS)[here].sum()):
            attempts, served = attempts + asked, served + int(one.there[here].sum())
    begin = busiest.period.begin - pool.serving.begin
    there = pool.serving.processes[max(begin, 0) : begin + busiest.period.seconds]
    return max(1, round(served / max(int((there > 0).sum()), 1))), attempts / max(served, 1)


def _connections(pool: RecordedPool) -> int:
    """The most connections of one process; without a limit, the most that one had in use."""
    limits = [one.connection_limit for one in pool.processes]
    known = [limit for limit in limits if limit is not None]
    if known:
        return max(known)
    used = [int(one.highest("in_use").max(initial=1)) for one in pool.by_second.each]
    return min(max(used), _WITHOUT_LIMIT)


def _smallest(
    offer: _Offer, holds: Mapping[str, Distribution], most: int, wanted: SimulationOutcome
) -> int:
    """The fewest connections whose waits and timeouts are no worse than wanted."""
    low, high = 1, most
    while low < high:
        middle = (low + high) // 2
        if _as_good(_outcome(offer, holds, middle), middle, wanted):
            high = middle
        else:
            low = middle + 1
    return low


def _as_good(found: SimulationOutcome, size: int, wanted: SimulationOutcome) -> bool:
    stable = found.in_use < STABLE * size
    calm = found.timeouts * max(wanted.asked, 1) <= wanted.timeouts * max(found.asked, 1)
    return (
        stable
        and calm
        and p95_seconds(found.waits) <= max(p95_seconds(wanted.waits), UNNOTICED_WAIT)
    )


def _outcome(offer: _Offer, holds: Mapping[str, Distribution], size: int) -> SimulationOutcome:
    """A simulated pool of one process under this offer."""
    mixed = samples(sum(holds.values(), Distribution()))
    work = Workload(users=_USERS, hold=ByLevel.constant(mixed), rate=offer.rate)
    pool = PoolConfig(pool_size=size, max_overflow=0, pool_timeout=offer.timeout)
    seconds = min(max(_CHECKOUTS / max(offer.rate, 0.1), _LEAST_SECONDS), _MOST_SECONDS)
    return simulate(pool, work, seconds / 10, seconds, _SEED)
