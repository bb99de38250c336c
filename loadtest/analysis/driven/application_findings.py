"""Findings about a driven application, for which requests and checkouts are seen together."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from loadtest.analysis.columns import Columns, Mask
from loadtest.analysis.driven.driven_pool import recorded_summary
from loadtest.analysis.driven.held_beyond_work import held_after_response, held_while_streaming
from loadtest.analysis.driven.server_concurrency import (
    MEASURED_AT_ONCE,
    driven_part,
    server_concurrency,
)
from loadtest.analysis.findings import bottleneck
from loadtest.analysis.pool_runs import PoolRuns
from loadtest.analysis.pool_settings import multiplied
from loadtest.analysis.round import Round
from loadtest.analysis.statistics.censoring import describe
from loadtest.analysis.units import count, duration, level, percent, plural
from loadtest.model.summary import Finding
from loadtest.model.trust_limits import BUSY_CPU, NOTABLE_LAG

# Most of its processes' time, a server is at the limit of its cores.
BOUND_SHARE = 0.5
# Fewer checkouts in the event loop are those of a start.
LOOP_SHARE = 0.1
# Most requests with a 5xx status fail when checkouts time out.
EXPLAINED_SHARE = 0.5
# Fewer timeouts, as a share of the requests, are single disturbances.
_LEAST_TIMEOUTS = 0.01
SERVER_ERRORS = "errors.http_5xx"
_OR_LARGER = "Or use a larger pool."
# The finding about the pool as the limit of the throughput says more.
_TOLD_BY_POOL_BOUND = "pool_full"


def application_bound(pool: PoolRuns) -> Iterator[Finding]:
    """The processes of the application used all of their cores most of the time.

    One process of Python runs on one core, whatever the number of its threads.
    """
    rows = [_serving(round_) for round_ in pool.rounds if round_.driven]
    length = sum(int(one.length.sum()) for one in rows)
    busy = sum(int(one.length[_busy(one)].sum()) for one in rows)
    if not length or busy <= BOUND_SHARE * length:
        return
    cpu = sum(int(one.counter("cpu").sum()) for one in rows) / length
    yield Finding(
        code="application_bound",
        severity="warning",
        message=f"The application is the bottleneck: its processes used {percent(BUSY_CPU)} of a "
        f"core or more in {percent(busy / length)} of the measured time ({percent(cpu)} on "
        "average). The pools are compared at the application's limit, and more connections do not "
        "make it faster. Use more processes, or make the application's code cheaper.",
        evidence={"share": busy / length, "cpu": cpu, "processes": pool.processes},
    )


def _serving(round_: Round) -> Columns:
    """The measured rows of the processes that took connections."""
    processes = round_.data.application_processes.values()
    names = [one.total.process for one in processes if one.total.counters["checkouts"]]
    rows = round_.of_pools
    served = [number for number, name in enumerate(rows.processes) if name in names]
    return rows.where(np.isin(rows.process, served))


def _busy(rows: Columns) -> Mask:
    return rows.counter("cpu") >= BUSY_CPU * rows.length


def pool_below_concurrency(pool: PoolRuns) -> Iterator[Finding]:
    """One process serves more requests at once than its pool has connections.

    If the number is only measured, other findings say whether the waits were a problem.
    """
    limit = pool.settings.most_connections
    if not pool.driven or limit is None:
        return
    found = server_concurrency(pool)
    if found.requests <= limit:
        return
    waiting = pool.mean_level("waiting")
    wait = describe(pool.times("wait", cut_off_by_waits=True)).p95
    measured = found.source == MEASURED_AT_ONCE
    at_once = f"serves up to {count(found.requests)} requests at once ({found.source})"
    change = "Set pool_size + max_overflow to that number, or let the server run fewer threads."
    otherwise = "Let the server run fewer threads."
    if measured:
        at_once = f"had up to {count(found.requests)} requests that needed a connection at once"
        change = "Compare a larger pool, or let the server accept fewer requests at once."
        otherwise = "Let the server accept fewer requests at once."
    yield Finding(
        code="pool_below_concurrency",
        severity="warning" if waiting >= 1 and not measured else "info",
        message=f"A process of the application {at_once}, but its pool has "
        f"{plural(limit, 'connection')}. The others wait: {level(waiting)} on average, with a p95 "
        f"of all waits of {duration(wait)}. {change}",
        evidence={
            **{"requests": found.requests, "source": found.source, "limit": limit},
            **{"waiting": waiting, "wait_p95": wait},
        },
        enlarge=change,
        otherwise=otherwise,
    )


def fleet_exceeds_server(pool: PoolRuns) -> Iterator[Finding]:
    """The pools of all processes may open more connections than the server accepts."""
    server, limit = pool.header.server, pool.settings.most_connections
    accepted, failed = server.max_connections, pool.counters["checkout_errors"]
    allowed = None if limit is None else limit * pool.processes
    if not pool.driven or not accepted or (allowed is not None and allowed <= accepted):
        return
    if server.private and not failed:
        return  # it accepts what the run may need
    suffered = f" {plural(failed, 'checkout')} failed." if failed else ""
    yield Finding(
        code="fleet_exceeds_server",
        severity="error" if failed else "warning",
        message=f"The processes of the application may open more connections than the server "
        f"accepts: {multiplied(pool.settings, pool.processes)}, but max_connections is "
        f"{count(accepted)}.{suffered} Use fewer processes or a smaller pool, and leave some "
        "connections for others.",
        evidence={
            **{"limit": limit, "processes": pool.processes, "allowed": allowed},
            **{"max_connections": accepted, "failed": failed},
        },
    )


def blocked_event_loop(pool: PoolRuns) -> Iterator[Finding]:
    """Checkouts of a driver that blocks were made in an event loop, which was late."""
    blocking, attempts = pool.counters["blocking_checkouts"], pool.checkout_attempts
    lag, driven = describe(pool.times("loop_lag")), driven_part(pool)
    late = lag.mean is not None and lag.mean > NOTABLE_LAG
    if driven is None or not late or blocking <= LOOP_SHARE * attempts:
        return
    yield Finding(
        code="blocked_event_loop",
        severity="error",
        message=f"{count(blocking)} of {plural(max(attempts, blocking), 'checkout')} were made in "
        f"the application's event loop with a driver that blocks it ({driven.database}). While one "
        "request waits for a connection or a query, no other request of the process goes on: the "
        f"loop was late by {duration(lag.mean)} on average (p99 {duration(lag.p99)}). Use "
        "create_async_engine with an asyncio driver, or routes that run in threads (`def` instead "
        "of `async def`).",
        evidence={
            **{"blocking": blocking, "checkouts": attempts},
            **{"lag_mean": lag.mean, "lag_p99": lag.p99, "lag_max": lag.max},
        },
    )


def mistakes_of_places(pool: PoolRuns) -> Iterator[Finding]:
    """What a recording of the application finds, and connections held beyond the work of routes."""
    recorded = recorded_summary(pool)
    if recorded is None:
        return
    yield from held_while_streaming(recorded)
    yield from held_after_response(recorded)
    told = _TOLD_BY_POOL_BOUND if any(bottleneck.pool_bound(pool)) else ""
    yield from (one for one in recorded.findings if one.code != told)


def pool_timeouts_as_5xx(pool: PoolRuns) -> Iterator[Finding]:
    """Requests failed with a 5xx status because checkouts timed out."""
    if not pool.driven:
        return
    timeouts, failed = pool.counters["timeouts"], pool.counters[SERVER_ERRORS]
    requests = max(pool.counters["requests"], 1)
    told = sum(use.told_5xx for use in pool.requests.values())
    timed_out = sum(use.timed_out_5xx for use in pool.requests.values())
    beside = sum(_failed_beside_timeouts(round_) for round_ in pool.rounds)
    explained, how = timed_out, "after a checkout of theirs timed out in the application"
    if not told:  # the application's framework has no hook for it
        explained, how = beside, "when checkouts timed out in the application"
    few = timeouts < _LEAST_TIMEOUTS * requests or failed < _LEAST_TIMEOUTS * requests
    if few or explained < EXPLAINED_SHARE * failed:
        return
    yield Finding(
        code="pool_timeouts_as_5xx",
        severity="error",
        message=f"{count(failed)} of {plural(requests, 'request')} were answered with a 5xx "
        f"status, {count(explained)} of them {how} ({plural(timeouts, 'timeout')} after "
        f"{duration(pool.settings.pool_timeout)}). See which places held the connections, and "
        f"return them earlier. {_OR_LARGER}",
        evidence={
            **{"failed": failed, "explained": explained, "told": told, "beside": beside},
            **{"timeouts": timeouts, "requests": requests},
        },
        enlarge=_OR_LARGER,
    )


def _failed_beside_timeouts(round_: Round) -> int:
    """The requests with a 5xx status in a second with a timeout, or in the second after it."""
    rows, load = round_.of_pools, round_.measured
    timed_out = {second for second, n in rows.by_second(rows.counter("timeouts")).items() if n}
    failed = load.by_second(load.counter(SERVER_ERRORS))
    return sum(n for second, n in failed.items() if timed_out & {second, second - 1})
