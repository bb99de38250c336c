"""The instruments on OpenTelemetry's MeterProvider, read by its SDK."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.semconv._incubating.metrics import db_metrics
from sqlalchemy import NullPool, create_engine
from sqlalchemy.exc import TimeoutError as PoolTimeout

from loadtest.model.distribution import Distribution
from loadtest.model.interval import Interval
from loadtest.model.metrics import BUCKET_SECONDS
from loadtest.recording.process_recorder import ProcessRecorder
from tests.recording.recorded import made, use

MILLISECOND = 1_000_000
POOL = "db.client.connection.pool.name"
# OpenTelemetry's names of a pool's metrics, each with its kind and unit.
CONVENTIONS = {
    "db.client.connection.count": ("updowncounter", "{connection}"),
    "db.client.connection.idle.max": ("updowncounter", "{connection}"),
    "db.client.connection.idle.min": ("updowncounter", "{connection}"),
    "db.client.connection.max": ("updowncounter", "{connection}"),
    "db.client.connection.pending_requests": ("updowncounter", "{request}"),
    "db.client.connection.timeouts": ("counter", "{timeout}"),
    "db.client.connection.create_time": ("histogram", "s"),
    "db.client.connection.wait_time": ("histogram", "s"),
    "db.client.connection.use_time": ("histogram", "s"),
}


class Observed:
    """A recorder that is cut by hand, and what the SDK reads of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.recorder = ProcessRecorder()
        self.reader = InMemoryMetricReader()
        self.provider = MeterProvider([self.reader], shutdown_on_exit=False)
        self.recorder.telemetry.instrument(self.provider)

    def metrics(self) -> dict[str, Any]:
        """The metrics by name."""
        data = self.reader.get_metrics_data()
        scopes = [s for r in data.resource_metrics for s in r.scope_metrics] if data else []
        return {metric.name: metric for scope in scopes for metric in scope.metrics}

    def values(self, name: str, label: str = POOL) -> dict[Any, Any]:
        """The values of a counter or level by one of its attributes."""
        points = self.metrics()[name].data.data_points
        return {point.attributes[label]: point.value for point in points}

    def times(self, name: str) -> Any:
        """The one data point of a histogram."""
        (point,) = self.metrics()[name].data.data_points
        return point


@pytest.fixture
def observed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Observed]:
    monkeypatch.setattr(ProcessRecorder, "resume", lambda self: None)
    one = Observed(tmp_path)
    yield one
    one.recorder.close()
    one.provider.shutdown()


@pytest.fixture
def busy(observed: Observed) -> Iterator[Observed]:
    """A pool of 2+1 with three connections in use, after two quick checkouts and a timeout."""
    engine = made(pool_size=2, max_overflow=1, pool_timeout=0.01)
    observed.recorder.add(engine, {"folder": observed.folder / "recordings"})
    use(engine, 2)
    observed.recorder._cut()
    held = [engine.connect() for _ in range(3)]
    with pytest.raises(PoolTimeout):
        engine.connect()
    observed.recorder._cut()
    yield observed
    for connection in held:
        connection.close()
    engine.dispose()


def test_names_kinds_and_units_are_those_of_the_conventions(busy: Observed) -> None:
    known = {
        value: name
        for name, value in vars(db_metrics).items()
        if name.startswith("DB_CLIENT_CONNECTION_")
    }
    assert known.keys() == CONVENTIONS.keys()
    found = busy.metrics()
    assert CONVENTIONS.keys() <= found.keys()
    for name, (kind, unit) in CONVENTIONS.items():
        metric = found[name]
        assert metric.unit == unit
        if kind == "histogram":
            assert metric.data.data_points[0].explicit_bounds == BUCKET_SECONDS
        else:
            assert metric.data.is_monotonic is (kind == "counter")


def test_counters_and_levels_are_observed(busy: Observed) -> None:
    assert busy.values("db.client.connection.timeouts") == {"sqlite": 1}
    assert busy.values("db.client.connection.max") == {"sqlite": 3}
    assert busy.values("db.client.connection.idle.max") == {"sqlite": 2}
    assert busy.values("db.client.connection.idle.min") == {"sqlite": 0}
    states = busy.values("db.client.connection.count", "db.client.connection.state")
    assert states == {"idle": 0, "used": 3}
    checkouts = busy.values("loadtest.checkouts", "source")
    assert checkouts == {"pooled": 2, "new": 2, "overflow": 1, "reconnect": 0}
    assert busy.values("loadtest.oldest_waiter") == {"sqlite": 0}


def test_each_time_is_in_its_histogram_once(busy: Observed) -> None:
    waits, holds = (busy.times(f"db.client.connection.{n}_time") for n in ("wait", "use"))
    assert (waits.count, holds.count) == (6, 2)
    assert waits.max >= 0.0099
    assert waits.attributes == {POOL: "sqlite"}
    phases = busy.metrics()["loadtest.checkout_phase"].data.data_points
    assert {one.attributes["phase"]: one.count for one in phases} == {"connect": 3}


def test_times_are_in_the_bucket_of_their_length_within_a_percent(tmp_path: Path) -> None:
    observed = Observed(tmp_path)
    waits = [20_000, 3 * MILLISECOND, 3 * MILLISECOND, 61_000 * MILLISECOND]
    times = {"wait": Distribution.of(waits), "connect": Distribution.of([40 * MILLISECOND])}
    observed.recorder.telemetry._observe("main", Interval(1, histograms=times))
    found = observed.times("db.client.connection.wait_time")
    edges = [*found.explicit_bounds, math.inf]
    filled = {edge: n for edge, n in zip(edges, found.bucket_counts, strict=True) if n}
    assert filled == {2.5e-05: 1, 0.005: 2, math.inf: 1}
    assert found.sum == pytest.approx(sum(waits) / 1e9, rel=0.01)
    assert observed.times("db.client.connection.create_time").count == 1
    observed.provider.shutdown()


def test_times_of_the_last_second_are_recorded_at_the_end(busy: Observed) -> None:
    busy.recorder.close()
    assert busy.times("db.client.connection.wait_time").count == 6
    assert busy.values("db.client.connection.timeouts") == {"sqlite": 1}
    assert "db.client.connection.max" not in busy.metrics()


def test_a_pool_without_a_limit_has_no_maximum(observed: Observed) -> None:
    engine = create_engine("sqlite://", poolclass=NullPool)
    observed.recorder.add(engine, {"folder": observed.folder / "recordings"})
    use(engine)
    observed.recorder._cut()
    assert "db.client.connection.max" not in observed.metrics()
    assert observed.values("db.client.connection.idle.max") == {"sqlite": 0}


def test_a_failure_is_logged_once_and_the_recording_goes_on(
    busy: Observed, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("loadtest.recording.telemetry.instruments._record", fail)
    engine = made(pool_size=1)
    busy.recorder.add(engine, {"folder": busy.folder / "recordings"})
    for _ in range(2):
        use(engine)
        busy.recorder._cut()
    assert not busy.recorder.off
    told = [one.getMessage() for one in caplog.records]
    assert told == ["OpenTelemetry no longer gets the times of connections"]
    engine.dispose()


def test_without_the_api_the_log_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delitem(sys.modules, "loadtest.recording.telemetry.instruments")
    monkeypatch.setitem(sys.modules, "opentelemetry.metrics", None)
    ProcessRecorder().telemetry.instrument()
    assert "no metrics for OpenTelemetry: opentelemetry.metrics is missing" in caplog.text
    assert "pip install 'pool-loadtest[metrics]'" in caplog.text
