"""What 3,000 connections at once cost: with our engine, the bare driver, and the default engine.

Each way in processes of its own, one connection after the other, from one thread, measured from
the first to the last; the ways take turns. No query is made. The default engine takes a minute a
round, and so has one round only.
"""

import json
import os
import statistics
import subprocess
import sys
import time

import psutil
import pymysql
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url

from loadtest.config import PoolConfig
from loadtest.database.engine import make_engine
from loadtest.database.private import PrivateServer
from loadtest.pool.measure import measure
from loadtest.pool.recorder import Recorder

CONNECTIONS = 3_000
ROUNDS = 5
URL = "LOADTEST_DATABASE_URL"


def main() -> dict[str, object]:
    """Run it: seconds and memory of each way, and the ratios of the medians and of each round."""
    with PrivateServer(CONNECTIONS + 10) as server:
        url = server.url.render_as_string(hide_password=False)
        rounds = [(_run("raw", url), _run("measured", url)) for _ in range(ROUNDS)]
        default_seconds, default_rss = _run("default", url)
    ratios = [measured[0] / raw[0] for raw, measured in rounds]
    seconds = statistics.median(measured[0] for _, measured in rounds)
    return {
        "seconds_3000": seconds,
        "ratio_to_raw_driver": statistics.median(ratios),
        "ratios": [round(ratio, 3) for ratio in ratios],
        "speedup_over_default_engine": default_seconds / seconds,
        "rss_mib": max(measured[1] for _, measured in rounds),
        "seconds_raw_driver": statistics.median(raw[0] for raw, _ in rounds),
        "seconds_default_engine": default_seconds,
        "rss_mib_raw_driver": max(raw[1] for raw, _ in rounds),
        "rss_mib_default_engine": default_rss,
    }


def _run(way: str, url: str) -> tuple[float, float]:
    command = [sys.executable, "-m", "benchmarks.connect", way]
    environment = os.environ | {URL: url}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    seconds, mebibytes = json.loads(done.stdout)
    return seconds, mebibytes


def connect_all(way: str) -> tuple[float, float]:
    """Open all connections in this way: seconds, and resident memory in MiB."""
    url = make_url(os.environ[URL])
    if way == "raw":
        address = url.translate_connect_args(username="user")
        connect = lambda: pymysql.connect(**address, ssl_disabled=True)  # noqa: E731
    elif way == "default":
        connect = create_engine(url, pool_size=CONNECTIONS, max_overflow=-1).connect
    else:
        pool = PoolConfig(pool_size=CONNECTIONS, max_overflow=-1)
        engine = make_engine(url, pool, tls=False)
        measure(engine, Recorder())
        connect = engine.connect
    start = time.perf_counter()
    connections = [connect() for _ in range(CONNECTIONS)]
    seconds = time.perf_counter() - start
    mebibytes = psutil.Process().memory_info().rss / 2**20
    for connection in connections:
        connection.close()
    return seconds, mebibytes


if __name__ == "__main__":
    print(json.dumps(connect_all(sys.argv[1]) if sys.argv[1:] else main()))
