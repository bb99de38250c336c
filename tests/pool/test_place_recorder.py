"""The use of a pool by places and routes of an application, by a clock that stands still."""

from __future__ import annotations

import sys
import threading
from types import FrameType
from typing import Any

import pytest
from measuring import MILLISECOND, Bench, others_go_on, waiting
from sqlalchemy import StaticPool, text
from sqlalchemy.exc import TimeoutError as PoolTimeout

from loadtest.model.interval import Interval
from loadtest.model.place_use import SHORTAGES_KEPT, Holders, PlaceUse
from loadtest.pool.hold import Hold
from loadtest.pool.numbered_names import NumberedNames
from loadtest.pool.place_recorder import PlaceRecorder, Route
from loadtest.pool.recorder import Recorder


class FunctionNames:
    """Names a place by the function of this file that takes the connection."""

    def __init__(self) -> None:
        self.names = NumberedNames(3, "(other places)")

    def number(self, above: int) -> int:
        """The number of the first function of this file."""
        frame: FrameType | None = sys._getframe(above + 1)
        while frame and frame.f_code.co_filename != __file__:
            frame = frame.f_back
        assert frame
        return self.names.number(frame.f_code.co_name)

    def line_of(self, hold: Hold) -> str:
        """Always the same line."""
        return "(ended)" if hold.over else "shop.py:7 pay"


class PlacesBench(Bench):
    """An engine of an application. route: the one that runs."""

    def __init__(self, **pool: Any) -> None:
        self.route: Route = None, ""
        super().__init__(recorder=self._made, **pool)

    def _made(self) -> Recorder:
        recorder = Recorder("p1")
        recorder.own_users = False
        recorder.places = PlaceRecorder(recorder.held, FunctionNames(), lambda: self.route)
        return recorder

    def one(self) -> Any:
        """A place."""
        return self.engine.connect()

    def other(self) -> Any:
        """Another place."""
        return self.engine.connect()


def query(bench: Bench, connection: Any, milliseconds: int) -> None:
    """A query that takes some time."""
    bench.querying = milliseconds
    connection.execute(text("SELECT 1"))
    bench.querying = 0


def only(interval: Interval) -> PlaceUse:
    """The use of the only place."""
    (use,) = interval.places.values()
    return use


class TestHolds:
    """Holds and queries belong to the place of their checkout."""

    def test_what_a_hold_needs_is_its_time_without_its_longest_quiet_time(self) -> None:
        with PlacesBench() as bench:
            connection = bench.one()
            bench.forward(2)
            query(bench, connection, 3)
            bench.forward(50)
            query(bench, connection, 4)
            bench.forward(7)
            connection.close()
            interval = bench.cut()
        use = interval.places["one"]
        assert (use.holds, use.hold) == (1, 66 * MILLISECOND)
        assert (use.queries, use.query) == (2, 7 * MILLISECOND)
        assert use.needed == 16 * MILLISECOND
        assert use.longest_hold == 66 * MILLISECOND
        assert interval.histograms["hold@one"].sum == interval.histograms["hold"].sum == use.hold
        assert interval.histograms["needed@one"].sum == use.needed

    @pytest.mark.parametrize(("before", "after", "needed"), [(9, 1, 4), (1, 9, 4), (5, 5, 8)])
    def test_time_before_the_first_and_after_the_last_query_counts(
        self, before: int, after: int, needed: int
    ) -> None:
        with PlacesBench() as bench:
            connection = bench.one()
            bench.forward(before)
            query(bench, connection, 3)
            bench.forward(after)
            connection.close()
            assert only(bench.cut()).needed == needed * MILLISECOND

    def test_a_hold_without_a_query_needs_nothing(self) -> None:
        with PlacesBench() as bench:
            connection = bench.one()
            bench.forward(20)
            connection.close()
            use = only(bench.cut())
            assert (use.hold, use.queries, use.needed) == (20 * MILLISECOND, 0, 0)

    def test_a_commit_is_a_query_and_a_rollback_is_none(self) -> None:
        with PlacesBench() as bench:
            connection = bench.one()
            query(bench, connection, 1)
            connection.commit()
            query(bench, connection, 1)
            connection.rollback()
            connection.close()
            assert only(bench.cut()).queries == 3

    def test_a_query_that_fails_is_a_query(self) -> None:
        with PlacesBench() as bench:
            connection = bench.one()
            bench.interruption = ValueError("no")
            with pytest.raises(ValueError, match="no"):
                query(bench, connection, 5)
            connection.close()
            use = only(bench.cut())
            assert (use.queries, use.query) == (1, 5 * MILLISECOND)

    def test_another_thread_may_query_and_return(self) -> None:
        with PlacesBench() as bench:
            connection = bench.one()

            def end() -> None:
                query(bench, connection, 5)
                connection.close()

            thread = threading.Thread(target=end)
            thread.start()
            thread.join()
            use = bench.cut().places["one"]
            assert (use.holds, use.query) == (1, 5 * MILLISECOND)

    def test_a_hold_in_progress_is_kept_and_seen_at_its_line(self) -> None:
        with PlacesBench() as bench:
            connection = bench.one()
            bench.forward(1500)
            first = only(bench.cut())
            assert (first.checkouts, first.holds, first.kept) == (1, 0, 1)
            assert first.longest_hold == 1500 * MILLISECOND
            assert first.idle_at == {"shop.py:7 pay": 1}
            bench.forward(500)
            connection.close()
            second = only(bench.cut())
            assert (second.checkouts, second.holds, second.kept) == (0, 1, 0)
            assert second.longest_hold == 2000 * MILLISECOND
            assert not second.idle_at

    def test_a_detached_connection_ends_its_hold(self) -> None:
        with PlacesBench() as bench:
            connection = bench.one()
            bench.forward(5)
            connection.detach()
            use = only(bench.cut())
            assert (use.holds, use.hold, use.kept) == (1, 5 * MILLISECOND, 0)
            connection.close()

    def test_after_dispose_the_next_pool_has_places_too(self) -> None:
        with PlacesBench() as bench:
            bench.engine.dispose()
            bench.one().close()
            assert only(bench.cut()).holds == 1

    def test_a_pool_that_shares_its_connection_has_one_hold_at_a_time(self) -> None:
        with PlacesBench(poolclass=StaticPool) as bench:
            first, second = bench.one(), bench.other()
            assert bench.cut().places["other"].kept == 1
            first.close()
            second.close()
            assert not bench.recorder.held

    def test_places_beyond_the_most_are_counted_together(self) -> None:
        with PlacesBench(pool_size=9) as bench:
            places = [name_of(bench, f"f{n}") for n in range(5)]
            for place in places:
                place().close()
            interval = bench.cut()
            assert interval.places["(other places)"].checkouts == 2
            assert sum(use.checkouts for use in interval.places.values()) == 5


