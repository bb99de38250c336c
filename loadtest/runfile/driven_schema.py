"""The part of a run file's header that only runs have which drive an application."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

# The counters of a process itself: those of the load generator and the application stay apart.
PROCESS_COUNTERS = ("cpu", "clock_step")


class DrivenPart(Struct, frozen=True):
    """The application that a run drove; unknown fields are empty.

    engine: the recorded pool's name. place: the code that makes the engine. database: its dialect
    and driver. threads: those of one process that serve requests, and the option that sets them.
    own_pool: the settings of its pool in the application. processes: the number of processes that
    was asked for, if any; in the plan of a search, all of them. ended: the processes that had ended
    when the load did.
    """

    name: str = ""
    command: str = ""
    ready: str = ""
    engine: str = ""
    place: str = ""
    database: str = ""
    threads: int | None = None
    threads_from: str = ""
    versions: dict[str, str] = {}
    own_pool: dict[str, Any] = {}
    processes: tuple[int, ...] = ()
    ended: tuple[str, ...] = ()
