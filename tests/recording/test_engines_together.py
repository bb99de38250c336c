"""Engines of one process do not disturb each other's recordings."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, QueuePool, create_engine
from sqlalchemy.util.queue import QueueCommon

from loadtest.recording.pool_recording import PoolRecording
from loadtest.recording.process_recorder import ProcessRecorder
from tests.recording.recorded import counted_in, made, runs_in, use


class OwnQueue(QueueCommon[Any]):
    """A queue of an application, without the attributes of SQLAlchemy's."""

    def __init__(self, maxsize: int = 0, use_lifo: bool = False) -> None:
        self.items: list[Any] = []

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """As of a queue."""
        return self.items.pop()


class OwnPool(QueuePool):
    """A pool with this queue."""

    _queue_class = OwnQueue  # type: ignore[assignment]


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Iterator[ProcessRecorder]:
    """A recorder without a thread, which is cut by hand."""
    with monkeypatch.context() as patches:
        patches.setattr(ProcessRecorder, "resume", lambda self: None)
        yield ProcessRecorder()


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (object, "nothing is recorded: expected an Engine, got object"),
        (lambda: made(OwnPool), "an engine is not recorded: SQLAlchemy"),
    ],
)
def test_one_that_cannot_be_measured_leaves_the_others_alone(
    recorder: ProcessRecorder,
    tmp_path: Path,
    engine: Engine,
    caplog: pytest.LogCaptureFixture,
    other: Any,
    reason: str,
) -> None:
    settings = {"folder": tmp_path / "recordings"}
    recorder.add(engine, settings)
    recorder.add(other(), settings)
    assert reason in caplog.text
    use(engine, 2)
    recorder._cut()
    recorder.close()
    (run,) = runs_in(tmp_path / "recordings")
    assert run.finished
    assert counted_in(run)["checkouts"] == 2


def test_names_that_files_show_alike_are_kept_apart(
    recorder: ProcessRecorder, tmp_path: Path
) -> None:
    names = ["orders db", "orders-db", "orders/db"]
    for number, name in enumerate(names):
        engine = create_engine(f"sqlite:///{tmp_path}/{number}.db", pool_logging_name=name)
        recorder.add(engine, {"folder": tmp_path / "recordings"})
    recorder._cut()
    assert not recorder.off
    recorder.close()
    runs = runs_in(tmp_path / "recordings")
    assert {run.pool_name for run in runs} == {"orders db", "orders-db-2", "orders/db-3"}


def test_an_engine_is_made_while_an_ended_recording_is_compressed(
    recorder: ProcessRecorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"folder": tmp_path / "recordings"}
    engine = made()
    recorder.add(engine, settings)
    use(engine)
    engine.dispose()
    del engine
    gc.collect()
    free: list[bool] = []
    close = PoolRecording.close

    def closed(self: PoolRecording, *arguments: Any) -> None:
        free.append(recorder._lock.acquire(blocking=False))
        recorder._lock.release()
        close(self, *arguments)

    monkeypatch.setattr(PoolRecording, "close", closed)
    for _ in range(60):
        recorder._cut()
    assert free == [True]
    assert not recorder.off
    assert not recorder._recordings
    (run,) = runs_in(tmp_path / "recordings")
    assert run.finished


def test_a_thread_that_has_ended_is_followed_by_another(tmp_path: Path, engine: Engine) -> None:
    recorder = ProcessRecorder()
    ended = threading.Thread(target=lambda: None)
    ended.start()
    ended.join()
    recorder._thread = ended
    recorder.add(engine, {"folder": tmp_path / "recordings"})
    assert recorder._thread is not ended
    assert recorder._thread.is_alive()
    recorder.close()
