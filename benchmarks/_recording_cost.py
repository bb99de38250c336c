"""The CPU time of a request with a recording, compared with the same application without one.

In a round both applications run in fresh processes. They get blocks of requests in turns, so that
drift of the machine affects both alike. The CPU time is the process's own, as the kernel counts it:
with the thread that writes, after the second of the block was written. The interval is a t interval
of the logarithms of the ratios over the rounds; the ratio of a round is the median of its pairs.
"""

import asyncio
import gzip
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import stats
from sqlalchemy import URL

from benchmarks import work
from loadtest.database.private_server import PrivateServer, free_port
from loadtest.database.supervisor import die_with_parent

CLIENTS, REQUESTS = 8, 75  # of a client in a block
# After the begin of a second: the second before is written then.
WRITTEN_SECONDS = 0.15
START_SECONDS = 60
PLAIN, RECORDED = "plain", "recorded"
SERVERS = {
    "uvicorn": (
        *("uvicorn", "--lifespan", "off", "--log-level", "warning", "--no-access-log"),
        *("--timeout-keep-alive", "75"),
        *("--port", "{port}", "benchmarks._point_select_asgi:app"),
    ),
    "gunicorn": (
        *("gunicorn", "--threads", str(CLIENTS), "--keep-alive", "75", "--log-level", "warning"),
        *("--bind", "127.0.0.1:{port}", "benchmarks._point_select_wsgi:app"),
    ),
}
URLS = {
    "uvicorn": {"drivername": "mysql+aiomysql", "query": {}},
    "gunicorn": {"drivername": "mysql+pymysql", "query": {"ssl_disabled": "true"}},
}


class Length(NamedTuple):
    """The number of rounds, each with new processes, and of the pairs of blocks in each."""

    rounds: int
    pairs: int


class Application:
    """A server process with its clients' connections; process: its number."""

    def __init__(self, process: int, clients: "list[Client]") -> None:
        self.process, self._clients = process, clients

    async def block(self) -> float:
        """The CPU seconds of one request, from a block of requests."""
        await _until_second_is_written()
        before = _cpu_seconds(self.process)
        await asyncio.gather(*(client.get("/", REQUESTS) for client in self._clients))
        await _until_second_is_written()
        return (_cpu_seconds(self.process) - before) / (CLIENTS * REQUESTS)


class Client:
    """A connection that is kept alive."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def get(self, path: str, times: int = 1) -> bytes:
        """The body of the last of some equal requests, one after another."""
        body = b""
        for _ in range(times):
            self._writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            head = await self._reader.readuntil(b"\r\n\r\n")
            (length,) = re.findall(rb"(?i)\ncontent-length: (\d+)", head)
            body = await self._reader.readexactly(int(length))
            if b" 200 " not in head.splitlines()[0]:
                raise RuntimeError(f"{head!r} {body!r}")
        return body


def cost_of_recording(server: str, length: Length, folder: Path) -> dict[str, object]:
    """Run it: the ratio of the CPU times, and the bytes that were written."""
    with PrivateServer() as database:
        work.prepare(database.url)
        url = database.url.set(**URLS[server])
        rounds = [_round(server, url, n, length.pairs, folder / str(n)) for n in range(length[0])]
    # The median leaves out pairs that other work of the machine disturbed.
    logs = [np.median([np.log(one[RECORDED] / one[PLAIN]) for one in pairs]) for pairs in rounds]
    interval = stats.t.interval(0.95, len(logs) - 1, np.mean(logs), stats.sem(logs))
    return {
        "ratio": float(np.exp(np.mean(logs))),
        "ci95": [float(np.exp(edge)) for edge in interval],
        "of_rounds": [round(float(np.exp(log)), 4) for log in logs],
        "plain_seconds": float(np.median([one[PLAIN] for pairs in rounds for one in pairs])),
        "pairs": length.pairs,
    }


def _round(server: str, url: URL, number: int, pairs: int, folder: Path) -> list[dict[str, float]]:
    ways = {PLAIN: None, RECORDED: folder}
    with ExitStack() as stack:
        ports = {
            name: stack.enter_context(_running(server, url, number, ways[name])) for name in ways
        }
        found = asyncio.run(_turns(ports, pairs))
    expected = pairs * CLIENTS * REQUESTS
    if (recorded := _recorded_checkouts(folder)) < expected:
        raise RuntimeError(f"{recorded} of {expected} checkouts were recorded")
    return found


async def _turns(ports: dict[str, int], pairs: int) -> list[dict[str, float]]:
    applications = {name: await _connected(port) for name, port in ports.items()}
    names = list(applications)
    for name in names:
        await applications[name].block()  # to warm up
    return [
        {name: await applications[name].block() for name in names[:: 1 if pair % 2 else -1]}
        for pair in range(pairs)
    ]


async def _connected(port: int) -> Application:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            clients = [
                Client(*await asyncio.open_connection("127.0.0.1", port)) for _ in range(CLIENTS)
            ]
            process = int(await clients[0].get("/process"))
            return Application(process, clients)
        except OSError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.1)


@contextmanager
def _running(server: str, url: URL, seed: int, recorded: Path | None) -> Iterator[int]:
    """An application under way, recorded into a folder if one is given; its port."""
    port = free_port()
    command = [sys.executable, "-m", *(word.format(port=port) for word in SERVERS[server])]
    if recorded:
        launcher = [sys.executable, "-m", "loadtest", "record", "--results", str(recorded), "--"]
        command = [*launcher, *command]
    address = url.render_as_string(hide_password=False)
    # Chance decides in part how fast a process is compared with another: both get the same hashes.
    given = {"DATABASE_URL": address, "PYTHONPATH": os.getcwd(), "PYTHONHASHSEED": str(seed)}
    process = subprocess.Popen(
        command,
        env=os.environ | given,
        stderr=subprocess.DEVNULL,
        preexec_fn=die_with_parent,  # noqa: PLW1509
    )
    try:
        yield port
    finally:
        process.terminate()
        process.wait()


async def _until_second_is_written() -> None:
    await asyncio.sleep((WRITTEN_SECONDS - time.time()) % 1)


def _cpu_seconds(process: int) -> float:
    """The CPU time of another process: its clock has this number in Linux."""
    return time.clock_gettime((~process << 3) | 2)


def _recorded_checkouts(folder: Path) -> int:
    footers = [
        json.loads(gzip.decompress(path.read_bytes()).splitlines()[-1])
        for path in folder.rglob("*.jsonl.gz")
    ]
    return sum(footer["totals"]["counters"].get("checkouts", 0) for footer in footers)
