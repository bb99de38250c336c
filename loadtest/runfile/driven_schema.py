"""The part of a run file's header that only runs have which drive an application."""

from __future__ import annotations

from msgspec import Struct

from loadtest.runfile.place_schema import Count

# The counters of a process itself: those of the load generator and the application stay apart.
PROCESS_COUNTERS = ("cpu", "clock_step")


class DrivenPart(Struct, frozen=True):
    """The application that a run drove; unknown fields are empty.

    engine: the recorded pool's name. database: its dialect and driver. processes: the number that
    recorded the pool during the load.
    """

    name: str = ""
    command: str = ""
    ready: str = ""
    engine: str = ""
    database: str = ""
    processes: Count = 0
    versions: dict[str, str] = {}
