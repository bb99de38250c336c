"""How the users of a pool shared its connections."""

from __future__ import annotations

from dataclasses import dataclass

from loadtest.analysis.findings.cross_checks import STARVED_SHARE
from loadtest.analysis.pool_runs import PoolRuns
from loadtest.analysis.round import Round
from loadtest.model.interval import SECOND, Fair


@dataclass(frozen=True)
class Sharing:
    """The round in which the users of a pool shared it worst.

    users, without: the number of users, and of those without a connection; in an open loop, where
    the arrivals decide, only users with a connection count. checkouts: the mean per user. jain:
    Jain's index (see `Fair`); None in an open loop, or without any checkout. longest: the longest
    wait in any round (s), including unfinished ones.
    """

    open_loop: bool
    users: int
    without: int
    checkouts: float
    jain: float | None
    longest: float


def sharing(pool: PoolRuns) -> Sharing | None:
    """How its users shared a pool; None if it was not counted."""
    rounds = [round_ for round_ in pool.rounds if round_.together.fair.users]
    if not rounds:
        return None
    worst = max(rounds, key=_unfairness)
    fair = worst.together.fair
    open_loop = bool(pool.counters["arrivals"])
    return Sharing(
        open_loop=open_loop,
        users=fair.users,
        without=_without(worst),
        checkouts=fair.checkouts / fair.users,
        jain=None if open_loop else fair.jain,
        longest=max(_longest(round_.together.fair) for round_ in rounds),
    )


def _without(round_: Round) -> int:
    """Users that never got a connection, without those that held one since the warm-up."""
    fair = round_.together.fair
    waited = fair.longest_wait > STARVED_SHARE * round_.together.length
    return fair.users - fair.served if waited else 0


def _unfairness(round_: Round) -> tuple[float, float]:
    fair = round_.together.fair
    return _without(round_) / fair.users, -(fair.jain or 0.0)


def _longest(fair: Fair) -> float:
    return fair.longest_wait / SECOND
