"""Whether users can go on while one of them waits for the database: tried, as Locust would.

In a process of its own: the command never imports Locust, which patches what blocks.
"""

from __future__ import annotations

import locust  # noqa: F401 - first: gevent patches the sockets that the driver imports

import os
import time
from itertools import pairwise

import gevent
from sqlalchemy import NullPool, create_engine

# A hundred times what a switch between greenlets takes, and soon over.
QUERY_SECONDS = 0.2
TICK_SECONDS = 0.002


def longest_pause(url: str) -> float:
    """The longest time in which no other greenlet ran, as a share of a query that sleeps."""
    moments: list[float] = []

    def tick() -> None:
        while True:
            moments.append(time.perf_counter())
            gevent.sleep(TICK_SECONDS)

    with create_engine(url, poolclass=NullPool).connect() as connection:
        ticking = gevent.spawn(tick)
        gevent.sleep(TICK_SECONDS)
        begin = time.perf_counter()
        connection.exec_driver_sql(f"SELECT SLEEP({QUERY_SECONDS})").all()
        end = time.perf_counter()
        ticking.kill()
    edges = [begin, *(moment for moment in moments if begin < moment < end), end]
    return max(after - before for before, after in pairwise(edges)) / (end - begin)


if __name__ == "__main__":
    print(longest_pause(os.environ["LOADTEST_DATABASE_URL"]))
