"""The closed loop of a pool, exactly: what simulated pools are held against."""

from __future__ import annotations

from loadtest.analysis.statistics.queueing import most_throughput


def closed_throughput(users: int, connections: int, outside: float, hold: float) -> float:
    """The exact checkouts per second of a closed loop with this number of users (M/M/c//N).

    The machine-repair model: with n users at the pool, p(n) = p(n-1) x (N-n+1)/Z x S/min(n, c)
    (Kleinrock, Queueing Systems I, 1975, section 3.8).
    """
    if not hold or not outside:
        return most_throughput(users, connections, outside, hold)
    share, total, busy = 1.0, 1.0, 0.0
    for at_pool in range(1, users + 1):
        share *= (users - at_pool + 1) / outside * hold / min(at_pool, connections)
        total += share
        busy += share * min(at_pool, connections)
        if total > 1e200:  # only ratios matter
            share, total, busy = share / total, 1.0, busy / total
    return busy / total / hold


def closed_wait(users: int, connections: int, outside: float, hold: float) -> float:
    """The mean wait (s) in the same closed loop: what Little's law leaves of a user's round."""
    rate = closed_throughput(users, connections, outside, hold)
    return max(0.0, users / rate - outside - hold)
