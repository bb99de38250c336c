"""A recorded pool: what its intervals contain, second by second."""

from __future__ import annotations

import gc
import itertools
import os
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, NullPool, QueuePool, StaticPool
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import SingletonThreadPool

from loadtest.model.end_reason import End, EndReason
from loadtest.recording.pool_recording import PoolRecording
from loadtest.recording.recording_settings import RecordingSettings
from loadtest.recording.size_budget import SizeBudget
from loadtest.runfile.shared_interpreter import LONGEST_HOLD
from tests.recording.recorded import counted_in, made, runs_in, use
from tests.recording.test_rolling_file import MEGABYTE, Time

END = End(EndReason.FINISHED)


class Recorded:
    """A recording that is cut by hand."""

    def __init__(self, folder: Path, engine: Engine, megabytes: float = 10) -> None:
        self.folder = folder / "recordings"
        self.budget = SizeBudget(megabytes * MEGABYTE, Time())
        settings = RecordingSettings(folder=self.folder, name="shop")
        self.recording = PoolRecording("main", engine, settings, self.budget)
        self.recording.add(engine)


def test_the_header_has_the_pool_and_no_command(tmp_path: Path, engine: Engine) -> None:
    recorded = Recorded(tmp_path, engine)
    recorded.recording.cut()
    recorded.recording.close(END)
    (run,) = runs_in(recorded.folder)
    pool = run.header.pool
    assert (pool.name, pool.pool_size, pool.max_overflow) == ("main", 2, 1)
    assert run.header.name == "shop"
    assert run.told["recording"]["database"] == "sqlite+pysqlite"
    assert run.told["recording"]["process"].endswith(f"-{os.getpid()}")
    assert {"python", "sqlalchemy", "loadtest"} <= run.header.versions.keys()
    assert "command" not in run.told


def test_each_cut_is_an_interval_with_checkouts_waits_and_holds(
    tmp_path: Path, engine: Engine
) -> None:
    recorded = Recorded(tmp_path, engine)
    use(engine, 3)
    recorded.recording.cut()
    held = [engine.connect() for _ in range(3)]
    with pytest.raises(PoolTimeout):
        engine.connect()
    recorded.recording.cut()
    for connection in held:
        connection.close()
    recorded.recording.close(END)
    (run,) = runs_in(recorded.folder)
    first, second, third = run.intervals
    assert first.counters["checkouts"] == first.histograms["hold"].count == 3
    assert (second.counters["checkouts"], second.counters["timeouts"]) == (3, 1)
    assert second.histograms["wait"].max >= 10_000_000
    assert (second.gauges["in_use"].last, second.gauges["overflow"].last) == (3, 1)
    assert third.histograms["hold"].count == 3
    assert {one.period for one in run.intervals} == {"measured"}
    assert not any(one.fair.users for one in run.intervals)


@pytest.mark.parametrize("poolclass", [QueuePool, NullPool, StaticPool, SingletonThreadPool])
def test_pools_of_every_class_are_recorded(tmp_path: Path, poolclass: type[Any]) -> None:
    engine = made(poolclass)
    recorded = Recorded(tmp_path, engine)
    use(engine, 2)
    engine.dispose()
    use(engine)
    recorded.recording.close(END)
    (run,) = runs_in(recorded.folder)
    assert run.problems == ()
    assert run.header.pool.poolclass == poolclass.__name__
    assert counted_in(run)["checkouts"] == 3
    assert sum(one.histograms["hold"].count for one in run.intervals) == 3
    engine.dispose()


def test_a_subclass_of_an_application_is_recorded_under_its_name(tmp_path: Path) -> None:
    class Counting(QueuePool):
        """Counts what it hands out."""

        given = 0

        def connect(self) -> Any:
            type(self).given += 1
            return super().connect()

    engine = made(Counting)
    recorded = Recorded(tmp_path, engine)
    use(engine, 2)
    recorded.recording.close(END)
    (run,) = runs_in(recorded.folder)
    assert run.header.pool.poolclass == "Counting"
    assert counted_in(run)["checkouts"] == Counting.given == 2
    engine.dispose()


def test_over_the_size_limit_intervals_cover_ten_seconds_and_totals_stay_exact(
    tmp_path: Path, engine: Engine
) -> None:
    recorded = Recorded(tmp_path, engine)
    use(engine)
    recorded.recording.cut()
    recorded.budget.spend(MEGABYTE)
    for _ in range(15):
        use(engine, 2)
        recorded.recording.cut()
    recorded.budget.spend(-MEGABYTE)
    for _ in range(5):
        use(engine, 2)
        recorded.recording.cut()
    use(engine)
    recorded.recording.cut()
    recorded.recording.close(END)
    (run,) = runs_in(recorded.folder)
    # 1, then 20 of which the first 10 were over the limit, then 1, and the rest.
    assert [one.counters["checkouts"] for one in run.intervals] == [1, 40, 1, 0]
    assert run.footer
    assert run.footer.totals.counters["checkouts"] == 42
    assert run.intervals[1].histograms["hold"].count == 40


def test_an_error_that_ends_a_connection_stays_as_it_is(tmp_path: Path, engine: Engine) -> None:
    recorded = Recorded(tmp_path, engine)
    lost = OSError("gone")
    with engine.connect() as connection:
        connection.invalidate(lost)
    assert vars(lost) == {}
    recorded.recording.close(END)
    (run,) = runs_in(recorded.folder)
    assert counted_in(run)["closed.error"] == 1
    assert "gone" not in str(run)


# sqlite3 warns of a collected connection since Python 3.13.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_engines_with_the_same_settings_share_a_file(tmp_path: Path) -> None:
    one, other = made(pool_size=2), made(pool_size=2)
    recorded = Recorded(tmp_path, one)
    recorded.recording.add(other)
    use(one)
    use(other, 2)
    recorded.recording.cut()
    del other
    gc.collect()
    recorded.recording.close(END)
    (run,) = runs_in(recorded.folder)
    assert counted_in(run)["checkouts"] == 3
    assert [one.gauges["engines"].last for one in run.intervals] == [2, 1]
    assert not any("overflow" in one.gauges for one in run.intervals)
    one.dispose()


def test_a_cut_lets_the_threads_of_the_application_run_in_between(
    tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    clock = itertools.count(10**15, LONGEST_HOLD)
    monkeypatch.setattr("loadtest.runfile.shared_interpreter.time.sleep", pauses.append)
    monkeypatch.setattr("loadtest.runfile.shared_interpreter.now", clock.__next__)
    recorded = Recorded(tmp_path, engine)
    use(engine)
    recorded.recording.cut()
    assert len(pauses) > 10
    assert set(pauses) == {0}
    recorded.recording.close(END)
