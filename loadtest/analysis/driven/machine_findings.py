"""Whether the machine, which load generator, application and server may share, is the limit."""

from __future__ import annotations

from collections.abc import Iterator

from loadtest.analysis.driven.application_findings import BOUND_SHARE, application_bound
from loadtest.analysis.findings import bottleneck
from loadtest.analysis.pool_runs import PoolRuns
from loadtest.analysis.units import level, listed, percent
from loadtest.model.interval import SECOND
from loadtest.model.summary import Finding

# All processors are busy from here on: the system's clock ticks are coarse.
FULL_MACHINE = 0.95
# Less than this of a processor is the system's own work.
_NOTABLE_OTHERS = 0.25


def machine_bound(pool: PoolRuns) -> Iterator[Finding]:
    """All processors were busy most of the time, and nothing that was measured is the cause alone.

    The rules about the load generator and other programs handle the case that they disturb.
    """
    rows = [round_.measured for round_ in pool.rounds if round_.driven]
    length = sum(int(one.length.sum()) for one in rows)
    full = [one.counter("machine_cpu") >= FULL_MACHINE * one.length for one in rows]
    busy = sum(int(one.length[now].sum()) for one, now in zip(rows, full, strict=True))
    if not length or busy <= BOUND_SHARE * length or _has_one_cause(pool):
        return
    used = _processors(pool)
    told = listed([f"{name} {level(number)}" for name, number in used.items()])
    yield Finding(
        code="machine_bound",
        severity="info",
        message=f"The machine is the bottleneck: all of its processors were busy in "
        f"{percent(busy / length)} of the measured time. Processors in use on average: {told}. "
        "They take processors from each other, so more connections do not make the requests "
        "faster here. Stop other programs, run the load generator or the database server on "
        "another machine, or send fewer requests.",
        evidence={"share": busy / length, "processors": used},
    )


def _has_one_cause(pool: PoolRuns) -> bool:
    causes = (application_bound, bottleneck.pool_bound, bottleneck.database_bound)
    return any(finding for rule in causes for finding in rule(pool))


def _processors(pool: PoolRuns) -> dict[str, float]:
    """The mean processors in use by each side, if known."""
    sides = {
        "load generator": [round_.measured for round_ in pool.rounds],
        "application": [round_.of_pools for round_ in pool.rounds],
    }
    used = {
        name: sum(int(one.counter("cpu").sum()) for one in rows) / SECOND / pool.seconds
        for name, rows in sides.items()
    }
    server = pool.server_rate("cpu")
    used |= {"database server": server / SECOND} if server else {}
    all_ = sum(int(one.counter("machine_cpu").sum()) for one in sides["load generator"])
    others = all_ / SECOND / pool.seconds * (pool.header.host.cpus or 0) - sum(used.values())
    return used | ({"other programs": others} if others >= _NOTABLE_OTHERS else {})
