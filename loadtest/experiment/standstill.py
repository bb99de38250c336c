"""Whether users can go on while one of them waits for the database: tried, as Locust would.

In a process of its own: the command never imports Locust, which patches what blocks. Arguments are
the names of a session and an engine of an application, both empty where there is none.
"""

from __future__ import annotations

import locust  # noqa: F401 - first: gevent patches the sockets that the driver imports

import os
import sys
import time
from argparse import Namespace
from itertools import pairwise

import gevent
from sqlalchemy import Engine, NullPool, create_engine

from loadtest.database.keeper import die_with_parent
from loadtest.errors import UsageError
from loadtest.load.application import load_application

# A hundred times what a switch between greenlets takes, and soon over.
QUERY_SECONDS = 0.2
TICK_SECONDS = 0.002


def longest_pause(engine: Engine) -> float:
    """The longest time in which no other greenlet ran, as a share of a query that sleeps."""
    moments: list[float] = []

    def tick() -> None:
        while True:
            moments.append(time.perf_counter())
            gevent.sleep(TICK_SECONDS)

    with engine.connect() as connection:
        ticking = gevent.spawn(tick)
        gevent.sleep(TICK_SECONDS)
        begin = time.perf_counter()
        connection.exec_driver_sql(f"SELECT SLEEP({QUERY_SECONDS})").all()
        end = time.perf_counter()
        ticking.kill()
    edges = [begin, *(moment for moment in moments if begin < moment < end), end]
    return max(after - before for before, after in pairwise(edges)) / (end - begin)


def _engine(session: str, engine: str) -> Engine:
    options = Namespace(session=session, engine=engine, database_url="")
    application = load_application(Namespace(parsed_options=options, parsed_locustfiles=[]))
    if application:
        return create_engine(application.url, poolclass=NullPool, **application.connecting)
    return create_engine(os.environ["LOADTEST_DATABASE_URL"], poolclass=NullPool)


if __name__ == "__main__":
    die_with_parent()  # a server may not answer at all
    answer, sys.stdout = sys.stdout, sys.stderr  # whatever an application prints is no answer
    try:
        print(longest_pause(_engine(*sys.argv[1:])), file=answer)
    except UsageError as error:
        print(error, file=answer)
        sys.exit(error.exit_code)
