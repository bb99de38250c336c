"""The cost of 3,000 connections at once: the tool's engine, the bare driver, the default engine.

Each way has its own process. It opens one connection after the other from one thread, and is
measured from the first to the last connection; the ways take turns. No query is made. If the server
supports TLS, engine and driver are also measured with TLS, with one context for all connections.
The default engine takes a minute per round, so it has only one round. LOADTEST_SERVER names another
server program.
"""

import json
import os
import ssl
import statistics
import subprocess
import sys
import time

import psutil
import pymysql
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url

from loadtest.database.engine import make_engine
from loadtest.database.preflight.server_probe import probe_server
from loadtest.database.private_server import PrivateServer
from loadtest.model.pool import PoolConfig
from loadtest.pool.measure import measure
from loadtest.pool.recorder import Recorder

CONNECTIONS = 3_000
ROUNDS = 5
URL = "LOADTEST_DATABASE_URL"
TLS = "_tls"


def main() -> dict[str, object]:
    """Run it: seconds and memory of each way, and the ratios of the medians and of each round."""
    with PrivateServer(CONNECTIONS + 10) as server:
        url = server.url.render_as_string(hide_password=False)
        found: dict[str, object] = {"server": server.program.title}
        for ending in ("", TLS) if probe_server(server.url).tls else ("",):
            found |= _compared(url, ending)
        default_seconds, default_rss = _run("default", url)
    return found | {
        "speedup_over_default_engine": default_seconds / float(str(found["seconds_3000"])),
        "seconds_default_engine": default_seconds,
        "rss_mib_default_engine": default_rss,
    }


def _compared(url: str, ending: str) -> dict[str, object]:
    """The tool's engine beside the bare driver; ending: the end of the names of the figures."""
    rounds = [(_run(f"raw{ending}", url), _run(f"measured{ending}", url)) for _ in range(ROUNDS)]
    ratios = [measured[0] / raw[0] for raw, measured in rounds]
    figures = {
        "seconds_3000": statistics.median(measured[0] for _, measured in rounds),
        "ratio_to_raw_driver": statistics.median(ratios),
        "ratios": [round(ratio, 3) for ratio in ratios],
        "rss_mib": max(measured[1] for _, measured in rounds),
        "seconds_raw_driver": statistics.median(raw[0] for raw, _ in rounds),
        "rss_mib_raw_driver": max(raw[1] for raw, _ in rounds),
    }
    return {f"{name}{ending}": value for name, value in figures.items()}


def _run(way: str, url: str) -> tuple[float, float]:
    command = [sys.executable, "-m", "benchmarks.connect", way]
    environment = os.environ | {URL: url}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    seconds, mebibytes = json.loads(done.stdout)
    return seconds, mebibytes


def connect_all(way: str) -> tuple[float, float]:
    """Open all connections in this way; returns seconds, and resident memory in MiB."""
    url, tls = make_url(os.environ[URL]), way.endswith(TLS)
    if way == "default":
        connect = create_engine(url, pool_size=CONNECTIONS, max_overflow=-1).connect
    elif way.startswith("raw"):
        address = url.translate_connect_args(username="user")
        how = {"ssl": _one_context()} if tls else {"ssl_disabled": True}
        connect = lambda: pymysql.connect(**address, **how)  # noqa: E731
    else:
        pool = PoolConfig(pool_size=CONNECTIONS, max_overflow=-1)
        engine = make_engine(url, pool, tls=tls)
        measure(engine, Recorder())
        connect = engine.connect
    start = time.perf_counter()
    connections = [connect() for _ in range(CONNECTIONS)]
    seconds = time.perf_counter() - start
    mebibytes = psutil.Process().memory_info().rss / 2**20
    for connection in connections:
        connection.close()
    return seconds, mebibytes


def _one_context() -> ssl.SSLContext:
    """The TLS context that PyMySQL makes for a server whose certificate it does not check."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


if __name__ == "__main__":
    print(json.dumps(connect_all(sys.argv[1]) if sys.argv[1:] else main()))
