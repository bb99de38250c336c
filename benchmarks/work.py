"""The work of the benchmarks of costs in each of their ways: one row by its key."""

import os
import signal
import threading
import time
from collections.abc import Callable
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


def process_and_writer() -> str:
    """The numbers of this process and of the thread that writes its recording."""
    (writer,) = (one for one in threading.enumerate() if one.name == "loadtest-recording")
    return f"{os.getpid()} {writer.native_id}"


class Meter:
    """Writes the progress of this process for the benchmark, at once and at each SIGUSR1.

    Each line in its file has the sessions and the CPU and wall seconds until then.
    """

    def __init__(self, sessions: Callable[[], int]) -> None:
        self._sessions = sessions
        self._output = Path(os.environ["BENCHMARK_OUTPUT"])
        signal.signal(signal.SIGUSR1, self._tell)
        self._tell()

    def _tell(self, *_: object) -> None:
        with self._output.open("a") as file:
            print(self._sessions(), time.process_time(), time.perf_counter(), file=file)


def meter_locust(events: Any) -> None:
    """Meter a Locust run from its start."""
    events.test_start.add_listener(
        lambda environment, **_: Meter(lambda: environment.stats.total.num_requests)
    )
