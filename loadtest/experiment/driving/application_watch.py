"""Watches an application during a run: its engines, its connections and its processes."""

from __future__ import annotations

import os
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from loadtest.analysis.driven.server_concurrency import thread_facts
from loadtest.database.redaction import without_passwords
from loadtest.database.server_guard import Guard
from loadtest.experiment.driving.control_folder import ControlFolder
from loadtest.experiment.driving.process_count import (
    ProcessesUnderLoad,
    is_running,
    serving_processes,
)
from loadtest.experiment.driving.read_back import check_pool, check_told, not_through_relay
from loadtest.experiment.driving.running_application import RunningApplication
from loadtest.experiment.driving.servers.driven_server import DrivenServer
from loadtest.experiment.driving.told_engines import ToldEngines
from loadtest.model.announced_connections import BEYOND_ANNOUNCED_KIND, beyond_announced
from loadtest.model.driven_application import DrivenApplication
from loadtest.model.errors import MoreThanAnnounced, RefusedRun, ServerInTrouble
from loadtest.model.interval import SECOND, SERVER, Interval
from loadtest.model.pool import PoolConfig
from loadtest.recording.launcher import why_nothing
from loadtest.runfile.followed_recording import (
    FollowedPart,
    FollowedRecording,
    RecordedLine,
    idle_parents,
    process_id,
    uses_connections,
)
from loadtest.runfile.merged_recording import leave_known

# A process that is being replaced and its successor share a second; both are shorter than this.
_WHOLE = 0.9 * SECOND
# A process writes each second within a moment, unless its interpreter is busy.
LATEST_SECONDS = 2.0
_POLL_SECONDS = 0.05


class _SeenStatus:
    """How often the server's status was seen in the run's file, for a guard."""

    def __init__(self) -> None:
        self.answers, self.problem = 0, ""


