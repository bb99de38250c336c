"""A relay between a run and its database; a shut one refuses and breaks connections."""

from __future__ import annotations

import gevent
from gevent import socket
from gevent.server import StreamServer
from sqlalchemy import URL

CHUNK = 65_536


class Door:
    """A port that leads to a database as long as it is open. url: the database through it."""

    def __init__(self, url: URL) -> None:
        self._behind = (url.host, url.port)
        self._sockets: set[socket.socket] = set()
        self._server = StreamServer(("127.0.0.1", 0), self._pass)
        self._server.start()
        self.url = url.set(host="127.0.0.1", port=self._server.server_port)

    def shut(self) -> None:
        """Stop answering."""
        self._server.stop()
        for one in list(self._sockets):
            one.close()

    def open(self) -> None:
        """The database answers again, at the same address."""
        self._server = StreamServer(("127.0.0.1", self.url.port), self._pass)
        self._server.start()

    def _pass(self, caller: socket.socket, _: object) -> None:
        with socket.create_connection(self._behind) as database:
            self._sockets |= {caller, database}
            ways = [gevent.spawn(_pump, caller, database), gevent.spawn(_pump, database, caller)]
            gevent.joinall(ways, count=1)
            gevent.killall(ways)
            self._sockets -= {caller, database}


def _pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(CHUNK):
            sink.sendall(data)
    except OSError:
        return  # one of them is gone, and so is the other soon
