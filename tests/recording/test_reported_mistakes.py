"""Mistakes of real pools, recorded and read again."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import NullPool
from sqlalchemy.exc import TimeoutError as PoolTimeout

from loadtest.analysis.recordings.read_recording import read_recording
from loadtest.analysis.recordings.summarize_recording import summarize_recording
from loadtest.model.recording_summary import RecordedPoolSummary
from loadtest.recording.process_recorder import ProcessRecorder
from tests.recording.recorded import made, use


class Recorded:
    """A recorder of its own, and what its recording tells."""

    def __init__(self, folder: Path) -> None:
        self.recorder, self.settings = ProcessRecorder(), {"folder": folder, "name": "shop"}
        self.folder = folder

    def pool(self) -> RecordedPoolSummary:
        """The pool, after the end of the recording."""
        self.recorder.close()
        (pool,) = summarize_recording(read_recording([self.folder])).pools
        return pool


@pytest.fixture
def recorded(tmp_path: Path) -> Recorded:
    """A recording in a folder of its own."""
    return Recorded(tmp_path)


def codes(pool: RecordedPoolSummary) -> list[str]:
    return [finding.code for finding in pool.findings]


def test_an_application_without_a_mistake(recorded: Recorded) -> None:
    engine = made(pool_size=2, max_overflow=1)
    recorded.recorder.add(engine, recorded.settings)
    use(engine, 50)
    pool = recorded.pool()
    engine.dispose()
    assert codes(pool) == []
    assert (pool.checkout.count, pool.connections.open_most, pool.connections.allowed) == (50, 1, 3)
    assert pool.settings[0]["pool_size"] == 2


def test_a_pool_that_is_full(recorded: Recorded) -> None:
    engine = made(pool_size=1, max_overflow=0, pool_timeout=0.01)
    recorded.recorder.add(engine, recorded.settings)
    with engine.connect():
        for _ in range(3):
            with pytest.raises(PoolTimeout):
                engine.connect()
    pool = recorded.pool()
    engine.dispose()
    assert "pool_full" in codes(pool)
    assert (pool.checkout.timeouts, pool.checkout.attempts) == (3, 4)
    assert pool.full


def test_an_engine_for_each_request(recorded: Recorded) -> None:
    for _ in range(20):
        engine = made(pool_size=1, max_overflow=0)
        recorded.recorder.add(engine, recorded.settings)
        use(engine)
        engine.dispose()
    assert codes(recorded.pool()) == ["engine_per_request"]


def test_null_pool(recorded: Recorded) -> None:
    engine = made(NullPool)
    recorded.recorder.add(engine, recorded.settings)
    use(engine, 20)
    pool = recorded.pool()
    assert codes(pool) == ["null_pool"]
    assert pool.connections.opened == 20
