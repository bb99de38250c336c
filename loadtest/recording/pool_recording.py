"""The recording of one pool of this process, or of several pools with the same settings."""

from __future__ import annotations

import os
import platform
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from itertools import chain
from typing import Any
from weakref import WeakSet

import sqlalchemy
from sqlalchemy import Engine, QueuePool

from loadtest import __version__
from loadtest.model.announced_connections import BEYOND_ANNOUNCED_KIND
from loadtest.model.end_reason import End
from loadtest.model.interval import ENGINES_OF, SECOND, Interval
from loadtest.model.pool_limits import PoolSizes
from loadtest.model.pool_totals import PoolTotals
from loadtest.model.steps import go_on
from loadtest.pool.checkout_batch import clock
from loadtest.pool.engine_settings import settings_of
from loadtest.pool.measure import measure, stop_measuring
from loadtest.pool.open_connections import OpenConnections
from loadtest.pool.place_recorder import PlaceRecorder
from loadtest.pool.recorder import Recorder
from loadtest.pool.sqlalchemy_internals import idle_records
from loadtest.pool.task_usage import taken
from loadtest.recording.checkout_user import of_this_thread, task_or_greenlet
from loadtest.recording.code_places import CodePlaces
from loadtest.recording.recording_settings import RecordingSettings
from loadtest.recording.rolling_file import RollingFile
from loadtest.recording.route_names import ROUTE_NAMES
from loadtest.recording.size_budget import SizeBudget
from loadtest.recording.steering.loop_lag import LoopLag
from loadtest.recording.steering.orders import Orders
from loadtest.runfile.shared_interpreter import let_others_run

# Over the size limit, an interval covers this many seconds, or a multiple.
COARSE_SECONDS = 10
_NOT_IN_A_NAME = re.compile(r"[^\w.+-]+")


class _Discarded(list[Any]):
    """A list that stays empty."""

    def append(self, item: Any) -> None:
        """Take nothing."""


