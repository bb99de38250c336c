"""Whether the sizes of a pool fit the load and the server."""

from __future__ import annotations

import math
from collections.abc import Iterator

from loadtest.analysis.pool_runs import PoolRuns
from loadtest.analysis.pool_settings import most_connections, multiplied
from loadtest.analysis.statistics.censoring import describe
from loadtest.analysis.units import count, duration, plural
from loadtest.model.interval import Interval
from loadtest.model.summary import Finding

CHURN_TIMES = 3.0
UNUSED_TIMES = 1.5
IN_VAIN_SHARE = 0.5


def overflow_churn(pool: PoolRuns) -> Iterator[Finding]:
    """Connections opened again and again, since the overflow closes them when they come back."""
    peak, opened = pool.peak("open"), pool.counters["opened"]
    closed = pool.counters["closed.overflow"]
    few = not peak or opened <= CHURN_TIMES * peak * len(pool.rounds) or closed < opened / 2
    if few or pool.settings.get("poolclass") == "NullPool":
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
        limit = most_connections(pool.settings)
        yield Finding(
            code="pool_per_process",
            severity="info",
            message=f"{multiplied(pool.settings, pool.processes)}: each process has a pool of its "
            "own, as each process of an application has.",
            evidence={
                "processes": pool.processes,
                "pool_size": pool.settings.get("pool_size"),
                "max_overflow": pool.settings.get("max_overflow"),
                "limit": limit,
                "allowed": None if limit is None else limit * pool.processes,
            },
        )


def never_needed(pool: PoolRuns) -> Iterator[Finding]:
    """Connections that the settings allow and this load never opened."""
    peak = pool.peak("open")
    limit = most_connections(pool.settings)
    per_process = limit if limit is not None else int(pool.settings.get("pool_size") or 0)
    allowed = per_process * pool.processes
    if peak and pool.settings.get("poolclass") != "NullPool" and allowed > UNUSED_TIMES * peak:
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
    server = pool.header.get("server", {})
    accepted = int(server.get("variables", {}).get("max_connections") or 0)
    limit, refused = most_connections(pool.settings), pool.counters["errors.too_many_connections"]
    within = limit is not None and limit * pool.processes <= accepted
    if not accepted or (not refused and (within or server.get("private"))):
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
    parts = [i for round_ in pool.rounds for i in round_.run.measured()]
    bursts = [part for part in parts if _wait(part, usual) < _connect(part)]
    if sum(map(_overflowed, bursts)) <= IN_VAIN_SHARE * sum(map(_overflowed, parts)):
        return  # most of the overflow was needed: less of it would harm
    worst = max(bursts, key=_overflowed)
    wait, there = _wait(worst, usual), _there(worst)
    yield Finding(
        code="opened_in_vain",
        severity="warning",
        message=f"{count(sum(map(_overflowed, bursts)))} connections were opened in overflow that "
        f"nobody needed: in one second {count(_overflowed(worst))}, each in "
        f"{duration(_connect(worst))}, where the {count(there)} that were free would have served "
        f"all {count(worst.counters['checkouts'])} checkouts within {duration(wait)}. Whoever "
        "waits in the queue is served sooner here than who connects: lower max_overflow.",
        evidence={
            "opened": sum(map(_overflowed, bursts)),
            "needed": there,
            "served_in": wait,
            "connect": _connect(worst),
        },
    )


def _overflowed(part: Interval) -> int:
    return part.counters["checkouts.overflow"]


def _connect(part: Interval) -> float:
    """The mean time to connect (s), in a second in which connections were opened in overflow."""
    connect = part.histograms.get("connect")
    return (connect.mean_seconds if connect and _overflowed(part) else None) or 0.0


def _wait(part: Interval, hold: float) -> float:
    """How long (s) the last one would have waited for one of the connections that were there."""
    there = _there(part)
    return part.counters["checkouts"] * hold / there if there else math.inf


def _there(part: Interval) -> int:
    """The connections that were open all the time and at its quietest moment not in use."""
    if not {"open", "in_use"} <= part.gauges.keys():
        return 0
    return max(0, part.gauges["open"].min - part.gauges["in_use"].min)
