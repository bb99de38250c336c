"""All engines of a process, and the settings of their recordings."""

from __future__ import annotations

import gc
import logging
import os
import threading
from pathlib import Path

import pytest
from sqlalchemy import Engine, NullPool, QueuePool, create_engine

from loadtest.recording.process_recorder import MOST_RECORDINGS, ProcessRecorder
from loadtest.recording.recording_settings import RecordingSettings
from tests.recording.recorded import counted_in, made, runs_in, use


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
        assert not measured.quick
        assert not measured.noticed
        assert not measured.openings
        assert not measured.closes
        recorder.add(made(), {})
        recorder.close()
        errors = [one for one in caplog.records if one.levelno == logging.ERROR]
        assert len(errors) == 1
        assert "recording is switched off: cannot write the result file" in caplog.text

    def test_files_that_are_not_compressed_are_left_alone(
        self, tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = tmp_path / "recordings"
        folder.mkdir()
        killed = folder / "shop-host-7-20260101-000000-0001.jsonl"
        killed.write_bytes(b'{"type":"header"}\n')
        os.utime(killed, (0, 0))
        recorder = self.recorder(monkeypatch)
        recorder.add(engine, {"folder": folder, "compress": "off"})
        use(engine)
        recorder._cut()
        recorder.close()
        names = [path.suffix for path in folder.iterdir()]
        assert names == [".jsonl", ".jsonl"]
        assert killed.read_bytes() == b'{"type":"header"}\n'

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
            ({"folder": ""}, "folder is ignored: it is empty"),
            ({"colour": "green"}, "unknown setting colour; use folder, name, "),
        ],
    )
    def test_a_wrong_one_is_logged_and_left_out(
        self, given: dict[str, str], message: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        usual = RecordingSettings(name="shop")
        assert usual.changed(given) == usual
        assert message in caplog.text
