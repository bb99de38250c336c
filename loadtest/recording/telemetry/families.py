"""The metrics of pools in the form of prometheus_client, for load tests and applications."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from loadtest.model.metrics import (
    BUCKET_SECONDS,
    COUNTER_METRICS,
    HISTOGRAM_METRICS,
    LEAST_IDLE,
    LEVEL_METRICS,
    MOST,
    MOST_IDLE,
    OLDEST_WAIT,
)
from loadtest.model.pool_totals import BucketTimes, PoolTotals
from loadtest.recording.telemetry.pool_reading import CurrentLevels, known_levels


class Series(NamedTuple):
    """A pool with the values of its labels; levels: None after its end."""

    labels: Sequence[str]
    totals: PoolTotals
    levels: CurrentLevels | None


def families(series: Sequence[Series], labels: Sequence[str], source: str) -> Iterator[Metric]:
    """All metrics that a source has, LOAD_TEST or APPLICATION; labels: their common names."""
    yield from _histograms(series, labels, source)
    yield from _counters(series, labels, source)
    yield from _levels([one for one in series if one.levels], labels)


def _histograms(series: Sequence[Series], labels: Sequence[str], source: str) -> Iterator[Metric]:
    for metric in (one for one in HISTOGRAM_METRICS if source in one.measured_in):
        names = [*labels, *filter(None, [metric.label])]
        family = HistogramMetricFamily(metric.name, metric.help, labels=names)
        for one in series:
            for value, parts in metric.sources:
                found = (one.totals.times.get(part, BucketTimes()) for part in parts)
                times = sum(found, BucketTimes())
                values = [*one.labels, *filter(None, [value])]
                family.add_metric(values, _cumulative(times), times.sum / 1e9)
        yield family


def _cumulative(times: BucketTimes) -> list[tuple[str, float]]:
    edges = [*map(str, BUCKET_SECONDS), "+Inf"]
    return list(zip(edges, np.cumsum(times.buckets).tolist(), strict=True))


def _counters(series: Sequence[Series], labels: Sequence[str], source: str) -> Iterator[Metric]:
    for metric in (one for one in COUNTER_METRICS if source in one.measured_in):
        names = [*labels, *filter(None, [metric.label])]
        family = CounterMetricFamily(metric.name, metric.help, labels=names)
        for one in series:
            for value, name in metric.sources:
                count = one.totals.counters.get(name, 0)
                family.add_metric([*one.labels, *filter(None, [value])], count)
        yield family


def _levels(series: Sequence[Series], labels: Sequence[str]) -> Iterator[Metric]:
    for metric in LEVEL_METRICS:
        names = [*labels, *filter(None, [metric.label])]
        family = GaugeMetricFamily(metric.name, metric.help, labels=names)
        for one in series:
            for value, level in known_levels(metric, one.levels):
                family.add_metric([*one.labels, *filter(None, [value])], level)
        yield family
    for (name, text), values in _single(series).items():
        family = GaugeMetricFamily(name, text, labels=labels)
        for one, number in zip(series, values, strict=True):
            family.add_metric(one.labels, number)
        yield family


def _single(series: Sequence[Series]) -> dict[tuple[str, str], list[float]]:
    levels = [one.levels for one in series if one.levels]
    return {
        OLDEST_WAIT: [one.oldest_wait for one in levels],
        MOST: [one.most for one in levels],
        MOST_IDLE: [one.most_idle for one in levels],
        LEAST_IDLE: [0.0 for _ in levels],
    }
