"""What is said before a run of a server that the tool did not start."""

from __future__ import annotations

from dataclasses import replace

from loadtest.database.preflight.announcement import intentions, load_in_words
from loadtest.database.preflight.situation import Demand
from loadtest.model.allowances import NO_ALLOWANCES
from loadtest.model.pool import parse_pool


def said(demand: Demand) -> str:
    """The line about connections."""
    _, connections, *_ = intentions("d at h:3306", demand, "the tasks", [], NO_ALLOWANCES)
    return connections


def test_every_connection_is_counted_also_those_outside_of_the_pools() -> None:
    pools = (parse_pool("5+10"), parse_pool("20+0"))
    one = "- open at most 21 connections at once (20 in the pool, 1 to read the server's status)"
    assert said(Demand(pools, users=50)) == one
    assert said(Demand(pools, users=50, killing=True)) == (
        "- open at most 22 connections at once (20 in the pool, 1 to read the server's status, "
        "1 to kill some of them)"
    )


def test_a_pool_that_is_filled_before_has_what_it_keeps_whatever_the_users_need() -> None:
    demand = Demand((parse_pool("20+5"),), users=3, processes=2)
    assert demand.most == 6
    assert replace(demand, prefill=True).most == 40
    assert replace(demand, prefill=True, users=22).most == 44
    assert Demand((parse_pool("poolclass=NullPool"),), users=3, prefill=True).most == 3


def test_work_is_users_or_arrivals_and_users() -> None:
    assert load_in_words(1200, None) == "at most 1,200 users"
    assert load_in_words(1200, 2500.0) == "at most 2,500 requests per second and 1,200 users"
    assert load_in_words(100, 0.5) == "at most 0.5 requests per second and 100 users"
