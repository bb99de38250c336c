"""One second of a run, over all its processes, and its point on the live page."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any, NamedTuple

from loadtest.model.distribution import Distribution
from loadtest.model.interval import Gauge, Interval
from loadtest.model.trust_limits import BUSY_CPU, LAG_SHARE, NOTABLE_LAG

# A second that was measured for less than this (ns) gives no useful rate.
LEAST_SEEN = 100_000_000

POINT_LEVELS = ("in_use", "idle", "overflow", "waiting", "users")
POINT_COUNTERS = ("requests", "failures", "timeouts")
POINT_PERCENTILES = (50.0, 95.0, 99.0)
# Their names on the page, and their histograms in an Interval.
TIMES = {"checkout": "checkout", "wait": "wait", "task": "request", "lag": "generator_lag"}


class Point(NamedTuple):
    """The values of one second; None where there was nothing to measure.

    Levels are means over the second; `_most` is the maximum (an upper bound over several
    processes). Times are seconds, of the checkouts and requests that ended in this second. ok,
    failed and timeouts are per second. limit: the most connections over all processes. oldest: the
    age of the oldest wait in progress at the end. cpu: of the busiest process, as a share of one
    core. health: `fine`, `busy` (CPU) or `late` (event loop).
    """

    second: int
    run: int
    period: str
    processes: int
    limit: int | None
    users: float | None
    in_use: float | None
    in_use_most: int | None
    idle: float | None
    overflow: float | None
    overflow_most: int | None
    waiting: float | None
    waiting_most: int | None
    oldest: float | None
    checkout_p50: float | None
    checkout_p95: float | None
    checkout_p99: float | None
    wait_p50: float | None
    wait_p95: float | None
    wait_p99: float | None
    task_p50: float | None
    task_p95: float | None
    task_p99: float | None
    ok: float
    failed: float
    timeouts: float
    cpu: float
    lag_p99: float | None
    health: str


class LiveSecond:
    """The measurements of all processes of a run in one second, as far as they have arrived.

    Each process sends its own part, and several parts if a period or a stage ends in the second.
    processes: the processes that have sent a part.
    """

    def __init__(self, second: int) -> None:
        self.second = second
        self.processes: set[str] = set()
        self._period = "measured"
        self._lengths: Counter[str] = Counter()
        self._cpu: Counter[str] = Counter()
        self._counters: Counter[str] = Counter()
        self._gauges: dict[str, dict[str, Gauge]] = defaultdict(dict)
        self._oldest: dict[str, int] = {}
        self._times = {name: Distribution() for name in TIMES}

    def add(self, interval: Interval) -> None:
        """Take an interval of this second."""
        process = interval.process
        self.processes.add(process)
        self._period = interval.period
        self._lengths[process] += interval.length
        self._cpu[process] += interval.counters["cpu"]
        self._counters.update({name: interval.counters[name] for name in POINT_COUNTERS})
        self._oldest[process] = interval.unfinished.max
        for name in interval.gauges.keys() & POINT_LEVELS:
            before, now = self._gauges[name].get(process), interval.gauges[name]
            self._gauges[name][process] = before.then(now) if before else now
        for name, histogram in TIMES.items():
            if histogram in interval.histograms:
                self._times[name].add(interval.histograms[histogram])

    def point(self, run: int, most: int | None) -> Point | None:
        """The point of the second so far; None if too little of it was measured.

        most: the most connections of one process. Values add up as in `Interval.beside`: the
        length is that of the process with the longest measurement.
        """
        length = max(self._lengths.values(), default=0)
        if length < LEAST_SEEN:
            return None
        count = {name: self._counters[name] * 1e9 / length for name in POINT_COUNTERS}
        cpu = max(spent / self._lengths[name] for name, spent in self._cpu.items())
        return Point(
            second=self.second,
            run=run,
            period=self._period,
            processes=len(self.processes),
            limit=None if most is None else most * len(self.processes),
            users=self._mean("users", length),
            in_use=self._mean("in_use", length),
            in_use_most=self._most("in_use"),
            idle=self._mean("idle", length),
            overflow=self._mean("overflow", length),
            overflow_most=self._most("overflow"),
            waiting=self._mean("waiting", length),
            waiting_most=self._most("waiting"),
            oldest=max(self._oldest.values()) / 1e9 or None,
            **self._percentiles(),
            ok=round(count["requests"] - count["failures"], 2),
            failed=round(count["failures"], 2),
            timeouts=round(count["timeouts"], 2),
            cpu=round(cpu, 3),
            lag_p99=self._times["lag"].percentiles_seconds((99.0,))[0],
            health=self._health(cpu),
        )

    def _mean(self, level: str, length: int) -> float | None:
        gauges = self._gauges.get(level)
        return round(sum(g.integral for g in gauges.values()) / length, 2) if gauges else None

    def _most(self, level: str) -> int | None:
        gauges = self._gauges.get(level)
        return sum(gauge.max for gauge in gauges.values()) if gauges else None

    def _percentiles(self) -> dict[str, Any]:
        return {
            f"{name}_p{percent:.0f}": value
            for name in ("checkout", "wait", "task")
            for percent, value in zip(
                POINT_PERCENTILES,
                self._times[name].percentiles_seconds(POINT_PERCENTILES),
                strict=True,
            )
        }

    def _health(self, cpu: float) -> str:
        lag = self._times["lag"].mean_seconds or 0.0
        task = self._times["task"].mean_seconds
        if cpu >= BUSY_CPU:
            return "busy"
        return "late" if lag > NOTABLE_LAG and (not task or lag > LAG_SHARE * task) else "fine"
