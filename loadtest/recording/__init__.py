"""Records the pools of a running application: the instrument, and the files it writes."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from loadtest.recording.process_recorder import ProcessRecorder
    from loadtest.recording.telemetry.pool_collector import PoolCollector


def record(engine: Any, /, **settings: Any) -> None:
    """Record what the pool of an Engine or AsyncEngine does, until the process ends.

    settings: `folder`, `name`, `megabytes_per_hour`, `keep_megabytes`, `on`, `metrics_port`,
    `metrics_host` and `opentelemetry`, in place of the environment's. A failure is logged and
    never raised.
    """
    try:
        recorder = recorder_of_process()
    except ImportError as error:
        logging.getLogger("loadtest.recording").error("recording is switched off: %s", error)
    else:
        recorder.add(engine, settings)


def collector() -> PoolCollector:
    """A collector of the pools of this process for a registry of prometheus_client.

    Raises ImportError without prometheus_client or a package that a recording needs.
    """
    from loadtest.recording.telemetry.pool_collector import PoolCollector

    return PoolCollector(recorder_of_process().telemetry.readings)


def instrument(meter_provider: Any = None) -> None:
    """Make OpenTelemetry's instruments for the pools of this process, once.

    meter_provider: None is the global one. A failure is logged and never raised.
    """
    try:
        recorder_of_process().telemetry.instrument(meter_provider)
    except ImportError as error:
        logging.getLogger("loadtest.recording").error("no metrics for OpenTelemetry: %s", error)


def recorder_of_process() -> ProcessRecorder:
    """The recorder of this process.

    Raises ImportError if a package is missing or too old.
    """
    import sqlalchemy

    if int(sqlalchemy.__version__.partition(".")[0]) < 2:
        version = sqlalchemy.__version__
        raise ImportError(f"SQLAlchemy {version} is too old; a recording needs 2.0 or newer")
    from loadtest.recording.process_recorder import PROCESS_RECORDER

    return PROCESS_RECORDER
