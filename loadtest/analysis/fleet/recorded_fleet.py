"""A fleet as a recording shows it: its processes, their pools, and the most connections."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from loadtest.analysis.fleet.capacity import Placement
from loadtest.analysis.recordings.clock_time import date_and_time
from loadtest.analysis.recordings.pool_seconds import ENGINES
from loadtest.analysis.recordings.recorded_pool import (
    RecordedPool,
    RecordedProcess,
    seconds_of,
)
from loadtest.analysis.units import count, plural
from loadtest.model.interval import Gauge
from loadtest.model.pool import PoolSettings
from loadtest.model.summary import Finding

# A pool of which less was ever in use, as a share of its limit, is larger than needed.
MUCH_LARGER = 0.5


@dataclass(frozen=True)
class RecordedUse:
    """The most connections of a pool: in use in one process, and open in all, with the UTC second.

    placement: the most processes on a host, and hosts, that had it at once with these settings.
    engines: the most engines with these settings in one process at once, each with its own pool.
    """

    name: str
    settings: PoolSettings
    placement: Placement
    in_use: int
    open: int
    second: int
    engines: int


@dataclass(frozen=True)
class RecordedFleet:
    """The most processes on a host, and hosts, at once; the use of each pool of a process.

    dialect: of the database of all its pools; empty if they have several.
    """

    processes: int
    hosts: int
    uses: Sequence[RecordedUse]
    dialect: str = ""

    @property
    def pools(self) -> list[dict[str, Any]]:
        """The settings of the pools of a process, the one with the most checkouts first."""
        told = [asdict(use.settings) for use in self.uses]
        return [{name: one[name] for name in one if name != "name"} for one in told]

    @property
    def placements(self) -> tuple[Placement, ...]:
        """Where the processes with each pool run; empty if all have all pools."""
        everywhere = Placement(processes=self.processes, replicas=self.hosts)
        placed = tuple(use.placement for use in self.uses)
        return () if set(placed) == {everywhere} else placed


def recorded_fleet(pools: Sequence[RecordedPool]) -> RecordedFleet:
    """The fleet of a recording by its pools: the processes that asked for a connection."""
    serving = [one for pool in pools for one in pool.processes if one.serves]
    everywhere = _placement(serving)
    dialects = {pool.database.partition("+")[0] for pool in pools}
    return RecordedFleet(
        processes=everywhere.processes,
        hosts=everywhere.replicas,
        uses=[use for pool in pools for use in _uses(pool)],
        dialect=dialects.pop() if len(dialects) == 1 else "",
    )


def _placement(processes: Sequence[RecordedProcess]) -> Placement:
    counted = list(_processes_by_host(processes))
    return Placement(
        processes=max((max(hosts.values()) for hosts in counted), default=1),
        replicas=max((len(hosts) for hosts in counted), default=1),
    )


def _processes_by_host(processes: Sequence[RecordedProcess]) -> Iterator[Counter[str]]:
    """How many processes each host had, whenever one begins; an ending one no longer counts."""
    spans: dict[tuple[str, float], tuple[int, int]] = {}
    for process in processes:
        seconds = process.columns.second
        first, last = spans.get(process.identity, (int(seconds.min()), int(seconds.max())))
        spans[process.identity] = (min(first, int(seconds.min())), max(last, int(seconds.max())))
    for begin, _ in spans.values():
        yield Counter(
            name.rpartition("-")[0]
            for (name, _), (first, last) in spans.items()
            if first == begin or first < begin < last
        )


def _uses(pool: RecordedPool) -> Iterator[RecordedUse]:
    """The use of a pool under each of its settings."""
    several = len({_sizes(one.settings) for one in pool.processes if one.serves}) > 1
    for settings in pool.settings:
        own = [one for one in pool.processes if one.serves and one.settings == settings]
        if own:
            name = f"{pool.name} ({_sizes(settings)})" if several else pool.name
            yield _use(name, settings, own)


def _sizes(settings: PoolSettings) -> str:
    return f"{settings.poolclass} {settings.pool_size}+{settings.max_overflow}"


def _use(name: str, settings: PoolSettings, processes: Sequence[RecordedProcess]) -> RecordedUse:
    seconds = seconds_of(processes)
    together = seconds.most("open")
    totals = [process.total.gauges for process in processes]
    return RecordedUse(
        name=name,
        settings=settings,
        placement=_placement(processes),
        in_use=max(gauges.get("in_use", Gauge()).max for gauges in totals),
        open=int(together.max(initial=0)),
        second=seconds.begin + int(together.argmax()),
        engines=max(gauges.get(ENGINES, Gauge()).max for gauges in totals),
    )


def recorded_findings(fleet: RecordedFleet) -> Iterator[Finding]:
    """What the recording shows about the fleet's connections."""
    for use in fleet.uses:
        yield _peak(use)
        most = use.settings.most_connections
        if most and use.in_use < MUCH_LARGER * most:
            yield Finding(
                code="larger_than_used",
                severity="info",
                message=f"No process used more than {count(use.in_use)} of the {count(most)} "
                f"connections that the pool {use.name} allows. loadtest whatif predicts a smaller "
                "pool from the same measurement.",
                evidence={"in_use": use.in_use, "most_connections": most},
            )
        if use.engines > 1:
            yield Finding(
                code="several_engines",
                severity="warning",
                message=f"A process had {count(use.engines)} engines with the settings of "
                f"{use.name} at once. Each has its own pool, so a process can open as many times "
                "the connections counted here.",
                evidence={"engines": use.engines},
            )


def _peak(use: RecordedUse) -> Finding:
    placed = use.placement
    return Finding(
        code="recorded_peak",
        severity="info",
        message="The application had at most "
        f"{plural(placed.processes, 'process', 'processes')} on each of "
        f"{plural(placed.replicas, 'host')} at once. Of {use.name}, at most "
        f"{plural(use.in_use, 'connection')} were in use in a process, and "
        f"{count(use.open)} were open in all processes together ({date_and_time(use.second)} UTC).",
        evidence={
            "processes": placed.processes,
            "hosts": placed.replicas,
            "in_use": use.in_use,
            "open": use.open,
            "second": use.second,
        },
    )
