"""The CPU time of a request with a recording, compared with a request without one.

In a round a fresh process serves both: it has two engines, and one of them is recorded. Short
blocks of requests to each take turns in random order, so that drift and other work of the machine
affect both alike. The CPU time of a block is the process's own, as the kernel counts it, without
the thread that writes. A round's difference is the mean of its pairs without the tenth at each end,
plus the CPU time of the writing thread per recorded request. The interval is a t interval of the
logarithms of the ratios over the rounds.
"""

import asyncio
import gzip
import json
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import stats
from sqlalchemy import URL

from benchmarks import work
from loadtest.database.private_server import PrivateServer, free_port
from loadtest.database.supervisor import die_with_parent
from loadtest.recording.part_files import end_left_parts

CLIENTS, REQUESTS = 8, 5  # of a client in a block
WARM_UP = 200  # requests of a client
START_SECONDS = 60
# After this time the last second is written.
WRITTEN_SECONDS = 1.5
LEFT_OUT = 0.1
PLAIN, RECORDED, PROCESS = "/", "/recorded", "/process"
UVICORN = (
    *("uvicorn", "--lifespan", "off", "--log-level", "warning", "--no-access-log"),
    *("--timeout-keep-alive", "75", "--port", "{port}"),
)
GUNICORN = (
    *("gunicorn", "--threads", str(CLIENTS), "--keep-alive", "75", "--log-level", "warning"),
    *("--bind", "127.0.0.1:{port}"),
)
AIOMYSQL = {"drivername": "mysql+aiomysql", "query": {}}
PYMYSQL = {"drivername": "mysql+pymysql", "query": {"ssl_disabled": "true"}}


class Kind(NamedTuple):
    """A kind of application: its server's command, its module, and parts of its engines' URL."""

    server: tuple[str, ...]
    module: str
    url: dict[str, Any]


KINDS = {
    "fastapi": Kind(UVICORN, "benchmarks._point_select_fastapi:app", AIOMYSQL),
    "flask": Kind(GUNICORN, "benchmarks._point_select_flask:app", PYMYSQL),
    "asgi": Kind(UVICORN, "benchmarks._point_select_asgi:app", AIOMYSQL),
    "wsgi": Kind(GUNICORN, "benchmarks._point_select_wsgi:app", PYMYSQL),
}


class Length(NamedTuple):
    """The number of rounds, each with a new process, and the seconds of each."""

    rounds: int
    seconds: float


class Cost(NamedTuple):
    """What a round found, in CPU seconds per request.

    hot: what a request takes more because its checkout is recorded. writer: the thread that writes.
    """

    plain: float
    hot: float
    writer: float
    pairs: int
    requests_per_second: float

    @property
    def ratio(self) -> float:
        """A request with a recording, compared with one without."""
        return (self.plain + self.hot + self.writer) / self.plain


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


class Application:
    """A server process with its clients' connections; writer: the thread that writes."""

    def __init__(self, process: int, writer: int, clients: list[Client]) -> None:
        self._process, self._clients = process, clients
        self._writer = Path(f"/proc/{process}/task/{writer}/schedstat")

    async def get(self, path: str, times: int) -> None:
        """Get a path with every client at once, some times."""
        await asyncio.gather(*(client.get(path, times) for client in self._clients))

    async def block(self, path: str) -> float:
        """The CPU seconds of one request without the writer, from a block of requests."""
        before = _cpu_seconds(self._process) - self.writer_seconds()
        await self.get(path, REQUESTS)
        after = _cpu_seconds(self._process) - self.writer_seconds()
        return (after - before) / (CLIENTS * REQUESTS)

    def writer_seconds(self) -> float:
        """The CPU time of the thread that writes."""
        return int(self._writer.read_text().split()[0]) / 1e9


