"""The work that the overhead benchmark does in each of its ways: one row by its key."""

import os
import time
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session, scoped_session, sessionmaker

POOL_SIZE = 16
TABLE = "loadtest_bench_item"
SELECT = text(f"SELECT value FROM {TABLE} WHERE id = 1")


def prepare(url: Any) -> None:
    """Make the table with its one row."""
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text(f"CREATE TABLE {TABLE} (id INT PRIMARY KEY, value INT)"))
        connection.execute(text(f"INSERT INTO {TABLE} VALUES (1, 1)"))
    engine.dispose()


def plain_parent() -> "scoped_session[Session]":
    """A parent session as an application makes it, on the database of the environment."""
    url = os.environ["LOADTEST_DATABASE_URL"]
    arguments = {"pool_size": POOL_SIZE, "max_overflow": 0, "connect_args": {"ssl_disabled": True}}
    return scoped_session(sessionmaker(bind=create_engine(url, **arguments)))


class Meter:
    """Sessions done and CPU time used between two moments, written for the benchmark to read."""

    def begin(self, sessions: int) -> None:
        """Start the clock, when so many sessions are done."""
        self._sessions, self._cpu, self._wall = sessions, time.process_time(), time.perf_counter()

    def end(self, sessions: int) -> None:
        """Stop the clock and write the sessions, the CPU seconds and the seconds."""
        done = sessions - self._sessions
        cpu, wall = time.process_time() - self._cpu, time.perf_counter() - self._wall
        Path(os.environ["BENCHMARK_OUTPUT"]).write_text(f"{done} {cpu} {wall}")


def meter_locust(events: Any) -> None:
    """Meter a Locust run from its second second on until it is stopped."""
    import gevent

    meter = Meter()

    @events.test_start.add_listener
    def start(environment: Any, **_: Any) -> None:
        stats = environment.stats.total
        gevent.spawn_later(1, lambda: meter.begin(stats.num_requests))

    @events.test_stopping.add_listener
    def stopping(environment: Any, **_: Any) -> None:
        meter.end(environment.stats.total.num_requests)
