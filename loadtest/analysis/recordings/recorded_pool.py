"""A pool of a running application, as its processes recorded it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce

from loadtest.analysis.columns import Columns
from loadtest.analysis.recordings.kept_holds import OldHolds
from loadtest.analysis.recordings.pool_seconds import PoolSeconds
from loadtest.model.interval import ENDED_CHECKOUTS, ENGINES_OF, SECOND, Gauge, Interval
from loadtest.model.pool import PoolSettings
from loadtest.runfile.recording_files import recorded_part
from loadtest.runfile.schema import Header

# A longer interval (s) covers several seconds.
LONG_INTERVAL = 1.5


@dataclass(frozen=True, eq=False)
class RecordedProcess:
    """A process, and what its pool did.

    name: host and process id. headers: of its parts, in order. columns: a row for each second.
    total: of all its intervals. ended: whether it ended its recording in good order. old_holds:
    those in progress for long at its end. coarse_seconds: the seconds in intervals of several.
    longest_interval: seconds.
    """

    name: str
    headers: Sequence[Header]
    columns: Columns
    total: Interval
    ended: bool
    old_holds: Sequence[OldHolds] = ()
    coarse_seconds: int = 0
    longest_interval: float = 1.0

    @property
    def identity(self) -> tuple[str, float]:
        """Its name and its begin: a later process may have the same name."""
        return self.name, recorded_part(self.headers[0]).began

    @property
    def settings(self) -> PoolSettings:
        """The settings of its pool, at last."""
        return self.headers[-1].pool

    @property
    def serves(self) -> bool:
        """Whether it asked for a connection; the master of a preloaded server does not."""
        return any(self.total.counters[name] for name in ENDED_CHECKOUTS)

    @property
    def connection_limit(self) -> int | None:
        """The most connections that one engine of it can open; None without a limit."""
        return self.settings.most_connections


@dataclass(frozen=True, eq=False)
class RecordedPool:
    """The pools of one name in all processes of an application, which count as one pool.

    database: its dialect and driver. blocks: what all processes did in successive blocks of
    `block_seconds`, without places; gauges of them are sums over processes.
    """

    name: str
    database: str
    processes: Sequence[RecordedProcess]
    blocks: Sequence[Interval]
    block_seconds: int

    @cached_property
    def total(self) -> Interval:
        """The processes side by side; length: the time in which any of them recorded."""
        nothing = Interval(0, length=0)
        whole = reduce(Interval.beside, (one.total for one in self.processes), nothing)
        return replace(whole, second=self.by_second.begin, length=self.by_second.recorded * SECOND)

    @cached_property
    def by_second(self) -> PoolSeconds:
        """What all processes did together in each second."""
        return seconds_of(self.processes)

    @cached_property
    def serving(self) -> PoolSeconds:
        """The same of the processes that asked for a connection; the others do not share a load."""
        return seconds_of([one for one in self.processes if one.serves])

    @property
    def seconds(self) -> int:
        """The seconds in which any process recorded."""
        return self.by_second.recorded

    @property
    def settings(self) -> Sequence[PoolSettings]:
        """The different settings of its processes, the most frequent first."""
        all_ = [one.settings for one in self.processes]
        return sorted(dict.fromkeys(all_), key=lambda settings: -all_.count(settings))

    @property
    def made_at(self) -> dict[str, int]:
        """The lines of code that made engines in this time, that with the most first."""
        counters = self.total.counters.most_common()
        return {
            name.removeprefix(ENGINES_OF): n for name, n in counters if name.startswith(ENGINES_OF)
        }

    @property
    def checkout_attempts(self) -> int:
        """The checkouts that ended, with a connection or without."""
        return sum(self.total.counters[name] for name in ENDED_CHECKOUTS)

    @property
    def used(self) -> bool:
        """Whether it had a checkout, also one in progress, or a connection in use."""
        in_use = self.total.gauges.get("in_use", Gauge())
        return bool(self.checkout_attempts or self.total.unfinished.count or in_use.integral)


def seconds_of(processes: Sequence[RecordedProcess]) -> PoolSeconds:
    """What some processes did together in each second."""
    return PoolSeconds.of([(one.columns, one.connection_limit) for one in processes])
