"""Connections that are in use after the task, greenlet or thread of their checkout has ended."""

from __future__ import annotations

from typing import Any

from measuring import waiting
from test_place_recorder import PlacesBench, only, query

from loadtest.model.interval import Interval
from loadtest.pool.place_recorder import Request

ENDED = {"(ended)": 1}
STILL_USED = (0, {})


def taken_by_a_helper(bench: PlacesBench, request: Request | None) -> Any:
    """A connection that another user has taken for a request, as `asyncio.gather` does it."""
    bench.route = request, "GET /"
    taken: list[Any] = []
    waiting(lambda: taken.append(bench.one())).get()
    return taken[0]


def told(interval: Interval) -> tuple[int, dict[str, int]]:
    """The connections of ended users, and the lines of holders."""
    kept = interval.tasks["GET /"].kept if "GET /" in interval.tasks else 0
    return kept, dict(only(interval).idle_at)


def test_a_request_uses_a_connection_that_a_task_of_it_has_taken() -> None:
    request = Request()
    with PlacesBench() as bench:
        connection = taken_by_a_helper(bench, request)
        assert told(bench.cut()) == STILL_USED
        query(bench, connection, 3)
        assert told(bench.cut()) == STILL_USED
        request.ended = True
        assert told(bench.cut()) == (1, ENDED)
        connection.close()


def test_a_request_that_ends_during_a_cut_has_returned_its_connection() -> None:
    class EndsNow(Request):
        @property
        def ended(self) -> bool:
            connection.close()
            return True

        @ended.setter
        def ended(self, _: bool) -> None: ...

    with PlacesBench() as bench:
        connection = taken_by_a_helper(bench, EndsNow())
        assert told(bench.cut()) == STILL_USED


def test_a_user_of_an_ended_request_may_go_on() -> None:
    request = Request()
    with PlacesBench() as bench:
        bench.route = request, "GET /"
        connection = bench.one()
        request.ended = True
        assert told(bench.cut()) == (0, {"shop.py:7 pay": 1})
        connection.close()


def test_a_connection_that_others_query_after_its_user_is_not_over() -> None:
    with PlacesBench() as bench:
        connection = taken_by_a_helper(bench, None)
        assert told(bench.cut()) == (1, ENDED)
        query(bench, connection, 3)
        for _ in range(2):
            assert told(bench.cut()) == STILL_USED
        connection.close()


def test_the_ends_of_holds_are_forgotten_with_them() -> None:
    with PlacesBench() as bench:
        connection = taken_by_a_helper(bench, None)
        bench.cut()
        assert bench.recorder.places
        assert len(bench.recorder.places._after) == 1
        connection.close()
        bench.cut()
        assert not bench.recorder.places._after
