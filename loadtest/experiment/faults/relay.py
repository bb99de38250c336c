"""A relay process between the pool and its server that simulates a bad network.

The relay prints its port in its first line, a second line when the first connection arrives, and
reads orders, one per line: what, and a number. It ends when its standard input is closed, so it
does not outlive the tool.
"""

from __future__ import annotations

import asyncio
import os
import resource
import select
import socket
import subprocess
import sys
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable
from contextlib import suppress

from sqlalchemy import URL

from loadtest.database.redaction import port_of
from loadtest.model.errors import LoadtestError

ORDERS = ("connect-delay", "latency", "refuse", "idle-drop")
_CHUNK = 65_536
_CHUNKS_UNDER_WAY = 64

_Queue = asyncio.Queue[tuple[float, bytes]]


class Relay:
    """A running relay to the server of a URL. Raises LoadtestError if it cannot be started.

    pid: the process that connects to the server.
    """

    def __init__(self, url: URL) -> None:
        command = [
            sys.executable,
            "-m",
            __spec__.name,
            url.host or "localhost",
            str(port_of(url)),
        ]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is for the tool, which then ends the relay
        )
        assert self._process.stdin
        assert self._process.stdout
        self._orders, self._said = self._process.stdin, self._process.stdout
        self._used = False
        port = self._said.readline()
        if not port:
            raise LoadtestError("the relay for faults could not be started")
        self.url = url.set(host="127.0.0.1", port=int(port))
        self.pid = self._process.pid

    def order(self, what: str, number: float) -> None:
        """Start one of ORDERS, with its number in seconds; zero ends it.

        connect-delay: added to each new connection. latency: added in each direction. refuse: the
        port is closed. idle-drop: connections that are idle for longer are closed.
        Raises LoadtestError if the relay has ended.
        """
        try:
            self._orders.write(f"{what} {number}\n")
            self._orders.flush()
        except OSError:
            raise LoadtestError("the relay for faults has ended early") from None

    @property
    def address(self) -> tuple[str, int]:
        """The host and the port that it listens on."""
        assert self.url.host
        assert self.url.port
        return self.url.host, self.url.port

    @property
    def used(self) -> bool:
        """Whether a connection has arrived."""
        if not self._used and select.select([self._said], [], [], 0)[0]:
            self._used = bool(self._said.readline())
        return self._used

    def close(self) -> None:
        """End the relay, with all connections through it."""
        with suppress(OSError):  # an unread order, if the relay has died
            self._orders.close()
        self._process.wait()


class _Line:
    """One connection through the relay, with both ends.

    idle_since: the time of its last answer (loop time), unless a query followed.
    """

    def __init__(self, *ends: StreamWriter) -> None:
        self._ends = ends
        self.idle_since: float | None = None

    def asked(self) -> None:
        self.idle_since = None

    def answered(self) -> None:
        self.idle_since = asyncio.get_running_loop().time()

    def close(self) -> None:
        for end in self._ends:
            end.close()

    def abort(self) -> None:
        for end in self._ends:
            end.transport.abort()


class _Relaying:
    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._place = socket.socket()
        # Bound but not listening, to keep the port while connections are refused.
        self._place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._place.bind(("127.0.0.1", 0))
        self._here: int = self._place.getsockname()[1]
        self._ordered = dict.fromkeys(ORDERS, 0.0)
        self._lines: set[_Line] = set()
        self._used = False

    async def serve(self) -> None:
        await self._listen()
        try:
            print(self._here, flush=True)
        except BrokenPipeError:  # the tool has been killed meanwhile
            os._exit(0)
        loop = asyncio.get_running_loop()
        orders = asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
        dropping = loop.create_task(self._drop_idle())
        while line := await orders.readline():
            what, number = line.decode().split()
            self._ordered[what] = float(number)
            if what == "refuse":
                await self._refuse(bool(float(number)))
        dropping.cancel()
        os._exit(0)  # without waiting for open connections

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(
            self._connected, "127.0.0.1", self._here, backlog=4096, reuse_port=True
        )

    async def _refuse(self, refused: bool) -> None:
        if refused:
            self._server.close()
        elif not self._server.is_serving():
            await self._listen()

    async def _drop_idle(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            longest = self._ordered["idle-drop"]
            await asyncio.sleep(min(longest / 10, 0.1) if longest else 0.1)
            before = loop.time() - longest
            for line in list(self._lines) if longest else ():
                if line.idle_since is not None and line.idle_since < before:
                    line.close()

    async def _connected(self, reader: StreamReader, writer: StreamWriter) -> None:
        if not self._used:
            self._used = True
            print("used", flush=True)
        await asyncio.sleep(self._ordered["connect-delay"])
        try:
            answers, asks = await asyncio.open_connection(self._host, self._port)
        except OSError:
            writer.close()
            return
        line = _Line(writer, asks)
        self._lines.add(line)
        try:
            async with asyncio.TaskGroup() as ways:
                ways.create_task(self._pump(reader, asks, line.asked))
                ways.create_task(self._pump(answers, writer, line.answered))
        except* OSError:
            line.abort()  # passes the reset on
        finally:
            self._lines.discard(line)

    async def _pump(
        self, reader: StreamReader, writer: StreamWriter, seen: Callable[[], None]
    ) -> None:
        under_way = _Queue(_CHUNKS_UNDER_WAY)
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as tasks:
            arriving = tasks.create_task(_arrive(under_way, writer))
            while data := await reader.read(_CHUNK):
                seen()
                if self._ordered["latency"]:
                    await under_way.put((loop.time() + self._ordered["latency"], data))
                    continue
                await under_way.join()  # keeps the order
                writer.write(data)
                await writer.drain()
            await under_way.join()
            arriving.cancel()
        writer.close()


async def _arrive(under_way: _Queue, writer: StreamWriter) -> None:
    """Pass on delayed data, each part when it is due."""
    loop = asyncio.get_running_loop()
    while True:
        due, data = await under_way.get()
        await asyncio.sleep(due - loop.time())
        writer.write(data)
        await writer.drain()
        under_way.task_done()


if __name__ == "__main__":
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # two files per connection
    asyncio.run(_Relaying(sys.argv[1], int(sys.argv[2])).serve())
