"""The part of a run file's header that only runs have which drive an application."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from loadtest.model.driven_application import PLACEHOLDER

# The counters of a process itself: those of the load generator and the application stay apart.
PROCESS_COUNTERS = ("cpu", "clock_step")


class DrivenPart(Struct, frozen=True):
    """The application that a run drove; unknown fields are empty.

    engine: the recorded pool's name. place: the code that makes the engine. database: its dialect
    and driver. threads: those of one process that serve requests, and the option that sets them.
    own_pool: the settings of its pool in the application. processes: the number of processes that
    was asked for, if any, alone. ended: the processes that had ended when the load did.
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


class DrivenPlan(Struct, frozen=True):
    """An application in experiment.json, as it was asked for.

    `DrivenApplication` describes the fields; values of `env` are hidden, except for placeholders.
    """

    name: str = ""
    command: str = ""
    ready: str = ""
    env: dict[str, str] = {}
    cwd: str | None = None
    prepare: str = ""
    engine: str = ""
    stop_timeout: float | None = None
    processes: tuple[int, ...] = ()

    @property
    def needs_database(self) -> bool:
        """Whether a variable contains the URL of the database."""
        return any(map(PLACEHOLDER.search, self.env.values()))