def name_of(bench: Bench, name: str) -> Any:
    """A function of this file with a name, which takes a connection."""
    values = {"engine": bench.engine}
    exec(compile(f"def {name}():\n    return engine.connect()", __file__, "exec"), values)
    return values[name]


class TestCheckouts:
    """Waits, timeouts and errors belong to the place that asked."""

    def test_waits_of_quick_and_slow_checkouts_add_up(self) -> None:
        with PlacesBench(pool_size=1, max_overflow=0) as bench:
            held = bench.one()
            waiter = waiting(bench.other)
            bench.forward(30)
            held.close()
            waiter.get().close()
            bench.one().close()
            interval = bench.cut()
            one, other = interval.places["one"], interval.places["other"]
            assert (one.checkouts, other.checkouts) == (2, 1)
            assert other.wait == other.longest_wait == 30 * MILLISECOND
            assert one.wait + other.wait == interval.histograms["wait"].sum

    def test_timeouts_and_errors_are_no_checkouts(self) -> None:
        with PlacesBench(pool_size=1, max_overflow=0, pool_timeout=0.001) as bench:
            held = bench.one()
            with pytest.raises(PoolTimeout):
                bench.other()
            held.invalidate()
            held.close()
            bench.refuse = OSError("no")
            with pytest.raises(OSError, match="no"):
                bench.other()
            use = bench.cut().places["other"]
            assert (use.checkouts, use.timeouts, use.errors, use.holds) == (0, 1, 1, 0)


