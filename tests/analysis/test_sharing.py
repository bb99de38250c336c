"""How users shared a pool."""

from dataclasses import replace
from pathlib import Path

import pytest

from loadtest.analysis.pool_runs import gather
from loadtest.analysis.sharing import Sharing, sharing
from loadtest.model.interval import Fair
from tests.analysis.builders import MILLISECOND, interval, run

EVEN = Fair(users=10, served=10, checkouts=100, squares=1000, longest_wait=5 * MILLISECOND)


def _shared(folder: Path, *rounds: Fair, **counters: int) -> Sharing | None:
    runs = [
        run(folder, [replace(interval(counters={"requests": 9, **counters}), fair=fair)], round_=n)
        for n, fair in enumerate(rounds, start=1)
    ]
    return sharing(gather(runs).pools[0])


def test_the_round_that_shared_worst_is_told(tmp_path: Path) -> None:
    lucky = Fair(users=10, served=2, checkouts=100, squares=5000, longest_wait=900 * MILLISECOND)
    assert _shared(tmp_path, EVEN, lucky, EVEN) == Sharing(
        open_loop=False, users=10, without=8, checkouts=10.0, jain=pytest.approx(0.2), longest=0.9
    )


def test_who_holds_a_connection_all_the_time_does_not_go_without(tmp_path: Path) -> None:
    holders = replace(EVEN, served=2, longest_wait=100 * MILLISECOND)
    found = _shared(tmp_path, holders)
    assert found
    assert found.without == 0


def test_users_of_an_open_loop_have_no_equal_shares_to_expect(tmp_path: Path) -> None:
    found = _shared(tmp_path, EVEN, arrivals=9)
    assert found
    assert (found.open_loop, found.jain, found.longest) == (True, None, 0.005)


def test_where_nobody_counted_nothing_is_told(tmp_path: Path) -> None:
    assert _shared(tmp_path, Fair()) is None