class ApplicationWatch:
    """Checks again and again that an application does what was asked and announced.

    pool: the requested one. folder: of its recording. engines: those that its processes told.
    running: the application, as soon as it is ready.
    """

    def __init__(
        self,
        application: DrivenApplication,
        pool: PoolConfig,
        server: DrivenServer,
        control: ControlFolder,
        folder: Path,
    ) -> None:
        self._application, self._pool, self._server = application, pool, server
        self._control = control
        self.engines = ToldEngines(application.engine)
        self._folder, self._recording = folder, FollowedRecording(folder)
        self._checked = set[str]()
        self._processes: dict[int, set[str]] = defaultdict(set)
        self._ends: dict[str, float] = {}
        self._used: dict[int, float] = {}
        self._under_load = ProcessesUnderLoad(application.most_processes)
        self._ended: Sequence[str] = ()
        self._status, self._loaded = _SeenStatus(), False
        self._guard = Guard(self._status, server.lacks) if server.guarded else None
        self.running: RunningApplication | None = None

    def check(self) -> None:
        """Raise an error if the application has ended, or if the run cannot go on with it.

        RefusedRun: it has another engine, pool or server than was asked for. MoreThanAnnounced,
        ServerInTrouble: it would harm other clients of its server.
        """
        if self.running:
            self.running.check_alive()
        if self._hear():
            self.leave_known()
        for part, line in self._recording.new():
            self._check_part(part)
            if line.record and line.record["type"] == "interval":
                self._check_relayed(part, line.record)
                self._check_interval(line)

    def take(self, interval: Interval) -> None:
        """Take an interval of the run's file; raises ServerInTrouble if the guard ends the run."""
        self._loaded = True
        if interval.process == SERVER:
            self._status.answers += 1
        elif interval.period == "measured":
            self._under_load.count(interval.second, self.engines.processes)
        self._ask_guard(interval)

    def _ask_guard(self, interval: Interval) -> None:
        if self._guard and (trouble := self._guard.take(interval)):
            raise ServerInTrouble(trouble)

    def conclude(self) -> None:
        """Take the end of the load; raises RefusedRun if what ran is not what was asked for.

        The application made no engine, or not the chosen one, or ran in another number of
        processes.
        """
        self.check()
        self._ended = sorted(one for one in self._ends if not is_running(process_id(one)))
        if not self.engines.meant:
            raise RefusedRun(self._no_engine())
        self._under_load.check()

    def _no_engine(self) -> str:
        """The sentence about the missing engine."""
        if others := self.engines.others:
            return (
                f"--app-engine: the application has no engine {self._application.engine}; it makes "
                f"{' and '.join(map(str, others))}"
            )
        return f"the application made no SQLAlchemy engine: {why_nothing(self._control.notes)}"

    def wait_for_last_second(self) -> None:
        """Wait until the processes that still run have recorded what they did until now.

        At most LATEST_SECONDS.
        """
        now, deadline = time.time(), time.monotonic() + LATEST_SECONDS
        while self._unrecorded(now) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
            self.check()

    def _unrecorded(self, until: float) -> bool:
        """Whether a process that runs has not recorded the time until then."""
        late = (name for name, end in self._ends.items() if end < until)
        return any(is_running(process_id(name)) for name in late)

    @property
    def names(self) -> set[str]:
        """The names in the recording of the engines that are meant."""
        return {engine.recording for engine in self.engines.meant}

    @property
    def serving(self) -> set[int]:
        """The processes with engines that run, without parents that use none since they forked."""
        known = self.engines.processes
        return serving_processes(known) | set(filter(is_running, known - self.idle_parents))

    @property
    def idle_parents(self) -> set[int]:
        """The processes that have used no connection since they forked, like a server's master."""
        return idle_parents(self.engines.forked, self._used)

    @property
    def facts(self) -> Mapping[str, Any]:
        """What the result of a run tells about the application."""
        driven = self._application
        texts = {"command": driven.command, "ready": driven.ready}
        told: dict[str, Any] = {name: without_passwords(text) for name, text in texts.items()}
        told |= thread_facts(driven.words(), {**os.environ, **driven.variables})
        if driven.processes:
            told["processes"] = list(driven.processes)
        for engine in self.engines.meant[:1]:
            told |= {"place": engine.place, "own_pool": dict(engine.own)}
        if self._ended:
            told["ended"] = list(self._ended)
        return told

    def leave_known(self) -> None:
        """Leave what is known beside the recording, in case this tool is killed."""
        leave_known(self._folder, self.facts, self.names, self.engines.forked)

    def _hear(self) -> bool:
        """Take the messages of the processes; returns whether there were any."""
        messages = list(self._control.messages())
        new, meant = self.engines.hear(messages), self.engines.meant
        relay = self._server.relay
        for engine in new:
            check_told(engine, self._pool, self._server.url, relay.address if relay else None)
        for engine in self.engines.news:
            reached = self.engines.reached(engine)
            self._server.check_engine(engine, reached, engine in meant)
        return bool(messages)

    def _check_part(self, part: FollowedPart) -> None:
        """Check the settings in the header of a part of the recording, once."""
        if part.header is None or part.path.name in self._checked:
            return
        self._checked.add(part.path.name)
        found = part.header.pool
        for engine in self.engines.meant:
            if engine.recording == found.name:
                check_pool(asdict(found), self._pool, engine.line)
                return

    def _check_relayed(self, part: FollowedPart, record: Mapping[str, Any]) -> None:
        """Raise RefusedRun if the engine has opened connections that the relay does not have."""
        relay, opened = self._server.relay, record["counters"].get("opened")
        if relay is None or not opened or relay.used:
            return
        for engine in self.engines.meant:
            if part.header and part.header.pool.name == engine.recording:
                raise RefusedRun(not_through_relay(engine))

    def _check_interval(self, line: RecordedLine) -> None:
        record = line.record or {}
        interval = Interval(record["second"], record["process"], length=record["length"])
        interval.counters = Counter(record["counters"])
        self._ends[interval.process] = interval.second + interval.length / SECOND
        if interval.counters[BEYOND_ANNOUNCED_KIND]:
            most, processes = self._server.ceilings[self._pool.name], self._server.processes or 1
            raise MoreThanAnnounced(beyond_announced(interval, most, processes))
        if self._loaded:  # before the load, nothing reads the server's status
            self._ask_guard(interval)
        if uses_connections(record):
            self._used[process_id(interval.process)] = interval.second
            self._count(interval)

    def _count(self, interval: Interval) -> None:
        """Raise MoreThanAnnounced if more processes than announced use connections at once."""
        most, second = self._server.processes, interval.second
        if most is None or interval.length < _WHOLE:
            return
        self._processes[second].add(interval.process)
        if (found := len(self._processes[second])) > most:
            raise MoreThanAnnounced(
                f"{found} processes of the application use connections, but {most} were announced. "
                "If a process serves requests beside its children, let the URL of --ready use the "
                "database, so that it is counted"
            )
