"""An engine of a driven application: steered before it is made, told to the tool afterwards."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

from sqlalchemy.engine import URL, Engine

from loadtest.model.place_use import OUTSIDE_APPLICATION
from loadtest.pool.engine_settings import settings_of
from loadtest.recording.application_frames import first_of_application
from loadtest.recording.code_places import CodePlaces
from loadtest.recording.process_recorder import PROCESS_RECORDER, pool_name
from loadtest.recording.steering.orders import Orders
from loadtest.recording.steering.pool_arguments import own_settings, steer
from loadtest.recording.steering.reached_server import tell_reached
from loadtest.recording.steering.told import tell

# An application may make engines without end.
MOST_TOLD = 100
_NOT_RECORDED = "it is not recorded; the application's log says why"
# Arguments of drivers that replace the URL's address.
_ADDRESSES = {
    *("host", "port", "unix_socket", "read_default_file", "read_default_group"),
    *("hostaddr", "service", "dsn", "conninfo"),
}

# The process, the URL and the place of each engine that was told.
_TOLD = set[tuple[int, str, str]]()


class DrivenEngine:
    """An engine between the hooks of a plugin, with the requested pool if it is the one meant.

    The engine that is meant has the name or the place that the orders name. kwargs: the arguments
    of `create_engine`, which are changed in place.
    """

    def __init__(self, orders: Orders, url: URL, kwargs: dict[str, Any]) -> None:
        self._orders = orders
        frame = first_of_application(sys._getframe(1), packages=True)
        self._place = CodePlaces().name(frame) if frame else OUTSIDE_APPLICATION
        name = pool_name(url, kwargs.get("pool_logging_name"))
        line = self._place.rpartition(" ")[0]  # without the function
        self._meant = orders.engine in ("", name, self._place, line)
        self._facts = {
            "name": name,
            "place": self._place,
            "own": own_settings(url, kwargs),
            "by_url": not _other_ways(url, kwargs),
        }
        self._refused = ""
        self._redirected_from: URL | None = None
        if self._meant:
            fixed = _fixed_address(url, kwargs) if orders.redirect else ""
            self._refused = fixed or steer(url, kwargs, orders)

    def redirected(self, url: URL) -> URL:
        """The URL with the host and port of the orders, if they have one."""
        if self._orders.redirect and self._meant and not self._refused:
            self._redirected_from = url
            host, port = self._orders.redirect
            return url.set(host=host, port=port)
        return url

    def _own_url(self, url: URL) -> URL:
        """The URL of the engine with the address that the application has given."""
        own = self._redirected_from
        return url.set(host=own.host, port=own.port) if own is not None else url

    def created(self, engine: Engine) -> None:
        """Record the engine and tell it, once for each place and URL."""
        PROCESS_RECORDER.add(engine, {}, self._meant)
        process = os.getpid()
        address = self._own_url(engine.url).render_as_string(hide_password=False)
        identity = process, address, self._place
        if identity in _TOLD or len(_TOLD) >= MOST_TOLD:
            return
        number = len(_TOLD)
        _TOLD.add(identity)
        recording = PROCESS_RECORDER.name_of(engine)
        facts = {
            "pid": process,
            "number": number,
            **self._facts,
            "recording": recording,
            "url": address,
            "through": self._redirected_from and [engine.url.host, engine.url.port],
            "set": settings_of(engine.pool) if recording else {},
            "async": engine.dialect.is_async,
            "refused": self._refused or ("" if recording else _NOT_RECORDED),
        }
        tell(self._orders, "engine", **facts)
        tell_reached(self._orders, engine, number)


def _other_ways(url: URL, kwargs: Mapping[str, Any]) -> list[str]:
    """The arguments by which an engine may connect to another address than the one of its URL."""
    own = [name for name in ("creator", "pool") if kwargs.get(name) is not None]
    return [*own, *sorted(_ADDRESSES & {*url.query, *(kwargs.get("connect_args") or ())})]


def _fixed_address(url: URL, kwargs: Mapping[str, Any]) -> str:
    """Why another host and port in the URL would have no effect; empty if they would."""
    if ways := _other_ways(url, kwargs):
        return f"faults need the address in its URL, but it connects by {ways[0]}=..."
    return "" if url.host else "faults need the address in its URL, which has no host"
