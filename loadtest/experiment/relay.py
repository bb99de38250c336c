"""A relay between the pool and its server, in a process of its own, that can be slow to connect.

It says its port in its first line, takes the delay of new connections (seconds) from each line that
it reads, and ends when nobody can write to it any more: when the tool is gone, so is the relay.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

from sqlalchemy import URL

from loadtest.errors import LoadtestError

DEFAULT_PORT = 3306
_CHUNK = 65_536


class Relay:
    """A running relay to the server of a URL. Raises LoadtestError if it cannot be started."""

    def __init__(self, url: URL) -> None:
        command = [
            sys.executable,
            "-m",
            __spec__.name,
            str(url.host),
            str(url.port or DEFAULT_PORT),
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
        self._orders = self._process.stdin
        port = self._process.stdout.readline()
        if not port:
            raise LoadtestError("the relay for faults could not be started")
        self.url = url.set(host="127.0.0.1", port=int(port))

    def delay(self, seconds: float) -> None:
        """From now on a new connection takes so much longer."""
        self._orders.write(f"{seconds}\n")
        self._orders.flush()

    def close(self) -> None:
        """End it, with all connections through it."""
        self._orders.close()
        self._process.wait()


class _Relaying:
    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._delay = 0.0

    async def serve(self) -> None:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0, backlog=4096)
        print(server.sockets[0].getsockname()[1], flush=True)
        loop = asyncio.get_running_loop()
        orders = asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
        while line := await orders.readline():
            self._delay = float(line)
        os._exit(0)  # not after all connections have been closed in good order

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(self._delay)
        try:
            server = await asyncio.open_connection(self._host, self._port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_pump(reader, server[1]), _pump(server[0], writer))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
    except OSError:
        writer.transport.abort()  # as it came: reset, not closed in good order
    else:
        writer.close()


if __name__ == "__main__":
    asyncio.run(_Relaying(sys.argv[1], int(sys.argv[2])).serve())
