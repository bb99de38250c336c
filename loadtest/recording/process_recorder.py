"""The recorder of a process: its recordings, and the thread that writes them once a second."""

from __future__ import annotations

import atexit
import logging
import math
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from sqlalchemy import URL, Dialect, Engine

from loadtest.model.end_reason import End, EndReason
from loadtest.model.errors import LoadtestError
from loadtest.pool.engine_settings import settings_of
from loadtest.pool.sqlalchemy_internals import check_attributes
from loadtest.recording.part_files import delete_oldest, end_left_parts
from loadtest.recording.pool_recording import PoolRecording, name_in_files
from loadtest.recording.recording_settings import MEGABYTE, RecordingSettings
from loadtest.recording.route_names import ROUTE_NAMES
from loadtest.recording.size_budget import SizeBudget
from loadtest.recording.steering.orders import Orders
from loadtest.recording.telemetry.process_telemetry import ProcessTelemetry

if TYPE_CHECKING:
    from loadtest.recording.steering.tool_watch import ToolWatch

# More pools with different settings are not recorded at the same time.
MOST_RECORDINGS = 16
# An application that makes an engine for each request is for moments without one.
_CUTS_WITHOUT_ENGINE = 60
_CUTS_BETWEEN_LOOKS = 60
_PATIENCE_SECONDS = 2.0
# Waking a little late, not early, keeps seconds whole.
_MARGIN_SECONDS = 0.002

_log = logging.getLogger("loadtest.recording")


def _harmless(method: Callable[..., None]) -> Callable[..., None]:
    """A method of which a failure is logged once and switches the recorder off."""

    @wraps(method)
    def guarded(self: ProcessRecorder, *arguments: Any) -> None:
        if self.off:
            return
        try:
            method(self, *arguments)
        except Exception as error:
            self.switch_off(error)

    return guarded


