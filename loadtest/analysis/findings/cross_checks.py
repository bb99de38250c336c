"""Checks of a pool's numbers against independent numbers, and of fairness.

Little's law (Little, Operations Research 9(3), 1961): in a steady state the mean number in a system
is the rate of departures times the mean time in the system.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from loadtest.analysis.driven.connections_beside import level_beside, pool_users_of
from loadtest.analysis.pool_runs import PoolRuns
from loadtest.analysis.round import Round
from loadtest.analysis.units import count, duration, level, listed, percent
from loadtest.model.interval import REQUEST_TIMES, SECOND
from loadtest.model.summary import Finding

# Requests across the ends of the measured time make small differences.
TOLERANCE = 0.25
TURNS_OF_THE_LUCKY = 3
STARVED_SHARE = 0.5
# A larger share of users without a connection distorts the pool's times.
SOME_STARVED = 0.01
LEAST_UNACCOUNTED = 2.0
# The connection that reads the server's status.
BESIDE_THE_POOL = 1
# The first part of a second, for which the server tells nothing, is shorter.
PARTIAL_SECOND = 1.0


def users_unaccounted(pool: PoolRuns) -> Iterator[Finding]:
    """Users that Locust counts but whose time is in no finished request and in no pause.

    Users = throughput x (time per request + think time) if every user gets its turn. If requests
    account for far fewer, the others are stuck, and no percentile of finished requests shows it.
    In an open loop most users are idle, as intended.
    """
    closed = [round_ for round_ in pool.rounds if not round_.together.counters["arrivals"]]
    rounds = [round_ for round_ in closed if "users" in round_.together.gauges]
    counted = sum(_mean_level(round_, "users") for round_ in rounds)
    accounted = sum(_mean_users_by_little(round_) for round_ in rounds)
    if counted and accounted < (1 - TOLERANCE) * counted:
        number = len(rounds)
        yield Finding(
            code="users_unaccounted",
            severity="warning",
            message=f"Locust ran {count(counted / number)} pool users, but requests per second × "
            f"time per request accounts for only {count(accounted / number)} (Little's law). The "
            "other users were in requests that did not end: stuck, or too long for this run. "
            "Percentiles cover finished requests only, so they look too good.",
            evidence={"users": counted / number, "accounted": accounted / number},
        )


def other_users(pool: PoolRuns) -> Iterator[Finding]:
    """Users that do not use the pool, such as HTTP users: no number of the pool includes them."""
    others = pool.mean_level("other_users")
    if not others:
        return
    classes = pool.header.scenario.other_classes
    named = f" ({listed(classes)})" if classes else ""
    yield Finding(
        code="other_users",
        severity="info",
        message=f"On average {level(others)} users of other classes{named} ran beside "
        f"{level(pool.mean_level('users'))} pool users. These results describe the pool users "
        "only. Locust's own statistics include the others.",
        evidence={"other_users": others, "classes": list(classes)},
    )


def pool_users_beside(pool: PoolRuns) -> Iterator[Finding]:
    """PoolUsers beside the users that drove an application: they have an engine of their own."""
    if names := pool_users_of(pool):
        yield Finding(
            code="pool_users_beside",
            severity="info",
            message=f"Users of {listed(names)} ran beside the users of the application, on an "
            "engine of their own. Throughput, request times and errors include their requests. "
            "Checkouts and connections are the application's alone.",
            evidence={"classes": names},
        )


def connections_unaccounted(pool: PoolRuns) -> Iterator[Finding]:
    """Connections that the pool counts as checked out, but finished checkouts do not explain.

    Checked out = rate x (hold + connect + ping). Only too few are a finding: a hold that began
    before the measured time counts with all of its length.
    """
    rounds = [round_ for round_ in pool.rounds if "checked_out" in round_.together.gauges]
    counted = sum(_mean_checked_out(round_) for round_ in rounds) / max(len(rounds), 1)
    accounted = sum(_mean_connections_by_little(r) for r in rounds) / max(len(rounds), 1)
    if counted - accounted > max(TOLERANCE * counted, LEAST_UNACCOUNTED):
        yield Finding(
            code="connections_unaccounted",
            severity="warning",
            message=f"The pool reports {level(counted)} connections in use, but checkouts per "
            f"second × hold accounts for only {level(accounted)} (Little's law). The others were "
            "not returned while measuring, or were taken in a way that is not measured.",
            evidence={"checked_out": counted, "accounted": accounted},
        )


def waiters_unaccounted(pool: PoolRuns) -> Iterator[Finding]:
    """Users waiting at the end of each second, compared with the rate of waits x their length."""
    rounds = pool.rounds
    seen = sum(_mean_seen_waiting(round_) for round_ in rounds) / max(len(rounds), 1)
    accounted = sum(_mean_waiters_by_little(round_) for round_ in rounds) / max(len(rounds), 1)
    if seen - accounted > max(TOLERANCE * seen, LEAST_UNACCOUNTED):
        yield Finding(
            code="waiters_unaccounted",
            severity="warning",
            message=f"On average {level(seen)} users were waiting for a connection, but the waits "
            f"that ended explain only {level(accounted)} of them (Little's law). The others waited "
            "until the end of the run. Percentiles marked with ≥ are lower bounds.",
            evidence={"seen": seen, "accounted": accounted},
        )


def server_disagrees(pool: PoolRuns) -> Iterator[Finding]:
    """The server holds more connections than the pools: some were closed on one side only."""
    held, has = pool.server_level("threads_connected"), pool.mean_level("open")
    beside = level_beside(pool, "open")
    private = all(run.header.server.private for run in pool.runs)
    if held is None or beside is None or not private:
        return  # other clients use a shared server, or PoolUsers whose connections are unknown
    told = sum(round_.server.length for round_ in pool.rounds) / SECOND
    if pool.seconds - told > PARTIAL_SECOND * len(pool.rounds):
        return  # the pools were also measured while the server was down
    # The server counts a connection from the start of its handshake (Little's law).
    opening = pool.spent("connect", "reconnect") / pool.seconds
    if held - BESIDE_THE_POOL - has - beside - opening > max(TOLERANCE * held, LEAST_UNACCOUNTED):
        yield Finding(
            code="server_disagrees",
            severity="warning",
            message=f"The server held {level(held)} connections on average, but the pools "
            f"had only {level(has)} open. The application dropped the other connections without "
            "closing them. They count against max_connections until the server notices.",
            evidence={
                **{"threads_connected": held, "open": has},
                **{"beside": beside, "opening": opening},
            },
        )


@dataclass(frozen=True)
class Starved:
    """Rounds in which users waited for most of the time and never got a connection.

    users: all in those rounds, each user once per round. served: users that got a connection.
    checkouts: all of theirs. longest_wait: seconds. jain: of the round that shared worst.
    """

    rounds: int
    users: int
    served: int
    checkouts: int
    longest_wait: float
    jain: float

    @property
    def unserved(self) -> float:
        """The share of users that never got a connection."""
        return 1 - self.served / self.users


def starved(pool: PoolRuns) -> Starved | None:
    """The starved users; None if every user was served, or the served users had few checkouts.

    A starved user waits for most of the measured time. A user that holds a connection since the
    warm-up gets none either, but does not wait.
    """
    shares = [
        round_.together.fair
        for round_ in pool.rounds
        if round_.together.fair.longest_wait > STARVED_SHARE * round_.together.length
    ]
    users, served = sum(s.users for s in shares), sum(s.served for s in shares)
    checkouts = sum(share.checkouts for share in shares)
    if not served or served == users or checkouts < TURNS_OF_THE_LUCKY * served:
        return None
    longest = max(share.longest_wait for share in shares) / 1e9
    jain = min((share.jain for share in shares if share.jain is not None), default=0.0)
    return Starved(len(shares), users, served, checkouts, longest, jain)


def starvation(pool: PoolRuns) -> Iterator[Finding]:
    """Users that never got a connection while others got one again and again."""
    found = starved(pool)
    if found is None:
        return
    users, served, rounds = found.users, found.served, found.rounds
    several = f"In {count(rounds)} rounds, on average " if rounds > 1 else ""
    yield Finding(
        code="starvation",
        severity="error" if found.unserved > SOME_STARVED else "warning",
        message=f"{several}{level((users - served) / rounds)} of {count(users / rounds)} users "
        f"({percent(found.unserved)}) never got a connection, while the others had "
        f"{count(found.checkouts / served)} checkouts each. The longest wait was "
        f"{duration(found.longest_wait)}. In SQLAlchemy's queue, a user that returns a connection "
        "and asks again at once overtakes waiting users (sqlalchemy#7679). Add a pause "
        "between requests, or compare with poolclass=FairPool.",
        evidence={
            **{"users": users, "served": served, "rounds": rounds},
            **{"jain": found.jain, "longest_wait": found.longest_wait},
        },
    )


def _mean_level(round_: Round, gauge: str) -> float:
    return round_.together.gauges[gauge].integral / max(round_.together.length, 1)


def _mean_checked_out(round_: Round) -> float:
    """The mean of the pool's own count, which is read once per second: too seldom for a mean.

    The difference to the measured connections at these moments corrects their exact mean.
    """
    rows = round_.of_pools
    in_use, out = rows.gauge("in_use"), rows.gauge("checked_out")
    uncounted = int(((out.last - in_use.last) * rows.length)[in_use.known].sum())
    return _mean_level(round_, "in_use") + uncounted / max(round_.together.length, 1)


def _mean_users_by_little(round_: Round) -> float:
    return _mean_number(round_, *REQUEST_TIMES, "think")


def _mean_connections_by_little(round_: Round) -> float:
    return _mean_number(round_, "hold", "connect", "reconnect", "ping")


def _mean_waiters_by_little(round_: Round) -> float:
    return _mean_number(round_, "wait")


def _mean_number(round_: Round, *names: str) -> float:
    """The sum of some histograms' values per time: rate times mean."""
    parts = (round_.together.histograms.get(name) for name in names)
    return sum(part.sum for part in parts if part) / max(round_.together.length, 1)


def _mean_seen_waiting(round_: Round) -> float:
    rows = round_.of_pools
    return int(rows.waits.sum()) / max(len(np.unique(rows.second)), 1)
