"""The value of a fix: the connections that a place saves if it returns them earlier."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from loadtest.analysis.prediction.samples import samples
from loadtest.analysis.prediction.simulation import simulate
from loadtest.analysis.prediction.workload import ByLevel, SimulationOutcome, Workload
from loadtest.analysis.recordings.place_numbers import HOLD_OF, NEEDED_OF
from loadtest.analysis.recordings.recorded_pool import RecordedPool
from loadtest.model.distribution import Distribution
from loadtest.model.pool import PoolConfig
from loadtest.model.recording_summary import BusyTime, FixValue, RecordedPlace

# Checkouts of one simulation, and its shortest and longest time (s).
_CHECKOUTS = 4_000
_LEAST_SECONDS, _MOST_SECONDS = 5.0, 600.0
# A wait (s) that no user notices, and the share of connections in use of a stable pool.
UNNOTICED_WAIT, STABLE = 0.001, 0.95
# As many users as an open loop can need.
_USERS = 100_000
_SEED = 1
_WITHOUT_LIMIT = 500


@dataclass(frozen=True)
class _Offer:
    """The work that one process is offered: checkouts per second, and pool_timeout (s)."""

    rate: float
    timeout: float


def fix_value(
    pool: RecordedPool, place: RecordedPlace, busiest: BusyTime, *, short: bool
) -> FixValue | None:
    """The connections that one process needs now, and after the fix of a place.

    After it, a hold of the place lasts without its longest time without a query. short: whether the
    pool was full; then it needs all that it has. None if the time was not recorded, or if nothing
    is saved.
    """
    now = _holds(pool)
    needed = pool.total.histograms.get(NEEDED_OF + place.place)
    if needed is None or not now or not busiest.attempts_per_second:
        return None
    after = {**now, HOLD_OF + place.place: needed}
    processes = _processes_at(pool, busiest)
    rate = busiest.attempts_per_second / processes
    offer = _Offer(rate, pool.settings[0].pool_timeout)
    most = _connections(pool)
    as_now = _outcome(offer, now, most)
    needs = most if short else _smallest(offer, now, most, as_now)
    fewest = _smallest(offer, after, most, as_now)
    if fewest >= needs:
        return None
    return FixValue(
        place=place.place,
        line=next(iter(place.idle_at), ""),
        now=needs,
        after=fewest,
        attempts_per_second=rate,
        processes=processes,
    )


def _holds(pool: RecordedPool) -> Mapping[str, Distribution]:
    found = pool.total.histograms.items()
    return {name: times for name, times in found if name.startswith(HOLD_OF) and times.count}


def _processes_at(pool: RecordedPool, busiest: BusyTime) -> int:
    begin = busiest.period.begin - pool.by_second.begin
    there = pool.by_second.processes[begin : begin + busiest.period.seconds]
    return max(1, int(there.max(initial=1)))


def _connections(pool: RecordedPool) -> int:
    """The most connections of one process; without a limit, the most that one had in use."""
    limits = [one.connection_limit for one in pool.processes]
    known = [limit for limit in limits if limit is not None]
    if known:
        return max(known)
    used = [int(most.max(initial=1)) for most in pool.by_second.most_of("in_use")]
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
    return stable and calm and _p95(found) <= max(_p95(wanted), UNNOTICED_WAIT)


def _p95(outcome: SimulationOutcome) -> float:
    waits = sorted(outcome.waits)
    return waits[int(0.95 * len(waits))] if waits else 0.0


def _outcome(offer: _Offer, holds: Mapping[str, Distribution], size: int) -> SimulationOutcome:
    """A simulated pool of one process under this offer."""
    mixed = samples(sum(holds.values(), Distribution()))
    work = Workload(users=_USERS, hold=ByLevel.constant(mixed), rate=offer.rate)
    pool = PoolConfig(pool_size=size, max_overflow=0, pool_timeout=offer.timeout)
    seconds = min(max(_CHECKOUTS / max(offer.rate, 0.1), _LEAST_SECONDS), _MOST_SECONDS)
    return simulate(pool, work, seconds / 10, seconds, _SEED)
