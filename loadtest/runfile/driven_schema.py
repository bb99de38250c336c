"""The part of a run file's header that only runs have which drive an application."""

from __future__ import annotations

from msgspec import Struct

# The counters of a process itself: those of the load generator and the application stay apart.
PROCESS_COUNTERS = ("cpu", "clock_step")


class DrivenPart(Struct, frozen=True):
    """The application that a run drove; unknown fields are empty.

    engine: the recorded pool's name. database: its dialect and driver.
    """

    name: str = ""
    command: str = ""
    ready: str = ""
    engine: str = ""
    database: str = ""
    versions: dict[str, str] = {}
