"""The metrics of recorded pools as OpenTelemetry's instruments; the application has its API."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from opentelemetry.metrics import (
    CallbackOptions,
    Histogram,
    Meter,
    MeterProvider,
    Observation,
    get_meter,
)

from loadtest import __version__
from loadtest.model.distribution import Distribution
from loadtest.model.interval import Interval
from loadtest.model.metrics import (
    APPLICATION,
    BUCKET_SECONDS,
    COUNTER_METRICS,
    HISTOGRAM_METRICS,
    LEAST_IDLE,
    LEVEL_METRICS,
    MOST,
    MOST_IDLE,
    OLDEST_WAIT,
    POOL_LABEL,
    CounterMetric,
    HistogramMetric,
    LevelMetric,
    opentelemetry_name,
)
from loadtest.model.steps import in_steps
from loadtest.recording.telemetry.pool_reading import (
    CurrentLevels,
    PoolReading,
    known_levels,
)
from loadtest.runfile.shared_interpreter import let_others_run

# The SDK takes about 5 µs for a duration, so this phase is only in the histogram of its own.
_ALSO_ELSEWHERE = "wait"

_log = logging.getLogger("loadtest.recording")


class Instruments:
    """Counters and levels that are observed, and histograms to which each interval is added.

    readings: returns the present state of this process's pools. provider: the global one if None.
    """

    def __init__(
        self, readings: Callable[[], Sequence[PoolReading]], provider: MeterProvider | None = None
    ) -> None:
        self._readings = readings
        self._off = False
        meter = get_meter("loadtest", __version__, provider)
        self._histograms = [
            (metric, _histogram(meter, metric))
            for metric in HISTOGRAM_METRICS
            if APPLICATION in metric.measured_in
        ]
        self._observe_counters(meter)
        self._observe_levels(meter)

    def _observe_counters(self, meter: Meter) -> None:
        for metric in COUNTER_METRICS:
            if APPLICATION in metric.measured_in:
                name, seen = opentelemetry_name(metric.name), partial(self._counts, metric)
                meter.create_observable_counter(name, [seen], metric.unit, metric.help)

    def _observe_levels(self, meter: Meter) -> None:
        for metric in LEVEL_METRICS:
            name, levels = opentelemetry_name(metric.name), partial(self._levels, metric)
            meter.create_observable_up_down_counter(name, [levels], metric.unit, metric.help)
        for (name, text), value in _LIMITS.items():
            own, limit = opentelemetry_name(name), partial(self._single, value)
            meter.create_observable_up_down_counter(own, [limit], "{connection}", text)
        name, text = OLDEST_WAIT
        oldest = partial(self._single, lambda levels: levels.oldest_wait)
        meter.create_observable_gauge(opentelemetry_name(name), [oldest], "s", text)

    def record(self, pool: str, interval: Interval) -> None:
        """Add the durations of an interval; a failure is logged once and ends this."""
        if self._off:
            return
        try:
            for metric, histogram in self._histograms:
                for value, names in metric.sources:
                    if value == _ALSO_ELSEWHERE:
                        continue
                    attributes = _attributes(pool, metric.label, value)
                    for name in interval.histograms.keys() & names:
                        _record(histogram, interval.histograms[name], attributes)
        except Exception:
            self._off = True
            _log.exception("OpenTelemetry no longer gets the times of connections")

    def _counts(self, metric: CounterMetric, _: CallbackOptions) -> Iterator[Observation]:
        for one in self._readings():
            for value, name in metric.sources:
                count = one.totals.counters.get(name, 0)
                yield Observation(count, _attributes(one.pool, metric.label, value))

    def _levels(self, metric: LevelMetric, _: CallbackOptions) -> Iterator[Observation]:
        for pool, levels in self._current():
            for value, level in known_levels(metric, levels):
                yield Observation(level, _attributes(pool, metric.label, value))

    def _single(
        self, value: Callable[[CurrentLevels], float], _: CallbackOptions
    ) -> Iterator[Observation]:
        for pool, levels in self._current():
            if not math.isinf(number := value(levels)):
                yield Observation(number, _attributes(pool))

    def _current(self) -> Iterator[tuple[str, CurrentLevels]]:
        return ((one.pool, one.levels) for one in self._readings() if one.levels)


_LIMITS: dict[tuple[str, str], Callable[[CurrentLevels], float]] = {
    MOST: lambda levels: levels.most,
    MOST_IDLE: lambda levels: levels.most_idle,
    LEAST_IDLE: lambda levels: 0,
}


def _histogram(meter: Meter, metric: HistogramMetric) -> Histogram:
    return meter.create_histogram(
        opentelemetry_name(metric.name),
        "s",
        metric.help,
        explicit_bucket_boundaries_advisory=BUCKET_SECONDS,
    )


def _attributes(pool: str, label: str = "", value: str = "") -> dict[str, str]:
    own = {opentelemetry_name(label): value} if label else {}
    return {opentelemetry_name(POOL_LABEL): pool, **own}


def _record(histogram: Histogram, times: Distribution, attributes: dict[str, str]) -> None:
    """Add each duration, by the highest value of its bin."""
    for microseconds, count in times.bins():
        seconds = min(microseconds * 1000, times.max) / 1e9
        for _ in in_steps(range(count), let_others_run):
            histogram.record(seconds, attributes)
