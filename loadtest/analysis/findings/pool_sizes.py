"""Whether the sizes of a pool fit the load and the server."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from loadtest.analysis.pool_runs import PoolRuns
from loadtest.analysis.pool_settings import multiplied
from loadtest.analysis.round import Round
from loadtest.analysis.statistics.censoring import describe
from loadtest.analysis.units import count, duration, plural
from loadtest.model.summary import Finding

CHURN_TIMES = 3.0
UNUSED_TIMES = 1.5
IN_VAIN_SHARE = 0.5


def overflow_churn(pool: PoolRuns) -> Iterator[Finding]:
    """Connections opened again and again: overflow connections are closed when returned."""
    peak, opened = pool.peak("open"), pool.counters["opened"]
    closed = pool.counters["closed.overflow"]
    vain = _in_vain(pool)
    few = not peak or opened <= CHURN_TIMES * peak * len(pool.rounds) or closed < opened / 2
    if few or pool.settings.poolclass == "NullPool":
        return
    seconds = pool.seconds
    yield Finding(
        code="overflow_churn",
        severity="warning",
        message=f"The pool opened {count(opened)} connections, {count(opened / seconds)} per "
        f"second, but had at most {count(peak)} at once: connections above pool_size (overflow) "
        f"are closed when they are returned. {_slower(vain)}Use a larger pool_size and less "
        f"overflow{'' if vain else _same_limit(pool)}.",
        evidence={"opened": opened, "closed_overflow": closed, "peak": peak, "seconds": seconds},
    )


def _same_limit(pool: PoolRuns) -> str:
    """The settings that allow as many connections without overflow, if all of them were used."""
    limit = pool.settings.most_connections
    if limit is None or (pool.peak("open") or 0) < limit * pool.processes:
        return ""
    return f": pool_size={limit}, max_overflow=0 allows as many connections, and keeps them open"


def pool_per_process(pool: PoolRuns) -> Iterator[Finding]:
    """The connections that the pools of all processes allow together."""
    if pool.processes > 1:
        limit = pool.settings.most_connections
        yield Finding(
            code="pool_per_process",
            severity="info",
            message=f"{multiplied(pool.settings, pool.processes)}: each process has its own "
            "pool, as in an application with several processes.",
            evidence={
                "processes": pool.processes,
                "pool_size": pool.settings.pool_size,
                "max_overflow": pool.settings.max_overflow,
                "limit": limit,
                "allowed": None if limit is None else limit * pool.processes,
            },
        )


def never_needed(pool: PoolRuns) -> Iterator[Finding]:
    """Connections that the settings allow and this load never opened."""
    peak = pool.peak("open")
    limit = pool.settings.most_connections
    per_process = limit if limit is not None else pool.settings.pool_size or 0
    allowed = per_process * pool.processes
    if pool.counters["checkout_errors"]:
        return  # they may have needed more
    if peak and pool.settings.poolclass != "NullPool" and allowed > UNUSED_TIMES * peak:
        yield Finding(
            code="never_needed",
            severity="info",
            message=f"The settings allow {count(allowed)} connections, but this load never needed "
            f"more than {count(peak)}. The server must keep capacity free for the unused rest.",
            evidence={"allowed": allowed, "peak": peak},
        )


def exceeds_server(pool: PoolRuns) -> Iterator[Finding]:
    """The pools of all processes may ask for more connections than the server accepts."""
    server = pool.header.server
    accepted = server.max_connections
    limit, refused = pool.settings.most_connections, pool.counters["errors.too_many_connections"]
    within = limit is not None and limit * pool.processes <= accepted
    if not accepted or (not refused and (within or server.private)):
        return  # a private server accepts what the run may need
    allowed = None if limit is None else limit * pool.processes
    many = "any number of" if allowed is None else count(allowed)
    product = f" ({multiplied(pool.settings, pool.processes)})" if pool.processes > 1 else ""
    suffered = f" and refused {plural(refused, 'request')}" if refused else ""
    yield Finding(
        code="exceeds_server",
        severity="error" if refused else "info",
        message=f"The pool may open {many} connections{product}, but the server "
        f"accepts only {count(accepted)}{suffered}. Keep pool_size + max_overflow, times the "
        "number of processes, below max_connections, and leave some connections for others.",
        evidence={"limit": limit, "processes": pool.processes, "max_connections": accepted},
    )


def opened_in_vain(pool: PoolRuns) -> Iterator[Finding]:
    """Overflow connections opened for a burst that the open ones would have served sooner.

    The finding about churn, if there is one, says so, too.
    """
    vain = _in_vain(pool)
    if vain and not any(overflow_churn(pool)):
        yield Finding(
            code="opened_in_vain",
            severity="warning",
            message=f"{_slower(vain)}Lower max_overflow.",
            evidence={
                "opened": vain.opened,
                "needed": vain.free,
                "served_in": vain.wait,
                "connect": vain.connect,
            },
        )


class _InVain(NamedTuple):
    """Connections opened in vain: their number, and the worst burst (times in s)."""

    opened: int
    free: int
    wait: float
    connect: float


def _slower(vain: _InVain | None) -> str:
    """A sentence about connections that were opened in vain; empty without any."""
    if vain is None:
        return ""
    return (
        f"Opening an overflow connection ({duration(vain.connect)}) took longer than waiting for a "
        f"free one ({duration(vain.wait)}) would have, for {count(vain.opened)} of them. "
    )


def _in_vain(pool: PoolRuns) -> _InVain | None:
    """The connections that were opened in vain, if they are most of the overflow.

    The time to serve a burst is its checkouts times the usual hold (the median: holds in a burst
    are longer, since all run at once), divided by the open connections that were not in use all
    the time. If it is shorter than a connect, no user would have waited as long as a
    connect. (After HikariCP's wiki, "Welcome to the Jungle".)
    """
    usual = describe(pool.times("hold")).p50 or 0.0
    openings = [one for round_ in pool.rounds for one in _openings(round_)]
    bursts = [one for one in openings if one.wait(usual) < one.connect]
    vain = sum(one.opened for one in bursts)
    if vain <= IN_VAIN_SHARE * sum(one.opened for one in openings):
        return None  # most of the overflow was needed
    worst = max(bursts, key=lambda one: one.opened)
    return _InVain(vain, worst.free, worst.wait(usual), worst.connect)


class _Opening(NamedTuple):
    """A second in which connections were opened in overflow.

    connect: the mean time (s) to open one. free: connections that were open all the time and not in
    use at its quietest moment.
    """

    opened: int
    connect: float
    checkouts: int
    free: int

    def wait(self, hold: float) -> float:
        """How long (s) the last one would have waited for one of the free connections."""
        return self.checkouts * hold / self.free if self.free else math.inf


def _openings(round_: Round) -> Iterator[_Opening]:
    rows = round_.of_pools
    rows = rows.where(rows.counter("checkouts.overflow") > 0)
    there, in_use = rows.gauge("open"), rows.gauge("in_use")
    free = np.where(there.known & in_use.known, np.maximum(there.min - in_use.min, 0), 0)
    connects = rows.sums("connect")
    means = connects.sum / np.maximum(connects.number, 1) / 1e9
    opened, checkouts = rows.counter("checkouts.overflow"), rows.counter("checkouts")
    columns = (column.tolist() for column in (opened, means, checkouts, free))
    return map(_Opening, *columns)
