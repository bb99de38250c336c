"""The arrivals and holds of a recorded pool, for a replay with other settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from loadtest.analysis.columns import Columns, Mask
from loadtest.analysis.prediction.fleet_arrivals import FleetArrivals
from loadtest.analysis.prediction.measured_pool import queue_settings
from loadtest.analysis.prediction.recorded_stretches import (
    HOLDS_OF_STRETCH,
    HoldError,
    RecordedStretch,
    equally_likely_rows,
    hold_error,
    near,
    stretches,
)
from loadtest.analysis.prediction.replay import Numbers, Times
from loadtest.analysis.prediction.samples import samples
from loadtest.analysis.recordings.recorded_pool import RecordedPool, RecordedProcess
from loadtest.model.distribution import Distribution
from loadtest.model.errors import InvalidMeasurement
from loadtest.model.interval import ENDED_CHECKOUTS, SECOND, Interval
from loadtest.model.pool import PoolConfig

# The number of checkouts that a replay can have; of more, the busiest time is replayed.
MOST_CHECKOUTS = 100_000
REPLAYED_LENGTHS = (86_400, 43_200, 21_600, 10_800, 3600, 1800, 600, 300, 60, 10, 1)
# Processes are unlike if their mean holds, of this many holds each, differ by a larger factor.
ENOUGH_HOLDS, UNLIKE_HOLDS = 100, 1.5


@dataclass(frozen=True)
class RecordedWaits:
    """What a recorded pool did: the share of timeouts, waits (s), connections open at once."""

    timeouts: float
    wait_mean: float
    wait_p95: float
    connections: int


@dataclass(frozen=True)
class RecordedArrivals:
    """The checkouts of a recorded pool, by second.

    settings: the pool that gives predictions their other settings; without a queue, SQLAlchemy's.
    has_queue: whether the recorded pool has one. shares: of each process in the checkouts. alive:
    for each process that starts, the processes that ran then, as indexes. connects: equally likely
    times. ran: None if only a part of the recording is replayed. at_once: the most checkouts that
    waited or held a connection at once in one process; a bound. begin: UTC second. seconds: its
    length.
    """

    settings: PoolConfig
    has_queue: bool
    fleet: FleetArrivals
    shares: Sequence[float]
    alive: Sequence[Sequence[int]]
    connects: Times
    ran: RecordedWaits | None
    at_once: int
    begin: int
    seconds: int
    mean_hold: float
    hold_error: HoldError

    @property
    def asked(self) -> int:
        """The number of checkouts."""
        return int(self.fleet.asked.sum())


def recorded_arrivals(pool: RecordedPool) -> RecordedArrivals:
    """The arrivals of a recorded pool; of a long recording, those of its busiest time.

    Raises InvalidMeasurement if no connection was returned.
    """
    begin, end = _busiest(pool)
    processes = [one for one in pool.processes if _present(one, begin, end).any()]
    each = np.array([_begun(one, begin, end) for one in processes])
    cut = _stretches(pool, processes, begin, end)
    holds = sum((one.holds for one in cut), Distribution())
    if not holds.count:
        raise InvalidMeasurement("nothing can be predicted: no connection was returned")
    fleet = _fleet(pool, processes, each, cut, begin)
    whole = end - begin == pool.by_second.length
    settings = queue_settings(pool.settings[0])
    return RecordedArrivals(
        settings=settings or PoolConfig(),
        has_queue=settings is not None,
        fleet=fleet,
        shares=(each.sum(axis=1) / max(each.sum(), 1)).tolist(),
        alive=_alive(processes),
        connects=_equally_likely(pool.total, "connect"),
        ran=_as_recorded(pool) if whole else None,
        at_once=_most_at_once(pool),
        begin=begin,
        seconds=end - begin,
        mean_hold=holds.mean_seconds or 0.0,
        hold_error=hold_error(fleet.holds[: len(cut)], fleet.near, holds.count),
    )


def _stretches(
    pool: RecordedPool, processes: Sequence[RecordedProcess], begin: int, end: int
) -> list[RecordedStretch]:
    blocks = [one for one in pool.blocks if begin - pool.block_seconds < one.second < end]
    kinds = _kinds(processes, begin, end)
    changes = np.flatnonzero(np.diff(kinds)) + 1 + begin
    return stretches(blocks, changes.tolist(), _full(pool, blocks))


def _kinds(processes: Sequence[RecordedProcess], begin: int, end: int) -> Numbers:
    """For each second a number that stands for the processes that ran then.

    A second without a row is one that was cut late, if the process went on.
    """
    second = np.arange(begin, end)
    there = np.array([(first <= second) & (second <= last) for first, last in _spans(processes)])
    return np.unique(there, axis=1, return_inverse=True)[1].reshape(-1)


def _spans(processes: Sequence[RecordedProcess]) -> list[tuple[int, int]]:
    """The first and the last second of each process."""
    return [(int(one.columns.second.min()), int(one.columns.second.max())) for one in processes]


def _fleet(
    pool: RecordedPool,
    processes: Sequence[RecordedProcess],
    each: Numbers,
    cut: Sequence[RecordedStretch],
    begin: int,
) -> FleetArrivals:
    """The arrivals of all processes; each: those of a process in each second."""
    seconds = each.shape[1]
    firsts = np.array([0, *(one.begin - begin for one in cut[1:])])
    stretch = np.searchsorted(firsts, np.arange(seconds), side="right") - 1
    asked = each.sum(axis=0)
    loads = np.add.reduceat(asked, firsts) / np.diff(firsts, append=seconds)
    kinds = _kinds(processes, begin, begin + seconds)
    rows = np.flatnonzero(asked)
    more, own = _besides(pool), _own_holds(processes)
    numbers = np.full(len(processes), -1)
    numbers[list(own)] = len(cut) + np.arange(len(own))
    return FleetArrivals(
        begins=rows.astype(np.float64),
        asked=asked[rows],
        stretch=stretch[rows],
        process=_processes(each),
        near=near(loads, kinds[firsts]),
        holds=equally_likely_rows([*(one.holds for one in cut), *own.values()]) + more,
        overheads=equally_likely_rows([one.undisturbed for one in cut]),
        own=numbers,
    )


def _own_holds(processes: Sequence[RecordedProcess]) -> dict[int, Distribution]:
    """The holds of each process by its number, if processes hold connections differently."""
    all_ = {number: _times(one.total, "hold") for number, one in enumerate(processes)}
    means = [one.mean_seconds or 0.0 for one in all_.values() if one.count >= ENOUGH_HOLDS]
    if max(means, default=0.0) <= UNLIKE_HOLDS * min(means, default=0.0):
        return {}
    return {number: one for number, one in all_.items() if one.count >= HOLDS_OF_STRETCH}


def _processes(each: Numbers) -> Numbers:
    """The process of each checkout, second by second; within a second in random order."""
    second = np.repeat(np.arange(each.shape[1]), each.sum(axis=0))
    process = np.repeat(np.tile(np.arange(len(each)), each.shape[1]), each.T.ravel())
    return process[np.lexsort((np.random.default_rng(0).random(len(process)), second))]


def _besides(pool: RecordedPool) -> float:
    """The mean time (s) in which a checkout occupies a connection before its hold begins.

    The reset after it is a part of the hold: SQLAlchemy resets a connection and then returns it.
    """
    times = (_times(pool.total, name) for name in ("ping", "reconnect"))
    return sum(one.sum for one in times) / max(_times(pool.total, "hold").count, 1) / SECOND


def _busiest(pool: RecordedPool) -> tuple[int, int]:
    """The begin and end (UTC s) of the longest busiest time that is not too much to replay."""
    seconds = pool.by_second
    ended = seconds.count(*ENDED_CHECKOUTS)
    if ended.sum() <= MOST_CHECKOUTS:
        return seconds.begin, seconds.begin + seconds.length
    before = np.concatenate(([0], np.cumsum(ended)))
    for length in REPLAYED_LENGTHS:
        sums = before[length:] - before[:-length]
        if len(sums) and (sums.max() <= MOST_CHECKOUTS or length == REPLAYED_LENGTHS[-1]):
            break
    begin = seconds.begin + int(sums.argmax())
    return begin, begin + length


def _begun(process: RecordedProcess, begin: int, end: int) -> Numbers:
    """The checkouts that began in each second: those that ended, and the change of the waiting."""
    rows = process.columns
    ended = sum(
        (rows.counter(name) for name in ENDED_CHECKOUTS), np.zeros(len(rows), dtype=np.int64)
    )
    return _by_second(rows, np.maximum(ended + np.diff(rows.waits, prepend=0), 0), begin, end)


def _present(process: RecordedProcess, begin: int, end: int) -> Mask:
    """Whether a process recorded in each second."""
    rows = process.columns
    return _by_second(rows, np.ones(len(rows), dtype=np.int64), begin, end) > 0


def _by_second(rows: Columns, values: Numbers, begin: int, end: int) -> Numbers:
    inside = (rows.second >= begin) & (rows.second < end)
    sums = np.zeros(end - begin, dtype=np.int64)
    np.add.at(sums, rows.second[inside] - begin, values[inside])
    return sums


def _alive(processes: Sequence[RecordedProcess]) -> list[list[int]]:
    """The processes that ran when each one began."""
    spans = _spans(processes)
    return [
        [n for n, (first, last) in enumerate(spans) if first <= begin <= last] for begin, _ in spans
    ]


def _full(pool: RecordedPool, blocks: Sequence[Interval]) -> Mask:
    """Whether the pool of any process was full in each block."""
    seconds = pool.by_second
    full = np.zeros(seconds.length + pool.block_seconds, dtype=bool)
    full[: seconds.length] = seconds.added(
        lambda one: (one.highest("in_use") >= one.limit) & (one.limit > 0)
    )
    firsts = (max(one.second - seconds.begin, 0) for one in blocks)
    return np.array([full[first : first + pool.block_seconds].any() for first in firsts], bool)


def _most_at_once(pool: RecordedPool) -> int:
    """The most checkouts that waited or held a connection in one process: a bound."""
    gauges = (one.total.gauges for one in pool.processes)
    return max(
        sum(one[name].max for name in ("in_use", "waiting") if name in one) for one in gauges
    )


def _as_recorded(pool: RecordedPool) -> RecordedWaits:
    waits = _times(pool.total, "wait")
    return RecordedWaits(
        timeouts=pool.total.counters["timeouts"] / max(pool.checkout_attempts, 1),
        wait_mean=waits.mean_seconds or 0.0,
        wait_p95=waits.percentile_seconds(95) or 0.0,
        connections=int(pool.by_second.most("open").max(initial=0)),
    )


def _equally_likely(whole: Interval, name: str) -> Times:
    return np.array(samples(_times(whole, name)) or (0.0,))


def _times(interval: Interval, name: str) -> Distribution:
    return interval.histograms.get(name, Distribution())