class ProcessRecorder:
    """Records the engines of this process; a failure switches it off and never leaves it.

    off: whether it is switched off. telemetry: the metrics. A thread cuts and writes all recordings
    once a second. It does not run during a fork, so that it holds no lock then; the child has a
    thread of its own.
    """

    def __init__(self) -> None:
        self.off = False
        self._recordings: dict[object, PoolRecording] = {}
        self.telemetry = ProcessTelemetry(lambda: list(self._recordings.values()))
        # An engine and its copies with other options have one dialect and one pool.
        self._dialects: WeakSet[Dialect] = WeakSet()
        self._too_many = False
        self._folders: dict[Path, float] = {}
        self._cuts = 0
        self._tool = _tool_watch()
        self._lock = threading.Lock()
        self._budget = SizeBudget(math.inf, time.monotonic)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @_harmless
    def add(self, engine: Any, given: Mapping[str, Any], meant: bool = False) -> None:
        """Record an engine or AsyncEngine from now on.

        given: settings that replace those of the environment, but not those of a tool that drives
        the application. meant: whether its pool is the one that the tool asks for. An engine that
        cannot be measured is logged and left alone.
        """
        settings = RecordingSettings.from_environment().changed({} if self._tool else given)
        engine = getattr(engine, "sync_engine", engine)
        if not isinstance(engine, Engine):
            _log.error("nothing is recorded: expected an Engine, got %s", type(engine).__name__)
        elif settings.on:
            ROUTE_NAMES.look()
            with self._lock:
                self._add_once(engine, settings, meant)

    def _add_once(self, engine: Engine, settings: RecordingSettings, meant: bool) -> None:
        if engine.dialect not in self._dialects:
            self._dialects.add(engine.dialect)
            try:
                check_attributes(engine.pool)
                self._add(engine, settings, meant)
            except LoadtestError as error:
                _log.error("an engine is not recorded: %s", error)
            self.resume()

    def _add(self, engine: Engine, settings: RecordingSettings, meant: bool) -> None:
        url = engine.url
        place = (url.drivername, url.host, url.port, url.database)
        key = (place, tuple(settings_of(engine.pool).items()), settings, meant)
        if key not in self._recordings:
            if len(self._recordings) >= MOST_RECORDINGS:
                self._say_too_many()
                return
            recording = PoolRecording(self._free_name(engine), engine, settings, self._budget)
            if self._tool and meant:
                recording.limit_connections(self._tool.orders.ceiling)
            recording.add(engine)
            self._budget.limit(settings.megabytes_per_hour * MEGABYTE)
            if settings.compress:
                known = self._folders.get(settings.folder, math.inf)
                self._folders[settings.folder] = min(known, settings.keep_megabytes)
            self.telemetry.begin(recording)
            self._recordings[key] = recording
        else:
            self._recordings[key].add(engine)

    def _say_too_many(self) -> None:
        if not self._too_many:
            _log.warning("recording: only %d pools at a time are recorded", MOST_RECORDINGS)
        self._too_many = True

    def name_of(self, engine: Engine) -> str:
        """The name of an engine's recording; empty if it has none."""
        recordings = list(self._recordings.values())
        return next((one.name for one in recordings if engine in one.engines), "")

    def _free_name(self, engine: Engine) -> str:
        """The name of a pool, with a number if it is taken, also in the names of files."""
        name = pool_name(engine.url, getattr(engine.pool, "logging_name", None))
        taken = {name_in_files(recording.name) for recording in self._recordings.values()}
        names = [name, *(f"{name}-{number}" for number in range(2, MOST_RECORDINGS + 1))]
        return next(one for one in names if name_in_files(one) not in taken)

    def _run(self, stop: threading.Event) -> None:
        while not stop.wait(1 - time.time() % 1 + _MARGIN_SECONDS):
            self._cut()

    @_harmless
    def _cut(self) -> None:
        if self._tool:
            self._tool.look()
        ROUTE_NAMES.look()
        for key, recording in list(self._recordings.items()):
            recording.cut()
            if recording.cuts_without_engine >= _CUTS_WITHOUT_ENGINE:
                self._end(key, recording)
        if self._cuts % _CUTS_BETWEEN_LOOKS == 0:
            self._look_after_files()
        self._cuts += 1
        self.telemetry.serve()

    def _look_after_files(self) -> None:
        """End the parts of dead processes, and delete the oldest parts above the limit."""
        for folder, megabytes in list(self._folders.items()):
            end_left_parts(folder)
            delete_oldest(folder, megabytes * MEGABYTE)

    def _end(self, key: object, recording: PoolRecording) -> None:
        """End a recording whose engines are gone, unless a new one has just come."""
        with self._lock:
            if recording.engines:
                return
            self.telemetry.end(recording)
            del self._recordings[key]
        # Without the lock, for which the application's threads may wait.
        recording.close(End(EndReason.FINISHED))

    @_harmless
    def resume(self) -> None:
        """Start the thread, unless it runs or there is nothing to record."""
        if self._recordings and not (self._thread and self._thread.is_alive()):
            self._stop = threading.Event()
            self._thread = threading.Thread(
                target=self._run, args=(self._stop,), name="loadtest-recording", daemon=True
            )
            self._thread.start()

    @_harmless
    def pause(self) -> None:
        """End the thread, but not if it hangs in a file."""
        self._stop.set()
        if self._thread:
            self._thread.join(_PATIENCE_SECONDS)
            if self._thread.is_alive():
                self._stop.clear()
            else:
                self._thread = None
        self.telemetry.pause()

    @_harmless
    def begin_in_child(self) -> None:
        """Begin again in the child of a fork."""
        self._lock, self._thread = threading.Lock(), None
        self._budget = SizeBudget(self._budget.per_hour, time.monotonic)
        for recording in self._recordings.values():
            recording.begin_in_child(self._budget)
        self.telemetry.begin_in_child()
        if self._tool and self._recordings:
            self._tool.begin_in_child()
        _at_end_of_child(self)
        self.resume()

    @_harmless
    def close(self) -> None:
        """Write the rest, and the footers."""
        self.pause()
        if self._thread is None:
            for recording in self._recordings.values():
                recording.close(End(EndReason.FINISHED))
                self.telemetry.end(recording)
            self._recordings.clear()
        self.telemetry.close()

    def close_for_celery(self, **_: Any) -> None:
        """Write the rest, and the footers, as a receiver of Celery's signals."""
        self.close()

    def switch_off(self, error: BaseException) -> None:
        """Stop recording because of an error, which is logged."""
        self.off = True
        self._stop.set()
        expected = isinstance(error, LoadtestError | OSError)
        _log.error("recording is switched off: %s", error, exc_info=None if expected else error)
        for recording in list(self._recordings.values()):
            try:
                recording.switch_off()
            except Exception:
                _log.exception("recording: an engine is measured on")
        self._recordings.clear()
        self.telemetry.close()


def pool_name(url: URL, logging_name: str | None) -> str:
    """The name of a pool: SQLAlchemy's `pool_logging_name`, else the database's."""
    database = os.path.splitext(os.path.basename(url.database or ""))[0].strip(":")
    return logging_name or database or url.get_backend_name()


def _tool_watch() -> ToolWatch | None:
    """The watch of the tool that drives this application, if one does."""
    orders = Orders.given()
    if orders is None:
        return None
    from loadtest.recording.steering.tool_watch import ToolWatch

    return ToolWatch(orders)


def _at_end_of_child(recorder: ProcessRecorder) -> None:
    """Have children of multiprocessing and Celery end their files.

    They end without Python's exit handlers.
    """
    if celery := sys.modules.get("celery.signals"):
        celery.worker_process_shutdown.connect(recorder.close_for_celery)
    if multiprocessing := sys.modules.get("multiprocessing.util"):

        def register(one: ProcessRecorder) -> None:
            multiprocessing.Finalize(one, one.close, exitpriority=0)

        multiprocessing.register_after_fork(recorder, register)


PROCESS_RECORDER = ProcessRecorder()
"""The one recorder of this process."""

atexit.register(PROCESS_RECORDER.close)
os.register_at_fork(
    before=PROCESS_RECORDER.pause,
    after_in_parent=PROCESS_RECORDER.resume,
    after_in_child=PROCESS_RECORDER.begin_in_child,
)
