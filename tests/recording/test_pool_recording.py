"""A recorded pool: what its intervals contain, second by second."""

from __future__ import annotations

import gc
import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, NullPool, QueuePool, StaticPool, create_engine, text
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import SingletonThreadPool

from loadtest.model.end_reason import End, EndReason
from loadtest.recording.pool_recording import PoolRecording
from loadtest.recording.process_recorder import MOST_RECORDINGS, ProcessRecorder
from loadtest.recording.recording_settings import RecordingSettings
from loadtest.recording.size_budget import SizeBudget
from tests.recording.recorded import counted_in, runs_in
from tests.recording.test_rolling_file import MEGABYTE, Time

END = End(EndReason.FINISHED)


def made(poolclass: type[Any] = QueuePool, **settings: Any) -> Engine:
    connecting = {"check_same_thread": False}
    return create_engine("sqlite://", poolclass=poolclass, connect_args=connecting, **settings)


@pytest.fixture
def engine() -> Iterator[Engine]:
    one = made(pool_size=2, max_overflow=1, pool_timeout=0.01)
    yield one
    one.dispose()


class Recorded:
    """A recording that is cut by hand."""

    def __init__(self, folder: Path, engine: Engine, megabytes: float = 10) -> None:
        self.folder = folder / "recordings"
        self.budget = SizeBudget(megabytes * MEGABYTE, Time())
        settings = RecordingSettings(folder=self.folder, name="shop")
        self.recording = PoolRecording("main", engine, settings, self.budget)
        self.recording.add(engine)


def use(engine: Engine, times: int = 1) -> None:
    for _ in range(times):
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))


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
    one.dispose()


