"""The metrics of the pools of one process, by value."""

from __future__ import annotations

import gc
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from sqlalchemy import Engine, NullPool, QueuePool, create_engine
from sqlalchemy.exc import TimeoutError as PoolTimeout

from loadtest.model.metrics import POOL_LABEL
from loadtest.recording.process_recorder import ProcessRecorder
from loadtest.recording.telemetry.pool_collector import PoolCollector
from tests.processes import samples
from tests.recording.recorded import made, use

WAITS = "db_client_connection_wait_time_seconds"


class Shown:
    """A recorder that is cut by hand, and its metrics."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.recorder = ProcessRecorder()
        self.registry = CollectorRegistry()
        self.registry.register(PoolCollector(self.recorder.telemetry.readings))

    def add(self, engine: Engine, **settings: Any) -> None:
        self.recorder.add(engine, {"folder": self.folder / "recordings", **settings})

    def value(self, name: str, pool: str = "sqlite", **labels: str) -> float | None:
        return self.registry.get_sample_value(name, {POOL_LABEL: pool, "slot": "0", **labels})


@pytest.fixture
def shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shown]:
    monkeypatch.setattr(ProcessRecorder, "resume", lambda self: None)
    one = Shown(tmp_path)
    yield one
    one.recorder.close()


def test_counters_and_times_are_totals_since_the_process_began(
    shown: Shown, engine: Engine
) -> None:
    shown.add(engine)
    use(engine, 3)
    shown.recorder._cut()
    held = [engine.connect() for _ in range(3)]
    with pytest.raises(PoolTimeout):
        engine.connect()
    shown.recorder._cut()
    assert shown.value("loadtest_checkouts_total", source="pooled") == 3
    assert shown.value("loadtest_checkouts_total", source="new") == 2
    assert shown.value("loadtest_checkouts_total", source="overflow") == 1
    assert shown.value("db_client_connection_timeouts_total") == 1
    assert shown.value("loadtest_connections_opened_total") == 3
    assert shown.value(f"{WAITS}_count") == 7
    assert shown.value(f"{WAITS}_bucket", le="+Inf") == 7
    assert shown.value("db_client_connection_use_time_seconds_count") == 3
    for connection in held:
        connection.close()


def test_levels_are_those_of_the_last_second(shown: Shown, engine: Engine) -> None:
    shown.add(engine)
    held = [engine.connect() for _ in range(3)]
    shown.recorder._cut()
    used = {"db_client_connection_state": "used"}
    assert shown.value("db_client_connection_count", **used) == 3
    assert shown.value("loadtest_pool_overflow_connections") == 1
    for connection in held:
        connection.close()
    shown.recorder._cut()
    assert shown.value("db_client_connection_count", **used) == 0
    assert shown.value("db_client_connection_count", db_client_connection_state="idle") == 2


def test_limits_are_those_of_all_engines_of_the_pool(shown: Shown) -> None:
    engines = [made(pool_size=2, max_overflow=1) for _ in range(2)]
    unlimited = create_engine(f"sqlite:///{shown.folder}/other.db", poolclass=NullPool)
    for one in (*engines, unlimited):
        shown.add(one)
        use(one)
    shown.recorder._cut()
    assert shown.value("loadtest_pool_overflow_connections") is None, "each pool has its own"
    assert shown.value("loadtest_pool_overflow_connections", pool="other") == 0
    assert shown.value("db_client_connection_max") == 6
    assert shown.value("db_client_connection_idle_max") == 4
    assert shown.value("db_client_connection_idle_min") == 0
    assert shown.value("db_client_connection_max", pool="other") == math.inf
    assert shown.value("db_client_connection_idle_max", pool="other") == 0
    for one in engines:
        one.dispose()


def test_failed_connects_are_counted(shown: Shown) -> None:
    def fail() -> None:
        raise OSError("no server")

    engine = create_engine("sqlite://", poolclass=QueuePool, creator=fail)
    shown.add(engine)
    for _ in range(2):
        with pytest.raises(OSError, match="no server"):
            engine.connect()
    shown.recorder._cut()
    assert shown.value("loadtest_checkout_errors_total") == 2


# sqlite3 warns of a collected connection since Python 3.13.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_of_a_pool_without_an_engine_the_totals_stay_and_a_later_one_goes_on(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loadtest.recording.process_recorder._CUTS_WITHOUT_ENGINE", 1)
    for count in (2, 3):
        engine = made()
        shown.add(engine)
        use(engine, count)
        del engine
        gc.collect()
        shown.recorder._cut()
        shown.recorder._cut()
        assert not shown.recorder._recordings
        assert shown.value("db_client_connection_max") is None
    assert shown.value(f"{WAITS}_count") == 5
    assert shown.value("loadtest_connections_closed_total", reason="collected") == 2


def test_a_pool_without_a_checkout_has_totals_of_zero(shown: Shown, engine: Engine) -> None:
    shown.add(engine)
    assert shown.value(f"{WAITS}_count") == 0


def test_nothing_of_a_load_generator_is_shown_and_labels_are_a_bounded_set(
    shown: Shown, engine: Engine
) -> None:
    shown.add(engine)
    use(engine)
    shown.recorder._cut()
    page = samples(generate_latest(shown.registry).decode())
    names = {name for name, _ in page}
    assert not any("generator" in name or "operation" in name for name in names)
    assert not any("arrivals" in name or "errors_total" in name for name in names - {
        "loadtest_checkout_errors_total"
    })  # fmt: skip
    labels = {label for _, pairs in page for label, _ in pairs}
    own = {"phase", "source", "reason", "le", "db_client_connection_state"}
    assert labels == {POOL_LABEL, "slot", *own}


def test_without_a_folder_there_are_no_metrics_and_no_error(
    shown: Shown, engine: Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    shown.recorder.add(engine, {"folder": tmp_path / "file" / "recordings"})
    for _ in range(2):
        assert samples(generate_latest(shown.registry).decode()) == {}
    assert caplog.text.count("metrics do not show this process") == 1


def test_metrics_cost_nothing_in_a_file_unless_they_are_served(
    shown: Shown, engine: Engine
) -> None:
    shown.add(engine)
    use(engine)
    shown.recorder._cut()
    (path,) = (shown.folder / "recordings").iterdir()
    header = path.read_text().splitlines()[0]
    assert "slot" not in header
    assert "before" not in header