class TestShortages:
    """Who held connections when a checkout waited long or timed out."""

    def test_a_timeout_names_the_places_that_hold_and_since_when(self) -> None:
        with PlacesBench(pool_size=3, max_overflow=0, pool_timeout=0.001) as bench:
            bench.connecting = 0
            held = [bench.one()]
            bench.forward(10)
            held += [bench.other(), bench.one()]
            bench.forward(5)
            with pytest.raises(PoolTimeout):
                bench.other()
            interval = bench.cut()
            (shortage,) = interval.shortages
            assert (shortage.timed_out, shortage.place) == (True, "other")
            assert shortage.at // 1_000_000_000 - interval.second in (0, 1)
            assert shortage.holders == (
                Holders("one", 2, 15 * MILLISECOND),
                Holders("other", 1, 5 * MILLISECOND),
            )
            assert (interval.places["one"].held, interval.places["other"].held) == (2, 1)
            for connection in held:
                connection.close()
            assert not bench.cut().shortages

    def test_a_long_wait_names_the_hold_that_ended_it_and_not_its_own(self) -> None:
        with PlacesBench(pool_size=1, max_overflow=0) as bench:
            held = bench.one()
            waiter = waiting(bench.other)
            bench.forward(30)
            held.close()
            waiter.get().close()
            interval = bench.cut()
            (shortage,) = interval.shortages
            assert (shortage.timed_out, shortage.wait) == (False, 30 * MILLISECOND)
            assert shortage.place == "other"
            assert shortage.holders == (Holders("one", 1, 30 * MILLISECOND),)
            assert interval.places["one"].held == 1
            assert interval.places["other"].held == 0

    def test_a_wait_for_a_new_connection_is_no_shortage(self) -> None:
        with PlacesBench() as bench:
            bench.connecting = 500
            bench.one().close()
            assert not bench.cut().shortages

    def test_a_wait_for_the_processor_is_no_shortage(self) -> None:
        with PlacesBench(pool_size=5, max_overflow=0) as bench:
            bench.recorder.places.limit = 5
            bench.one().close()
            pool = bench.engine.pool
            original = pool._do_get
            pool._do_get = lambda: (bench.forward(30), original())[1]
            bench.one().close()
            interval = bench.cut()
            assert only(interval).longest_wait == 30 * MILLISECOND
            assert not interval.shortages

    def test_every_shortage_counts_and_the_longest_are_kept(self) -> None:
        number = SHORTAGES_KEPT + 2
        with PlacesBench(pool_size=1, max_overflow=0) as bench:
            held = bench.one()
            waiters = []
            for _ in range(number):
                waiters.append(waiting(lambda: bench.other().close()))
                bench.forward(20)
            held.close()
            others_go_on()
            for waiter in waiters:
                waiter.get()
            interval = bench.cut()
            waits = [shortage.wait // MILLISECOND for shortage in interval.shortages]
            assert waits == [20 * n for n in range(number, number - SHORTAGES_KEPT, -1)]
            assert sum(use.held for use in interval.places.values()) == number


class TestRoutes:
    """Checkouts, holds and queries have the name of a route, too."""

    def test_a_place_knows_its_routes_and_a_route_its_use(self) -> None:
        with PlacesBench() as bench:
            for name in ("GET /orders/{id}", "GET /orders/{id}", "fulfil", ""):
                bench.route = None, name
                connection = bench.one()
                query(bench, connection, 3)
                connection.close()
            interval = bench.cut()
            assert only(interval).routes == {"GET /orders/{id}": 2, "fulfil": 1}
            assert interval.tasks.keys() == {"GET /orders/{id}", "fulfil"}
            orders = interval.tasks["GET /orders/{id}"]
            assert (orders.holds, orders.queries, orders.query) == (2, 2, 6 * MILLISECOND)
            assert orders.hold == 6 * MILLISECOND
            assert only(interval).hold == 12 * MILLISECOND

    def test_a_checkout_of_a_user_that_holds_a_connection_is_nested(self) -> None:
        with PlacesBench() as bench:
            bench.route = None, "fulfil"
            first = bench.one()
            second = bench.one()
            first.close()
            third = bench.one()
            for connection in (second, third):
                connection.close()
            bench.one().close()
            interval = bench.cut()
            assert (interval.tasks["fulfil"].nested, only(interval).nested) == (2, 2)

    def test_a_request_in_two_threads_is_one_user_and_two_requests_in_one_thread_are_two(
        self,
    ) -> None:
        requests = [object(), object()]
        with PlacesBench() as bench:
            bench.route = requests[0], "GET /"
            first = bench.one()
            bench.route = requests[1], "GET /"
            bench.one().close()
            assert bench.cut().tasks["GET /"].nested == 0
            bench.route = requests[0], "GET /"
            waiting(lambda: bench.one().close()).get()
            assert bench.cut().tasks["GET /"].nested == 1
            first.close()

    def test_a_connection_that_an_ended_user_holds_is_kept(self) -> None:
        with PlacesBench() as bench:
            bench.route = None, "fulfil"
            connections: list[Any] = []
            user = waiting(lambda: connections.append(bench.one()))
            user.get()
            interval = bench.cut()
            assert interval.tasks["fulfil"].kept == 1
            assert only(interval).idle_at == {"(ended)": 1}
            connections[0].close()

    def test_routes_beyond_the_most_are_counted_together(self) -> None:
        with PlacesBench() as bench:
            for number in range(210):
                bench.route = None, f"GET /{number}"
                bench.one().close()
            interval = bench.cut()
            assert only(interval).routes["(other routes)"] == 10
            assert len(interval.tasks) == 201


def test_a_fork_forgets_what_the_parent_did() -> None:
    with PlacesBench(pool_size=1, max_overflow=0, pool_timeout=0.001) as bench:
        held = bench.one()
        with pytest.raises(PoolTimeout):
            bench.other()
        held.close()
        bench.recorder.places.restart()
        bench.recorder.restart()
        interval = bench.cut()
        assert not interval.places
        assert not interval.shortages
