"""What the tool knows about the database of a driven application before its runs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from sqlalchemy import URL

from loadtest.experiment.driving.told_engines import ToldEngine
from loadtest.experiment.faults.relay import Relay
from loadtest.model.server_identity import ReachedServer

CheckEngine = Callable[[ToldEngine, Collection[ReachedServer], bool], None]


def _nothing(engine: ToldEngine, reached: Collection[ReachedServer], meant: bool) -> None:
    """Check nothing."""


@dataclass(frozen=True)
class DrivenServer:
    """The database of an application, and the limits that were announced for it.

    url: of the database that the application's variables name; None if they name none. private:
    whether the tool started it. ceilings: the most connections of a process by the pool's name;
    empty on a server without other clients. processes: the most processes with connections at once;
    None there. guarded: whether the run ends if the server refuses other clients. lacks: the
    counters that the server does not have. check_engine: called with an engine that is made or that
    connects, the servers that it reached, and whether it is meant; raises RefusedRun if it may not
    go there. seconds: how long the application took to start and to stop. largest_pools: the
    largest pool of a search that the server has room for, by the number of processes that is asked
    for (0: none is); otherwise empty. relay: to which the engine connects instead of the server, so
    that faults act between them; None without such faults.
    """

    url: URL | None = None
    private: bool = False
    ceilings: Mapping[str, int] = field(default_factory=dict)
    processes: int | None = None
    guarded: bool = False
    lacks: tuple[str, ...] = ()
    check_engine: CheckEngine = _nothing
    seconds: float = 0.0
    largest_pools: Mapping[int, int] = field(default_factory=dict)
    relay: Relay | None = None


NO_SERVER = DrivenServer()
"""Nothing is known: the application uses a database of its own."""