def cost_of_recording(kind: Kind, length: Length, folder: Path) -> dict[str, object]:
    """Run it: the ratio of the CPU times, and what it consists of (microseconds)."""
    with PrivateServer() as database:
        work.prepare(database.url)
        url = database.url.set(**kind.url)
        costs = [_round(kind, url, n, length.seconds, folder) for n in range(length.rounds)]
    logs = np.log([cost.ratio for cost in costs])
    interval = stats.t.interval(0.95, len(logs) - 1, np.mean(logs), stats.sem(logs))
    medians = {name: float(np.median([getattr(c, name) for c in costs])) for name in Cost._fields}
    return {
        "ratio": float(np.exp(np.mean(logs))),
        "ci95": [float(np.exp(edge)) for edge in interval],
        "of_rounds": [round(cost.ratio, 4) for cost in costs],
        **{f"{name}_us": medians[name] * 1e6 for name in ("plain", "hot", "writer")},
        **{name: medians[name] for name in ("pairs", "requests_per_second")},
    }


def _round(kind: Kind, url: URL, number: int, seconds: float, parent: Path) -> Cost:
    folder = parent / str(number)
    with _running(kind, url, number, folder) as port:
        cost = asyncio.run(_cost(port, seconds, random.Random(number)))
    expected = CLIENTS * (WARM_UP + cost.pairs * REQUESTS)
    if (recorded := _recorded_checkouts(folder)) != expected:
        raise RuntimeError(f"{recorded} checkouts instead of {expected} were recorded")
    return cost


async def _cost(port: int, seconds: float, chance: random.Random) -> Cost:
    application = await _connected(port)
    for path in (PLAIN, RECORDED):
        await application.get(path, WARM_UP)
    pairs: list[dict[str, float]] = []
    wrote, began = application.writer_seconds(), time.monotonic()
    while time.monotonic() < began + seconds:
        order = chance.sample((PLAIN, RECORDED), 2)
        pairs.append({path: await application.block(path) for path in order})
    recorded = len(pairs) * CLIENTS * REQUESTS
    rate = 2 * recorded / (time.monotonic() - began)
    await asyncio.sleep(WRITTEN_SECONDS)
    writer = (application.writer_seconds() - wrote) / recorded
    hot = stats.trim_mean([pair[RECORDED] - pair[PLAIN] for pair in pairs], LEFT_OUT)
    plain = stats.trim_mean([pair[PLAIN] for pair in pairs], LEFT_OUT)
    return Cost(float(plain), float(hot), writer, len(pairs), rate)


async def _connected(port: int) -> Application:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            clients = [
                Client(*await asyncio.open_connection("127.0.0.1", port)) for _ in range(CLIENTS)
            ]
            process, writer = map(int, (await clients[0].get(PROCESS)).split())
            return Application(process, writer, clients)
        except OSError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.1)


def _cpu_seconds(process: int) -> float:
    """The CPU time of another process: its clock has this number in Linux."""
    return time.clock_gettime((~process << 3) | 2)


@contextmanager
def _running(kind: Kind, url: URL, seed: int, folder: Path) -> Iterator[int]:
    """An application under way, with its recording in a folder; its port."""
    port = free_port()
    command = [sys.executable, "-m", *(word.format(port=port) for word in kind.server)]
    command.append(kind.module)
    # Chance decides in part how fast a process is: each round has other hashes.
    given = {
        "DATABASE_URL": url.render_as_string(hide_password=False),
        "LOADTEST_RECORDING_FOLDER": str(folder),
        "PYTHONPATH": os.getcwd(),
        "PYTHONHASHSEED": str(seed),
    }
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


def _recorded_checkouts(folder: Path) -> int:
    end_left_parts(folder, quiet=0)  # uvicorn ends by the signal itself
    footers = [
        json.loads(gzip.decompress(path.read_bytes()).splitlines()[-1])
        for path in folder.rglob("*.jsonl.gz")
    ]
    return sum(footer["totals"]["counters"].get("checkouts", 0) for footer in footers)
