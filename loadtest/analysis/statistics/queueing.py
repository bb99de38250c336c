"""Formulas for queues with several servers, which are the connections of a pool.

Rates are per second, times in seconds. Holds and gaps between arrivals are exponential in all of
them: real holds vary less, and then waits are shorter. All functions raise ValueError for invalid
numbers.
"""

from __future__ import annotations

import math


def erlang_b(connections: int, offered: float) -> float:
    """The share of arrivals that find all connections busy, without waiting (M/M/c/c).

    offered: arrival rate x hold, in erlangs. By the recursion B(n) = a B(n-1) / (n + a B(n-1))
    (Erlang, Solution of some problems in the theory of probabilities of significance in automatic
    telephone exchanges, 1917; Cooper, Introduction to Queueing Theory, 1981, section 3.3).
    """
    _check(connections, offered)
    blocked = 1.0
    for servers in range(1, connections + 1):
        blocked = offered * blocked / (servers + offered * blocked)
    return blocked


def erlang_c(connections: int, offered: float) -> float:
    """The share of arrivals that have to wait (M/M/c); 1 in an overload.

    C = B / (1 - a / c x (1 - B)) (Erlang 1917; Cooper 1981, section 3.4).
    """
    blocked = erlang_b(connections, offered)
    if offered >= connections:
        return 1.0
    return blocked / (1 - offered / connections * (1 - blocked))


def erlang_c_wait(connections: int, rate: float, hold: float) -> float:
    """The mean wait (s) for a connection, including waits of zero; infinite in an overload.

    W = C / (c / hold - rate) (Cooper 1981, section 3.4).
    """
    _check(connections, rate, hold)
    offered = rate * hold
    if offered >= connections:
        return math.inf
    return erlang_c(connections, offered) * hold / (connections - offered)


def wait_percentile(connections: int, rate: float, hold: float, share: float) -> float:
    """The wait (s) that this share (0.95 for p95) does not exceed; infinite in an overload.

    Waits are exponential: P(W > t) = C exp(-(c / hold - rate) t) (Cooper 1981, section
    3.4), first come, first served.
    """
    _check(connections, rate, hold)
    if not 0 <= share < 1:
        raise ValueError(f"a share of waits is at least 0 and below 1, not {share}")
    offered = rate * hold
    if offered >= connections:
        return math.inf
    waiting = erlang_c(connections, offered)
    if waiting <= 1 - share:
        return 0.0
    return math.log(waiting / (1 - share)) * hold / (connections - offered)


def most_throughput(users: int, connections: int, outside: float, hold: float) -> float:
    """The most checkouts per second of some users in a closed loop.

    outside: the time between the return of a connection and the next checkout. The asymptotic
    bound min(N / (Z + S), c / S) (Denning and Buzen, Computing Surveys 10(3), 1978).
    """
    _check(connections, users, outside, hold)
    if not hold:
        return math.inf if not outside else users / outside
    return min(users / (outside + hold), connections / hold)


def _check(connections: int, *numbers: float) -> None:
    if connections < 1:
        raise ValueError(f"a pool has at least one connection, not {connections}")
    if any(not number >= 0 for number in numbers):
        raise ValueError(f"rates, times and users are not negative: {numbers}")