def test_a_cut_lets_the_threads_of_the_application_run_in_between(
    tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("loadtest.recording.pool_recording.time.sleep", pauses.append)
    recorded = Recorded(tmp_path, engine)
    use(engine)
    recorded.recording.cut()
    assert pauses == [0] * 4
    recorded.recording.close(END)


class TestProcess:
    """All engines of a process."""

    def recorder(self, monkeypatch: pytest.MonkeyPatch) -> ProcessRecorder:
        """A recorder without a thread, which is cut by hand."""
        monkeypatch.setattr(ProcessRecorder, "resume", lambda self: None)
        return ProcessRecorder()

    def test_two_recorders_on_one_engine_count_once(
        self, tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        recorder = self.recorder(monkeypatch)
        for _ in range(2):
            recorder.add(engine, {"folder": tmp_path / "recordings"})
        recorder.add(engine.execution_options(stream_results=True), {"folder": tmp_path})
        use(engine)
        recorder.close()
        (run,) = runs_in(tmp_path / "recordings")
        assert counted_in(run)["checkouts"] == 1

    def test_engines_with_other_settings_have_a_file_each(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        recorder = self.recorder(monkeypatch)
        engines = [
            create_engine("sqlite://", poolclass=QueuePool, pool_logging_name="orders"),
            create_engine("sqlite:////nowhere/shop.db", poolclass=QueuePool),
            create_engine("sqlite:////nowhere/shop.db", poolclass=NullPool),
            create_engine("sqlite://"),
        ]
        for engine in engines:
            recorder.add(engine, {"folder": tmp_path / "recordings"})
        recorder._cut()
        recorder.close()
        runs = runs_in(tmp_path / "recordings")
        assert sorted(run.pool_name for run in runs) == ["orders", "shop", "shop-2", "sqlite"]

    def test_the_number_of_files_is_limited(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        recorder = self.recorder(monkeypatch)
        for number in range(MOST_RECORDINGS + 3):
            engine = create_engine(f"sqlite:///{tmp_path}/{number}.db")
            recorder.add(engine, {"folder": tmp_path / "recordings"})
        recorder._cut()
        recorder.close()
        assert len(runs_in(tmp_path / "recordings")) == MOST_RECORDINGS
        assert caplog.text.count("only 16 pools at a time are recorded") == 1

    def test_a_file_ends_a_while_after_its_engines(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        recorder = self.recorder(monkeypatch)
        engine = made()
        recorder.add(engine, {"folder": tmp_path / "recordings"})
        use(engine)
        engine.dispose()
        del engine
        gc.collect()
        for _ in range(59):
            recorder._cut()
        assert recorder._recordings
        other = made()
        recorder.add(other, {"folder": tmp_path / "recordings"})
        recorder._cut()
        other.dispose()
        del other
        gc.collect()
        for _ in range(60):
            recorder._cut()
        assert not recorder._recordings
        (run,) = runs_in(tmp_path / "recordings")
        assert run.finished
        assert counted_in(run)["checkouts"] == 1

    def test_it_can_be_switched_off(
        self, tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        recorder = self.recorder(monkeypatch)
        monkeypatch.setenv("LOADTEST_RECORDING", "off")
        recorder.add(engine, {"folder": tmp_path / "recordings"})
        use(engine)
        recorder.close()
        assert not (tmp_path / "recordings").exists()

    def test_a_failure_is_logged_once_and_the_application_goes_on_unmeasured(
        self,
        tmp_path: Path,
        engine: Engine,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        (tmp_path / "file").write_text("")
        recorder = self.recorder(monkeypatch)
        recorder.add(engine, {"folder": tmp_path / "file" / "recordings"})
        (recording,) = recorder._recordings.values()
        use(engine)
        recorder._cut()
        recorder._cut()
        assert recorder.off
        use(engine, 3)
        engine.dispose()
        use(engine)
        measured = recording._recorder
        assert not (measured.quick)
        assert not (measured.noticed)
        assert not (measured.openings)
        assert not measured.closes
        recorder.add(made(), {})
        recorder.close()
        errors = [one for one in caplog.records if one.levelno == logging.ERROR]
        assert len(errors) == 1
        assert "recording is switched off: cannot write the result file" in caplog.text

    def test_a_thread_that_hangs_in_a_file_is_not_waited_for(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("loadtest.recording.process_recorder._PATIENCE_SECONDS", 0.05)
        recorder = ProcessRecorder()
        written = threading.Event()
        recorder._thread = threading.Thread(target=written.wait, daemon=True)
        recorder._thread.start()
        recorder.pause()
        assert recorder._thread.is_alive()
        assert not recorder._stop.is_set(), "it goes on when it can"
        written.set()
        recorder.pause()
        assert recorder._thread is None

    def test_what_is_no_engine_is_logged(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        recorder = self.recorder(monkeypatch)
        recorder.add("sqlite://", {})
        assert "expected an Engine, got str" in caplog.text


class TestSettings:
    """Where settings come from."""

    def test_the_environment_has_them(self) -> None:
        found = RecordingSettings.from_environment(
            {
                "LOADTEST_RECORDING": "off",
                "LOADTEST_RECORDING_FOLDER": "/var/recordings",
                "LOADTEST_RECORDING_NAME": "shop",
                "LOADTEST_RECORDING_MEGABYTES_PER_HOUR": "2.5",
                "LOADTEST_RESULTS": "elsewhere",
            }
        )
        assert found == RecordingSettings(Path("/var/recordings"), "shop", 2.5, False)

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ({"megabytes_per_hour": "-1"}, "megabytes_per_hour is ignored: expected a number"),
            ({"megabytes_per_hour": "nan"}, "megabytes_per_hour is ignored: expected a number"),
            ({"on": "perhaps"}, "on is ignored: expected on or off, got 'perhaps'"),
            ({"folder": ""}, "folder is ignored"),
            ({"colour": "green"}, "unknown setting colour; use folder, name, "),
        ],
    )
    def test_a_wrong_one_is_logged_and_left_out(
        self, given: dict[str, str], message: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        usual = RecordingSettings(name="shop")
        assert usual.changed(given) == usual
        assert message in caplog.text
