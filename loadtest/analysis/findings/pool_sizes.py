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

CHURN = 3.0
UNUSED = 1.5
MOST = 0.5


def overflow_churn(pool: PoolRuns) -> Iterator[Finding]:
    """Connections opened again and again, since the overflow closes them when they come back."""
    peak, opened = pool.peak("open"), pool.counters["opened"]
    closed = pool.counters["closed.overflow"]
    few = not peak or opened <= CHURN * peak * len(pool.rounds) or closed < opened / 2
    if few or pool.settings.poolclass == "NullPool":
        return
    seconds = pool.seconds
    yield Finding(
        code="overflow_churn",
        severity="warning",
        message=f"It opened {count(opened)} connections, {count(opened / seconds)} per second, but "
        f"had at most {count(peak)} at once: those above pool_size are closed when they come back. "
        "A larger pool_size, with less overflow, keeps them.",
        evidence={"opened": opened, "closed_overflow": closed, "peak": peak, "seconds": seconds},
    )


def pool_per_process(pool: PoolRuns) -> Iterator[Finding]:
    """What the pools of several processes come to, which settings for one do not say."""
    if pool.processes > 1:
        limit = pool.settings.most_connections
        yield Finding(
            code="pool_per_process",
            severity="info",
            message=f"{multiplied(pool.settings, pool.processes)}: each process has a pool of its "
            "own, as each process of an application has.",
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
    if peak and pool.settings.poolclass != "NullPool" and allowed > UNUSED * peak:
        yield Finding(
            code="never_needed",
            severity="info",
            message=f"It may keep {count(allowed)} connections and never had more than "
            f"{count(peak)}: under this load the rest is a promise that the server has to be able "
            "to keep.",
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
    suffered = f"; it refused {plural(refused, 'request')}" if refused else ""
    yield Finding(
        code="exceeds_server",
        severity="error" if refused else "info",
        message=f"The pool may open {many} connections{product}, the server accepts "
        f"{count(accepted)}{suffered}. Set pool_size + max_overflow, times the number of "
        "processes, below the server's max_connections, and leave some for others.",
        evidence={"limit": limit, "processes": pool.processes, "max_connections": accepted},
    )


def opened_in_vain(pool: PoolRuns) -> Iterator[Finding]:
    """Connections opened in overflow for a burst that those there would have served sooner.

    A burst's work is its checkouts times the usual hold (the median: in the burst itself holds are
    longer, since all run at once), shared by the connections that were open before and not in use
    all the time, by slow work or for ever. Where this is less than one connect takes, nobody would
    have waited as long as those who connected. (After HikariCP's wiki, "Welcome to the Jungle".)
    """
    usual = describe(pool.times("hold")).p50 or 0.0
    openings = [one for round_ in pool.rounds for one in _openings(round_)]
    bursts = [one for one in openings if one.wait(usual) < one.connect]
    vain = sum(one.opened for one in bursts)
    if vain <= MOST * sum(one.opened for one in openings):
        return  # most of the overflow was needed: less of it would harm
    worst = max(bursts, key=lambda one: one.opened)
    wait = worst.wait(usual)
    yield Finding(
        code="opened_in_vain",
        severity="warning",
        message=f"{count(vain)} connections were opened in overflow that "
        f"nobody needed: in one second {count(worst.opened)}, each in "
        f"{duration(worst.connect)}, where the {count(worst.free)} that were free would have "
        f"served all {count(worst.checkouts)} checkouts within {duration(wait)}. Whoever "
        "waits in the queue is served sooner here than who connects: lower max_overflow.",
        evidence={
            "opened": vain,
            "needed": worst.free,
            "served_in": wait,
            "connect": worst.connect,
        },
    )


class _Opening(NamedTuple):
    """A second in which connections were opened in overflow.

    connect: the mean time (s) that took. free: connections that were open all the time and not in
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
    rows = round_.measured
    rows = rows.where(rows.counter("checkouts.overflow") > 0)
    there, in_use = rows.gauge("open"), rows.gauge("in_use")
    free = np.where(there.known & in_use.known, np.maximum(there.min - in_use.min, 0), 0)
    connects = rows.sums("connect")
    means = connects.sum / np.maximum(connects.number, 1) / 1e9
    opened, checkouts = rows.counter("checkouts.overflow"), rows.counter("checkouts")
    columns = (column.tolist() for column in (opened, means, checkouts, free))
    return map(_Opening, *columns)
