"""Checks of a pool's numbers against numbers that come from elsewhere, and of how they are shared.

Little's law (Little, Operations Research 9(3), 1961): in a steady state the mean number in a system
is the rate of those who leave it times the mean time they spent in it.
"""

from __future__ import annotations

from collections.abc import Iterator

from loadtest.analysis.measured import PoolRuns, Round
from loadtest.analysis.units import count, duration, percent
from loadtest.analysis.values import Finding

# Tasks that straddle the ends of the measured time make small differences.
TOLERANCE = 0.25
TURNS_OF_THE_LUCKY = 3
STARVED_SHARE = 0.5


def users_unaccounted(pool: PoolRuns) -> Iterator[Finding]:
    """Users that Locust counts but whose time is in no task that ended and in no pause.

    Users = throughput x (time per task + think time) holds when every user gets their turn. Where
    tasks account for far fewer, the others are stuck, and no percentile of finished work shows it.
    """
    rounds = [round_ for round_ in pool.rounds if "users" in round_.together.gauges]
    counted = sum(_mean_level(round_, "users") for round_ in rounds)
    accounted = sum(_mean_users_by_little(round_) for round_ in rounds)
    if counted and accounted < (1 - TOLERANCE) * counted:
        number = len(rounds)
        yield Finding(
            code="users_unaccounted",
            severity="warning",
            message=f"Locust ran {count(counted / number)} users, but throughput times the time "
            f"per task accounts for {count(accounted / number)} (Little's law): the others did "
            "not finish anything. Percentiles of finished work flatter this pool.",
            evidence={"users": counted / number, "accounted": accounted / number},
        )


def starvation(pool: PoolRuns) -> Iterator[Finding]:
    """Users who never got a connection while others got theirs again and again.

    A starved user waits for most of the measured time; one who holds a connection from the warm-up
    on gets none either, but is not waiting.
    """
    shares = [
        round_.together.fair
        for round_ in pool.rounds
        if round_.together.fair.longest_wait > STARVED_SHARE * round_.together.length
    ]
    users, served = sum(s.users for s in shares), sum(s.served for s in shares)
    checkouts = sum(share.checkouts for share in shares)
    if not served or served == users or checkouts < TURNS_OF_THE_LUCKY * served:
        return
    longest = max(share.longest_wait for share in shares) / 1e9
    jain = min((share.jain for share in shares if share.jain is not None), default=0.0)
    yield Finding(
        code="starvation",
        severity="error",
        message=f"{count(users - served)} of {count(users)} users ({percent(1 - served / users)}) "
        f"never got a connection, while the others had {count(checkouts / served)} each; the "
        f"longest wait was {duration(longest)}. SQLAlchemy's queue lets those overtake who return "
        "a connection and ask again at once (sqlalchemy#7679). Let them do something else in "
        "between, or compare with poolclass=FairPool.",
        evidence={"users": users, "served": served, "jain": jain, "longest_wait": longest},
    )


def _mean_level(round_: Round, gauge: str) -> float:
    return round_.together.gauges[gauge].integral / max(round_.together.length, 1)


def _mean_users_by_little(round_: Round) -> float:
    together = round_.together
    parts = (together.histograms.get(n) for n in ("request", "failed_request", "think"))
    return sum(part.sum for part in parts if part) / max(together.length, 1)
