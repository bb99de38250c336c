"""The arrivals and holds of a recorded pool, for a replay with other settings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from loadtest.analysis.columns import Columns, Mask
from loadtest.analysis.prediction.measured_pool import queue_settings
from loadtest.analysis.prediction.replay import FleetArrivals, Numbers, Times
from loadtest.analysis.prediction.samples import samples
from loadtest.analysis.recordings.recorded_pool import RecordedPool, RecordedProcess
from loadtest.model.distribution import Distribution
from loadtest.model.errors import InvalidMeasurement
from loadtest.model.interval import SECOND, Interval
from loadtest.model.pool import PoolConfig

# The number of checkouts that a replay can have; of more, the busiest time is replayed.
MOST_CHECKOUTS = 100_000
REPLAYED_LENGTHS = (86_400, 43_200, 21_600, 10_800, 3600, 1800, 600, 300, 60, 10, 1)
# Holds of a shorter time are too few to draw from, and those of more times take memory.
LEAST_DRAWN, MOST_PERIODS = 200, 100
# The share of a process is measured from this many seconds before a moment to this many after it.
NEAR_SECONDS = 30
# Times whose mean holds are compared.
MOST_BATCHES = 20
_ENDED = ("checkouts", "timeouts", "checkout_errors")


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

    settings: the pool that gives predictions their other settings. shares: of each process in the
    checkouts. alive: for each process that starts, the processes that ran then, as indexes.
    connects: equally likely times. undisturbed: the waits while no pool was full. ran: None if only
    a part of the recording is replayed.
    at_once: the most checkouts that waited or held a connection at once in one process; a bound.
    begin: UTC second. seconds: its length. hold_error: the standard error of the mean hold, as a
    share of it.
    """

    settings: PoolConfig
    fleet: FleetArrivals
    shares: Sequence[float]
    alive: Sequence[Sequence[int]]
    connects: Times
    undisturbed: Times
    ran: RecordedWaits | None
    at_once: int
    begin: int
    seconds: int
    mean_hold: float
    hold_error: float

    @property
    def asked(self) -> int:
        """The number of checkouts."""
        return int(self.fleet.asked.sum())


def recorded_arrivals(pool: RecordedPool) -> RecordedArrivals:
    """The arrivals of a recorded pool; of a long recording, those of its busiest time.

    Raises InvalidMeasurement if no connection was returned.
    """
    begin, end = _busiest(pool)
    blocks = [one for one in pool.blocks if begin - pool.block_seconds < one.second < end]
    periods, holds = _holds(pool, blocks, begin, end)
    processes = [one for one in pool.processes if _present(one, begin, end).any()]
    each = [_asked(one, begin, end) for one in processes]
    asked = np.sum(each, axis=0)
    rows = np.flatnonzero(asked)
    shares = _shares(processes, begin, end, rows)
    whole = end - begin == pool.by_second.length
    return RecordedArrivals(
        settings=queue_settings(pool.settings[0]) or PoolConfig(),
        fleet=FleetArrivals(rows.astype(np.float64), asked[rows], shares, periods[rows], holds),
        shares=[float(one.sum() / max(asked.sum(), 1)) for one in each],
        alive=_alive(processes),
        connects=_equally_likely(pool.total, "connect"),
        undisturbed=_undisturbed(pool),
        ran=_as_recorded(pool) if whole else None,
        at_once=_most_at_once(pool),
        begin=begin,
        seconds=end - begin,
        mean_hold=_times(pool.total, "hold").mean_seconds or 0.0,
        hold_error=_hold_error(blocks),
    )


def _busiest(pool: RecordedPool) -> tuple[int, int]:
    """The begin and end (UTC s) of the longest busiest time that is not too much to replay."""
    seconds = pool.by_second
    ended = seconds.count(*_ENDED)
    if ended.sum() <= MOST_CHECKOUTS:
        return seconds.begin, seconds.begin + seconds.length
    before = np.concatenate(([0], np.cumsum(ended)))
    for length in REPLAYED_LENGTHS:
        sums = before[length:] - before[:-length]
        if len(sums) and (sums.max() <= MOST_CHECKOUTS or length == REPLAYED_LENGTHS[-1]):
            break
    begin = seconds.begin + int(sums.argmax())
    return begin, begin + length


