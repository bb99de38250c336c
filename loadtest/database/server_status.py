"""Samples the server's status during the load, on a connection outside the pool."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import psutil
from sqlalchemy import URL, Connection, Engine, NullPool, create_engine
from sqlalchemy.exc import SQLAlchemyError

from loadtest.database.engine import make_engine
from loadtest.database.failure_kinds import words_of
from loadtest.database.probing import show_global
from loadtest.database.table_claims import claim_tables
from loadtest.model.errors import UsageError
from loadtest.model.interval import SERVER, Gauge, Interval, Period
from loadtest.model.pool import PoolConfig

logger = logging.getLogger("loadtest")

# The server's names and ours. The server counts row lock time in milliseconds.
STATUS_COUNTERS = {
    "Questions": "questions",
    "Aborted_connects": "aborted_connects",
    "Connection_errors_max_connections": "refused_connects",
    "Innodb_row_lock_waits": "row_lock_waits",
    "Innodb_row_lock_time": "row_lock_time",
}
STATUS_GAUGES = {
    "Threads_connected": "threads_connected",
    "Threads_running": "threads_running",
    "Max_used_connections": "max_used_connections",
}
SERVER_PROCESSES = ("mariadbd", "mysqld")
_NAMES = STATUS_COUNTERS | STATUS_GAUGES


class ServerStatus:
    """Samples a server's status as intervals of the process `server`, over all its connections.

    Counters are differences between samples. `cpu` (ns) exists if the server runs on this machine
    and its process is visible. Values that the server does not report are left out.
    connecting: arguments to connect with instead of the URL. tls: as for `make_engine`.
    tables: the tables that the connection claims. answers: how often the server answered.
    problem: why the last sample failed; empty if it succeeded.
    """

    def __init__(
        self,
        url: URL,
        connecting: Mapping[str, Any] | None = None,
        *,
        tls: bool | None = None,
        tables: Sequence[str] = (),
    ) -> None:
        # Without a database, to distinguish it from the connections under test.
        self._engine = _engine(url.set(database=""), connecting, tls)
        self._connection: Connection | None = None
        self._url, self._process = url, _local_process(url)
        self._tables = tables
        self.answers, self.problem = 0, ""
        self._before: Mapping[str, int] | None = None
        self._at = time.perf_counter_ns()
        # Read once, as for users, so that both stay aligned if the wall clock is set.
        self._epoch = time.time_ns() - self._at

    def open(self) -> None:
        """Connect now, because a full server would refuse this connection later.

        Raises UsageError if another run is using one of the tables.
        """
        try:
            self._connection = self._connection or self._connected()
        except SQLAlchemyError as error:
            self._lost(error)

    def _connected(self) -> Connection:
        connection = self._engine.connect()
        try:
            claim_tables(connection, self._url.database, self._tables)
        except BaseException:
            connection.close()
            raise
        return connection

    def sample(self, period: Period) -> Interval | None:
        """The interval since the last sample; None for the first one or if the server is away."""
        try:
            values = self._read()
        except SQLAlchemyError as error:
            self._lost(error)
            self.close()
            return None
        except UsageError as error:  # another run claimed the tables while the server was away
            logger.warning("%s", error)
            self._tables = ()
            return None
        self.answers, self.problem = self.answers + 1, ""
        # Read after the answer, because a slow server's values are from that moment.
        now = time.perf_counter_ns()
        before, self._before = self._before, values
        length, self._at = now - self._at, now
        if before is None:
            return None
        second = (self._epoch + now - length) // 1_000_000_000
        interval = Interval(second, SERVER, period, length)
        interval.counters = _differences(before, values)
        for name in values.keys() & STATUS_GAUGES.values():
            level = values[name]
            interval.gauges[name] = Gauge(level * length, level, level, level)
        return interval

    def _lost(self, error: SQLAlchemyError) -> None:
        logger.debug("no server status: %s", error)
        self.problem = words_of(error)

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.invalidate()
            self._connection.close()
        self._connection = self._before = None

    def _read(self) -> dict[str, int]:
        if self._connection is None:
            self._connection = self._connected()
        values = _told(self._connection)
        if "row_lock_time" in values:
            values["row_lock_time"] *= 1_000_000
        return values | self._cpu()

    def _cpu(self) -> dict[str, int]:
        if self._process is None:
            return {}
        try:
            times = self._process.cpu_times()
        except psutil.Error:
            self._process = _started_again(self._url.port or 3306)
            return {}
        return {"cpu": int((times.user + times.system) * 1e9)}


def missing_counters(connection: Connection) -> tuple[str, ...]:
    """The STATUS_COUNTERS, by our names, that a server does not have."""
    told = _told(connection)
    return tuple(name for name in STATUS_COUNTERS.values() if name not in told)


def _told(connection: Connection) -> dict[str, int]:
    told = show_global(connection, "STATUS", _NAMES)
    return {_NAMES[name]: int(value) for name, value in told.items() if value.isdecimal()}


def _engine(url: URL, connecting: Mapping[str, Any] | None, tls: bool | None) -> Engine:
    if connecting:
        return create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT", **connecting)
    each_time = PoolConfig(poolclass="NullPool", isolation_level="AUTOCOMMIT")
    return make_engine(url, each_time, tls=tls)


def _differences(before: Mapping[str, int], after: Mapping[str, int]) -> Counter[str]:
    # After a restart the server counts from zero.
    counted = [*STATUS_COUNTERS.values(), "cpu"]
    return Counter({n: max(0, after[n] - before[n]) for n in counted if n in after and n in before})


def _local_process(url: URL) -> psutil.Process | None:
    """The server's process, if it runs on this machine and is visible."""
    if url.host not in ("127.0.0.1", "localhost", "::1"):
        return None
    try:
        for connection in psutil.net_connections("tcp"):
            port = connection.laddr[1] if connection.laddr else None
            if connection.status == psutil.CONN_LISTEN and port == (url.port or 3306):
                return _server(connection.pid)
    except psutil.Error as error:
        logger.debug("cannot find the server's process: %s", error)
    return None


def _server(pid: int | None) -> psutil.Process | None:
    """The process if it is a server; None for a proxy."""
    process = psutil.Process(pid) if pid else None
    return process if process and process.name() in SERVER_PROCESSES else None


def _started_again(port: int) -> psutil.Process | None:
    """A server process with this port in its command line.

    Looking for the listening process is more precise but too slow during a run.
    """
    for process in psutil.process_iter():
        try:
            if process.name() in SERVER_PROCESSES and f"--port={port}" in process.cmdline():
                return process
        except psutil.Error as error:
            logger.debug("cannot look at a process: %s", error)
    return None
