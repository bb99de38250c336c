"""The engines of an application, as its processes tell them, and the one that is meant."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import URL, make_url

from loadtest.model.errors import RefusedRun
from loadtest.model.pool import PoolSettings
from loadtest.model.server_identity import ReachedServer

# The classes without sizes.
_NO_QUEUE = ("NullPool", "StaticPool", "AssertionPool", "SingletonThreadPool")
_ServerPlace = tuple[str, str | None, int | None, str | None]


@dataclass(frozen=True)
class ToldEngine:
    """An engine of one process.

    recording: the name of its pool there. place: the place in the code that made it, like
    `shop/db.py:9 <module>`. url: the application's, with the password. through: the host and port
    to which it connects instead, if any. own: the settings that the application names. pool: all
    settings of its pool. by_url: whether it connects to the address of its URL, not by a function
    or an argument. number: the engine's in its process. refused: the sentence that says why it has
    not the requested pool; empty if it has.
    """

    process: int
    name: str
    recording: str
    place: str
    url: URL
    through: tuple[str, int] | None
    own: Mapping[str, Any]
    pool: Mapping[str, Any]
    by_url: bool
    number: int
    refused: str

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> ToldEngine:
        """The engine in a message; raises RefusedRun if nothing more is known than a refusal."""
        if not told["url"]:
            raise RefusedRun(f"an engine of the application: {told['refused']}")
        return cls(
            told["pid"],
            told["name"],
            told["recording"],
            told["place"],
            make_url(told["url"]),
            told["through"] and tuple(told["through"]),
            told["own"],
            told["set"],
            told["by_url"],
            told["number"],
            told["refused"],
        )

    @property
    def line(self) -> str:
        """The file and the line of its place, like `shop/db.py:9`."""
        return self.place.rpartition(" ")[0] or self.place

    @property
    def server(self) -> _ServerPlace:
        """Its database, whatever the driver, the user and the options."""
        url = self.url
        return url.get_backend_name(), url.host, url.port, url.database

    @property
    def own_settings(self) -> dict[str, Any]:
        """The settings of its pool in the application, with SQLAlchemy's defaults."""
        default = asdict(PoolSettings())
        del default["name"]
        if self.own["poolclass"] in _NO_QUEUE:
            default |= {"pool_size": None, "max_overflow": None}
        return {**default, **self.own}

    @property
    def identity(self) -> tuple[_ServerPlace, str]:
        """What engines of the same place in the code and the same database have in common."""
        return self.server, self.place

    def is_called(self, chosen: str) -> bool:
        """Whether a text is its name or its place."""
        return chosen in (self.name, self.place, self.line)

    def __str__(self) -> str:
        return f"{self.name} ({self.line})"


class ToldEngines:
    """All engines so far; chosen: the name or the place of the one that is meant, or empty.

    processes: those that have an engine or were forked from one that has. news: the engines of the
    last messages, also those that have only connected since. forked: when the first fork of a
    process was told (UTC s).
    """

    def __init__(self, chosen: str = "") -> None:
        self._chosen = chosen
        self._engines: list[ToldEngine] = []
        self.processes = set[int]()
        self.news: Sequence[ToldEngine] = ()
        self.forked: dict[int, float] = {}
        self._reached: dict[tuple[int, int], set[ReachedServer]] = defaultdict(set)

    def hear(self, messages: Iterable[Mapping[str, Any]]) -> list[ToldEngine]:
        """Take messages; returns the engines in them that are meant."""
        found, connected = list[ToldEngine](), set[tuple[int, int]]()
        for told in messages:
            if told["kind"] == "engine":
                found.append(ToldEngine.of(told))
                self.processes.add(told["pid"])
            elif told["kind"] == "reached":
                connected.add(key := (told["maker"], told["number"]))
                self._reached[key].add(ReachedServer(told["database"], told["identity"]))
            elif told["parent"] in self.processes:
                self.processes.add(told["pid"])
                self.forked.setdefault(told["parent"], time.time())
        old = [one for one in self._engines if (one.process, one.number) in connected]
        self.news = [*old, *found]
        self._engines += found
        return [one for one in found if self._is_meant(one)]

    def reached(self, engine: ToldEngine) -> set[ReachedServer]:
        """The servers that connections of this engine reached, in all processes."""
        same = (one for one in self._engines if one.identity == engine.identity)
        found = (self._reached.get((one.process, one.number), ()) for one in same)
        return {one for servers in found for one in servers if one.identity}

    def _is_meant(self, engine: ToldEngine) -> bool:
        return not self._chosen or engine.is_called(self._chosen)

    @property
    def meant(self) -> Sequence[ToldEngine]:
        """The engines that are meant: one in each process, of the same place and database.

        Raises RefusedRun if several different ones are meant.
        """
        meant = [one for one in self._engines if self._is_meant(one)]
        if len({one.identity for one in meant}) > 1:
            raise RefusedRun(_which(meant))
        return meant

    @property
    def others(self) -> Sequence[ToldEngine]:
        """The engines that are not meant, one for each place in the code and database."""
        return _different(one for one in self._engines if not self._is_meant(one))


def _different(engines: Iterable[ToldEngine]) -> list[ToldEngine]:
    """One engine of each place and database."""
    return list({one.identity: one for one in reversed(list(engines))}.values())[::-1]


def _which(meant: Iterable[ToldEngine]) -> str:
    """The sentence that asks for one of several engines."""
    engines = _different(meant)
    names = Counter(one.name for one in engines)
    first = engines[0].name if names[engines[0].name] == 1 else engines[0].line
    return (
        f"the application makes {len(engines)} engines, {' and '.join(map(str, engines))}: add "
        f"--app-engine {first}, or another one of them"
    )