def _asked(process: RecordedProcess, begin: int, end: int) -> Numbers:
    """The checkouts that began in each second: those that ended, and the change of the waiting."""
    rows = process.columns
    ended = sum((rows.counter(name) for name in _ENDED), np.zeros(len(rows), dtype=np.int64))
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


def _shares(
    processes: Sequence[RecordedProcess], begin: int, end: int, rows: Numbers
) -> npt.NDArray[np.float32]:
    """The share of each process in some seconds, with those before it.

    By its checkouts per second about that time, while it ran.
    """
    near = np.empty((len(rows), len(processes)), dtype=np.float32)
    for number, process in enumerate(processes):
        there = _present(process, begin, end)
        seconds = np.maximum(_about(there, rows), 1)
        near[:, number] = _about(_asked(process, begin, end), rows) / seconds * there[rows]
    near = np.cumsum(near, axis=1)
    shares: npt.NDArray[np.float32] = near / near[:, -1:]
    return shares


def _about(values: Numbers | Mask, rows: Numbers) -> Numbers:
    """The sums of a column over the seconds about some seconds."""
    before = np.concatenate(([0], np.cumsum(values)))
    last = np.minimum(rows + NEAR_SECONDS + 1, len(values))
    sums: Numbers = before[last] - before[np.maximum(rows - NEAR_SECONDS, 0)]
    return sums


def _holds(
    pool: RecordedPool, blocks: Sequence[Interval], begin: int, end: int
) -> tuple[Numbers, Times]:
    """For each second the row of its holds, and the rows, each of a period with enough holds.

    A connection is also occupied by the ping before a hold and by the reset after it.
    """
    together = sum((_times(one, "hold") for one in blocks), Distribution())
    if not together.count:
        raise InvalidMeasurement("nothing can be predicted: no connection was returned")
    least = max(LEAST_DRAWN, together.count // MOST_PERIODS)
    begins, parts = [begin], [Distribution()]
    for one in blocks:
        if parts[-1].count >= least:
            begins.append(one.second)
            parts.append(Distribution())
        parts[-1].add(_times(one, "hold"))
    if len(parts) > 1 and parts[-1].count < least:
        begins.pop()
        parts[-2].add(parts.pop())
    beside = pool.total.histograms
    more = sum(one.sum for name, one in beside.items() if name in ("ping", "reset"))
    each = more / max(_times(pool.total, "hold").count, 1) / SECOND
    rows = np.array([samples(part) for part in parts]) + each
    return np.searchsorted(begins, np.arange(begin, end), side="right") - 1, rows


def _hold_error(blocks: Sequence[Interval]) -> float:
    """The standard error of the mean hold, as a share of it, from the means of successive times.

    From their differences, which hardly have the part of a slow change (von Neumann, "Distribution
    of the ratio of the mean square successive difference to the variance", 1941).
    """
    parts = np.array_split(np.arange(len(blocks)), min(MOST_BATCHES, len(blocks)))
    times = [sum((_times(blocks[n], "hold") for n in part), Distribution()) for part in parts]
    means = np.array([mean for one in times if (mean := one.mean_seconds)])
    if len(means) < 2:
        return 0.0
    variance = float(np.mean(np.diff(means) ** 2)) / 2
    return math.sqrt(variance / len(means)) / float(means.mean())


def _alive(processes: Sequence[RecordedProcess]) -> list[list[int]]:
    """The processes that ran when each one began."""
    spans = [(int(one.columns.second.min()), int(one.columns.second.max())) for one in processes]
    return [
        [n for n, (first, last) in enumerate(spans) if first <= begin <= last] for begin, _ in spans
    ]


def _undisturbed(pool: RecordedPool) -> Times:
    """The waits in blocks in which no pool of a process was full; zero without such a block."""
    seconds = pool.by_second
    full = np.zeros(seconds.length + pool.block_seconds, dtype=bool)
    full[: seconds.length] = seconds.added(
        lambda one: (one.highest("in_use") >= one.limit) & (one.limit > 0)
    )
    waits = Distribution()
    for one in pool.blocks:
        first = max(one.second - seconds.begin, 0)
        if not full[first : first + pool.block_seconds].any():
            waits.add(_times(one, "wait"))
    return np.array(samples(waits) or (0.0,))


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
