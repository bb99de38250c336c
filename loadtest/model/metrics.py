"""Every metric the tool exports: name, help, labels, buckets, and the measurement it comes from.

Names are OpenTelemetry's database client metrics in Prometheus form. Metrics without such a name
begin with `loadtest_`.
"""

from __future__ import annotations

from dataclasses import dataclass

from loadtest.model.error_kinds import ERROR_KINDS, HTTP_ERROR_KINDS

POOL_LABEL = "db_client_connection_pool_name"
# In an application: a small number of the process, which a later process takes over.
SLOT_LABEL = "slot"

# What is measured: a load generator's requests and its own health are no part of an application.
LOAD_TEST, APPLICATION = "load test", "application"
BOTH = (LOAD_TEST, APPLICATION)

# `collected`: Python freed a connection that was never closed, of an application's engine.
CLOSE_REASONS = (
    *("overflow", "recycle", "invalidated", "disposed", "error", "detached"),
    "collected",
)

# 10 microseconds to 60 s, the same for every run: a healthy checkout and a starved one both fit.
BUCKET_SECONDS = (
    *(round(step * 10.0**power, 6) for power in range(-5, 1) for step in (1, 2.5, 5)),
    10.0,
    30.0,
    60.0,
)


@dataclass(frozen=True)
class HistogramMetric:
    """A histogram in seconds; sources pairs the value of its label with names in an Interval."""

    name: str
    help: str
    sources: tuple[tuple[str, tuple[str, ...]], ...]
    label: str = ""
    measured_in: tuple[str, ...] = BOTH


@dataclass(frozen=True)
class CounterMetric:
    """A counter; sources pairs the value of its label with a counter of an Interval.

    unit: OpenTelemetry's.
    """

    name: str
    help: str
    sources: tuple[tuple[str, str], ...]
    label: str = ""
    measured_in: tuple[str, ...] = BOTH
    unit: str = "{request}"


@dataclass(frozen=True)
class LevelMetric:
    """A gauge; sources pairs the value of its label with a gauge of an Interval.

    unit: OpenTelemetry's.
    """

    name: str
    help: str
    sources: tuple[tuple[str, str], ...]
    label: str = ""
    unit: str = "{connection}"


HISTOGRAM_METRICS = (
    HistogramMetric(
        "db_client_connection_wait_time_seconds",
        "Time that a checkout waited for a connection, including waits that timed out.",
        (("", ("wait",)),),
    ),
    HistogramMetric(
        "db_client_connection_create_time_seconds",
        "Time to open a connection.",
        (("", ("connect", "reconnect")),),
    ),
    HistogramMetric(
        "db_client_connection_use_time_seconds",
        "Time from the checkout of a connection to its return.",
        (("", ("hold",)),),
    ),
    HistogramMetric(
        "db_client_operation_duration_seconds",
        "Duration of the scenario's requests, including failed ones.",
        (("", ("request", "failed_request")),),
        measured_in=(LOAD_TEST,),
    ),
    HistogramMetric(
        "loadtest_checkout_phase_seconds",
        "Time of each phase of checkouts and returns.",
        tuple((name, (name,)) for name in ("wait", "connect", "reconnect", "ping", "reset")),
        "phase",
    ),
    HistogramMetric(
        "loadtest_generator_lag_seconds",
        "Event-loop lag of the load generator.",
        (("", ("generator_lag",)),),
        measured_in=(LOAD_TEST,),
    ),
    HistogramMetric(
        "loadtest_schedule_lag_seconds",
        "Schedule lag: how late requests of an open loop began.",
        (("", ("schedule_lag",)),),
        measured_in=(LOAD_TEST,),
    ),
)

COUNTER_METRICS = (
    CounterMetric(
        "db_client_connection_timeouts",
        "Checkouts that timed out after pool_timeout.",
        (("", "timeouts"),),
        unit="{timeout}",
    ),
    CounterMetric(
        "loadtest_checkouts",
        "Checkouts by the source of the connection.",
        tuple((s, f"checkouts.{s}") for s in ("pooled", "new", "overflow", "reconnect")),
        "source",
        unit="{checkout}",
    ),
    CounterMetric(
        "loadtest_dropped_arrivals",
        "Arrivals of an open loop that were dropped because no user was free in time.",
        (("", "dropped"),),
        measured_in=(LOAD_TEST,),
    ),
    CounterMetric(
        "loadtest_checkout_errors",
        "Checkouts that failed for another reason than pool_timeout.",
        (("", "checkout_errors"),),
        measured_in=(APPLICATION,),
        unit="{checkout}",
    ),
    CounterMetric(
        "loadtest_connections_opened",
        "Connections opened.",
        (("", "opened"),),
        unit="{connection}",
    ),
    CounterMetric(
        "loadtest_connections_closed",
        "Connections closed.",
        tuple((reason, f"closed.{reason}") for reason in CLOSE_REASONS),
        "reason",
        unit="{connection}",
    ),
    CounterMetric(
        "loadtest_errors",
        "Failed requests by kind of error.",
        tuple((kind, f"errors.{kind}") for kind in ERROR_KINDS),
        "kind",
        (LOAD_TEST,),
    ),
    CounterMetric(
        "loadtest_retries",
        "Failed checkouts and statements that a later statement of the same request made up for, "
        "by kind of error.",
        tuple((kind, f"retries.{kind}") for kind in ERROR_KINDS if kind not in HTTP_ERROR_KINDS),
        "kind",
        (LOAD_TEST,),
    ),
)

LEVEL_METRICS = (
    LevelMetric(
        "db_client_connection_count",
        "Connections by state.",
        (("idle", "idle"), ("used", "in_use")),
        "db_client_connection_state",
    ),
    LevelMetric(
        "db_client_connection_pending_requests",
        "Checkouts that are waiting for a connection.",
        (("", "waiting"),),
        unit="{request}",
    ),
    LevelMetric(
        "loadtest_pool_overflow_connections",
        "Open connections beyond pool_size; left out for several engines with the same settings.",
        (("", "overflow"),),
    ),
)

# Gauges that are derived, not part of an interval: name and help.
_UNIT = "_seconds"
OLDEST_WAIT = ("loadtest_oldest_waiter_seconds", "Age of the oldest wait in progress.")
MOST = (
    "db_client_connection_max",
    "Maximum number of connections; in a load test, over all processes.",
)
MOST_IDLE = (
    "db_client_connection_idle_max",
    "Maximum number of idle connections; in a load test, over all processes.",
)
LEAST_IDLE = ("db_client_connection_idle_min", "Minimum number of idle connections.")

# OpenTelemetry's names have a dot after these words; only other words are joined by underscores.
_DOTTED = (
    *("db_client_connection_idle_", "db_client_connection_pool_", "db_client_connection_"),
    *("db_client_operation_", "loadtest_"),
)


def opentelemetry_name(name: str) -> str:
    """The name of a metric or label in OpenTelemetry, which has the unit beside it."""
    begin = next((words for words in _DOTTED if name.startswith(words)), "")
    return begin.replace("_", ".") + name.removeprefix(begin).removesuffix(_UNIT)