class PoolRecording:
    """Records the pools of engines that have the same database and settings, into one file.

    name: the pool's. engines: the engines that are alive. cuts_without_engine: the cuts in
    succession at which none was. totals, latest: what metrics show, as of the last cut. shown:
    returns the part of a header by which other processes show it. observe: called with each
    interval.
    Except for `add`, the methods belong to one thread at a time. They raise LoadtestError or
    OSError if the file cannot be written.
    """

    def __init__(
        self, name: str, engine: Engine, settings: RecordingSettings, budget: SizeBudget
    ) -> None:
        self.name = name
        self.engines: WeakSet[Engine] = WeakSet()
        self.cuts_without_engine = 0
        self.shown: Callable[[], dict[str, Any]] = dict
        self.observe: Callable[[str, Interval], None] = lambda name, interval: None
        self.settings, self._budget = settings, budget
        pool = settings_of(engine.pool)
        self.sizes = PoolSizes(pool["poolclass"], pool["pool_size"], pool["max_overflow"])
        self._facts = {
            "pool": {"name": name, **pool},
            "name": settings.name,
            "versions": _versions(engine),
            "host": {"cpus": os.cpu_count(), "platform": platform.platform()},
        }
        self._database = f"{engine.dialect.name}+{engine.dialect.driver}"
        self._recorder = Recorder()
        self._recorder.opened = OpenConnections(self._recorder.closes)
        self._recorder.own_users = False
        self._recorder.levels["engines"] = lambda: len(self.engines)
        self._recorder.current_user = task_or_greenlet
        self._code, self._made_at = CodePlaces(), list[str]()
        self._loop_lag = self._watched_loops(engine) if Orders.given() else None
        route = self._loop_lag.noting(ROUTE_NAMES.now) if self._loop_lag else ROUTE_NAMES.now
        self._places = self._recorder.places = PlaceRecorder(self._recorder.held, self._code, route)
        self._begin(used=True)

    def _watched_loops(self, engine: Engine) -> LoopLag:
        loops = LoopLag(blocks=not engine.dialect.is_async)
        self._recorder.rising["blocking_checkouts"] = lambda: loops.checkouts
        return loops

    def _begin(self, *, used: bool) -> None:
        """Begin a file; used: whether it is made before a connection is used."""
        self._used = used
        self._gathered: Interval | None = None
        self._cuts = 0
        self.latest: Interval | None = None
        self.go_on_from(PoolTotals())
        self._recorder.let_others_run = let_others_run
        self._recorder.process = process = f"{socket.gethostname()}-{os.getpid()}"
        stem = f"{self.name}-{process}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}"
        folder, compress = self.settings.folder, self.settings.compress
        self._file = RollingFile(
            folder, name_in_files(stem), self._header, self._budget, compress=compress
        )

    def go_on_from(self, totals: PoolTotals) -> None:
        """Begin with the totals of an earlier recording of this process."""
        self.totals = self._written = totals

    def limit_connections(self, most: int | None) -> None:
        """Let checkouts fail that need more open connections in this process; None: no limit."""
        self._recorder.ceiling = None if most is None else lambda: most
        self._recorder.rising[BEYOND_ANNOUNCED_KIND] = lambda: self._recorder.beyond

    def add(self, engine: Engine) -> None:
        """Record one more engine, which was made where this is called.

        Raises LoadtestError if this version of SQLAlchemy cannot be measured.
        """
        measure(engine, self._recorder)
        self.engines.add(engine)
        self._made_at.append(self._code.place_here())
        # Deadlocks are found among users that live as long as the recorder.
        self._places.limit, self._recorder.deadlocks.limit = self._recorder.deadlocks.limit, None
        if len(self.engines) > 1:
            self._recorder.pool_size = self._places.limit = None  # each pool has its own

    def cut(self) -> None:
        """End a second, and write what has gathered if the size limit allows it."""
        self.cuts_without_engine = 0 if self.engines else self.cuts_without_engine + 1
        self._gather()
        if self._used:
            self._file.begin()
        due = self._cuts == 1 or self._cuts % COARSE_SECONDS == 0
        if self._gathered and due and self._budget.allows():
            self._write()
        if abs(self._recorder.wall_ahead) >= SECOND:
            # Within a part the seconds rise.
            self._write()
            self._file.end_part()
            self._recorder.follow_wall_clock()

    def close(self, end: End) -> None:
        """Write the rest and end the file."""
        self._gather()
        self._write()
        self._file.close(end)

    def switch_off(self) -> None:
        """Stop measuring; the file stays as it is."""
        for engine in list(self.engines):
            stop_measuring(engine)
        recorder = self._recorder
        recorder.openings = recorder.closes = recorder.contexts = _Discarded()
        self._file.abandon()

    def begin_in_child(self, budget: SizeBudget) -> None:
        """Begin again after a fork, with a file of its own as soon as a connection is used.

        The parent's holds belong to the parent, and its other threads do not exist here.
        """
        self._file.abandon()
        self._budget = budget
        recorder = self._recorder
        recorder.connections = threading.RLock()  # another thread may have held the old one
        for users in (recorder.pending, recorder.phases):
            for user in [user for user in users if not of_this_thread(user)]:
                del users[user]
        recorder.connecting = {user for user in recorder.connecting if of_this_thread(user)}
        recorder.aside.clear()
        recorder.held.clear()
        self._places.restart()
        self._made_at.clear()
        if self._loop_lag:
            self._loop_lag.restart()
        recorder.no_task.held = 0
        recorder.opened.clear()
        pools = [engine.pool for engine in self.engines if isinstance(engine.pool, QueuePool)]
        for record in chain.from_iterable(map(idle_records, pools)):
            recorder.opened[record] = clock()
        recorder.let_others_run = go_on  # gevent is not ready for it yet
        recorder.restart()
        self._begin(used=False)

    def _gather(self) -> None:
        interval = self._recorder.cut("measured")
        if self._loop_lag:
            self._loop_lag.add_to(interval)
        if self.sizes.pool_size and self._recorder.pool_size is None:
            del interval.gauges["overflow"]  # of several pools it is unknown
        self._used = self._used or bool(interval.histograms or interval.unfinished.count)
        if self._used:
            made_at = Counter(taken(self._made_at))
            interval.counters.update({ENGINES_OF + line: n for line, n in made_at.items()})
        if self._gathered:
            self._gathered.absorb(interval, let_others_run)
            self._cuts += 1
        elif self._used:
            self._gathered, self._cuts = interval, 1
        if self._gathered:
            self.totals, self.latest = self.totals.plus(interval), interval
            self.observe(self.name, interval)
        let_others_run()

    def _write(self) -> None:
        if self._gathered:
            self._file.add(self._gathered, max(1, round(self._gathered.length / SECOND)))
            self._gathered, self._written = None, self.totals

    def _header(self, part: int) -> dict[str, Any]:
        began = _process_began(os.getpid())
        process = {"process": self._recorder.process, "began": began}
        told = {**process, "part": part, "database": self._database}
        if shown := self.shown():
            told |= {**shown, "before": self._written.to_json()}
        return {**self._facts, "started": time.time(), "recording": told}


@cache
def _process_began(process_id: int) -> float:
    """When this process began to record (UTC s); a fork has another id."""
    return time.time()


def name_in_files(name: str) -> str:
    """The form of a pool's name in the names of files; two pools may have the same."""
    return _NOT_IN_A_NAME.sub("-", name)


def _versions(engine: Engine) -> dict[str, str]:
    own = {"loadtest": __version__, "python": platform.python_version()}
    own["sqlalchemy"] = sqlalchemy.__version__
    driver = engine.dialect.driver
    try:
        return {**own, driver: version(driver)}
    except PackageNotFoundError:  # some drivers have another name than their package
        found = getattr(engine.dialect.dbapi, "__version__", None)
        return {**own, driver: str(found)} if found else own
