"""Every checkout is taken apart: what it waited, connected, pinged and held, and how it ended."""

import sqlite3
from collections import Counter

import gevent
import pytest
from gevent import GreenletExit
from greenlet import getcurrent
from measuring import (
    MILLISECOND,
    Bench,
    counted,
    milliseconds,
    others_go_on,
    use_once,
    waiting,
)
from sqlalchemy import NullPool, QueuePool, event, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from loadtest.model.interval import Gauge, SlowCheckout
from loadtest.pool.fair_pool import FairPool
from loadtest.pool.task_usage import Task, Use


def test_a_first_connection_is_new_and_a_second_checkout_finds_it_in_the_pool():
    with Bench(pool_size=1, max_overflow=0) as bench:
        use_once(bench.engine)
        use_once(bench.engine)
        assert counted(bench.cut()) == {
            "checkouts": 2,
            "checkouts.new": 1,
            "checkouts.pooled": 1,
            "opened": 1,
        }


def test_an_interval_without_a_checkout_is_empty():
    with Bench() as bench:
        use_once(bench.engine)
        bench.cut()
        interval = bench.cut()
        assert counted(interval) == {}
        assert interval.histograms == {}
        assert interval.slowest == []


def test_a_connection_beyond_the_pools_size_is_overflow_and_closed_on_return():
    with Bench(pool_size=1, max_overflow=2) as bench:
        held = [bench.take() for _ in range(3)]
        assert counted(bench.cut()) == {
            "checkouts": 3,
            "checkouts.new": 1,
            "checkouts.overflow": 2,
            "opened": 3,
        }
        for connection in held:
            connection.close()
        assert counted(bench.cut()) == {"closed.overflow": 2}


def test_the_time_to_connect_is_not_waiting():
    with Bench() as bench:
        bench.connecting = 25
        use_once(bench.engine)
        interval = bench.cut()
        assert milliseconds(interval, "connect") == 25
        assert milliseconds(interval, "checkout") == 25
        assert milliseconds(interval, "wait") == 0
        assert interval.histograms["wait"].count == 1


def test_a_wait_lasts_from_the_asking_to_the_return_of_another():
    with Bench(pool_size=1, max_overflow=0) as bench:
        first = bench.take()
        user = bench.begin_to_take()
        bench.forward(30)
        first.close()
        user.get().close()
        interval = bench.cut()
        assert interval.histograms["wait"].count == 2
        assert milliseconds(interval, "wait") == 30
        assert interval.histograms["wait"].max == 30 * MILLISECOND
        assert interval.counters["checkouts.pooled"] == 1
        assert interval.unfinished.count == 0


def test_a_wait_that_timed_out_is_counted_and_stays_among_the_waits():
    with Bench(pool_size=1, max_overflow=0, pool_timeout=0.02) as bench:
        held = bench.take()
        user = bench.begin_to_take()
        bench.forward(45)
        with pytest.raises(PoolTimeout):
            user.get()
        held.close()
        interval = bench.cut()
        assert counted(interval) == {
            "checkouts": 1,
            "checkouts.new": 1,
            "opened": 1,
            "timeouts": 1,
        }
        assert interval.histograms["wait"].count == 2
        assert interval.histograms["checkout"].count == 2
        assert milliseconds(interval, "wait") == 45
        assert milliseconds(interval, "checkout") == 45 + 1  # and one connect
        assert interval.histograms["wait"].max == 45 * MILLISECOND
        assert bench.recorder.pending == {}


def test_waits_still_going_on_are_counted_with_the_age_of_the_oldest():
    with Bench(pool_size=1, max_overflow=0) as bench:
        held = bench.take()
        users = []
        for _ in range(3):
            users.append(bench.begin_to_take())
            bench.forward(10)
        interval = bench.cut()
        assert interval.unfinished.count == 3
        assert interval.unfinished.max == 30 * MILLISECOND
        assert interval.unfinished.sum == (30 + 20 + 10) * MILLISECOND
        assert interval.histograms["wait"].count == 1
        bench.forward(100)
        assert bench.cut().unfinished.max == 130 * MILLISECOND
        gevent.killall(users)
        held.close()


def test_who_connects_waits_no_longer():
    with Bench(pool_size=1, max_overflow=0) as bench:
        bench.hang = "connecting"
        user = bench.begin_to_take()
        bench.forward(500)
        assert bench.recorder.pending
        assert bench.cut().unfinished.count == 0
        user.kill()


# ---- Ping, recycling, reconnecting


def test_a_ping_is_neither_waiting_nor_connecting():
    with Bench(pool_pre_ping=True) as bench:
        bench.pinging = 3
        use_once(bench.engine)
        assert "ping" not in bench.cut().histograms  # a fresh connection is not pinged
        use_once(bench.engine)
        interval = bench.cut()
        assert milliseconds(interval, "ping") == milliseconds(interval, "checkout") == 3
        assert milliseconds(interval, "wait") == 0
        assert counted(interval) == {"checkouts": 1, "checkouts.pooled": 1}


def test_a_ping_without_an_answer_leads_to_a_reconnect():
    with Bench(pool_pre_ping=True) as bench:
        use_once(bench.engine)
        bench.cut()
        bench.alive, bench.pinging, bench.connecting = False, 3, 20
        use_once(bench.engine)
        interval = bench.cut()
        assert counted(interval) == {
            "checkouts": 1,
            "checkouts.reconnect": 1,
            "closed.invalidated": 1,
            "opened": 1,
        }
        assert milliseconds(interval, "ping") == 3
        assert milliseconds(interval, "reconnect") == 20
        assert "connect" not in interval.histograms
        assert milliseconds(interval, "wait") == 0


def test_a_connection_that_is_too_old_is_recycled():
    with Bench(pool_recycle=0) as bench:
        use_once(bench.engine)
        bench.cut()
        bench.connecting = 20
        use_once(bench.engine)
        interval = bench.cut()
        assert counted(interval) == {
            "checkouts": 1,
            "checkouts.reconnect": 1,
            "closed.recycle": 1,
            "opened": 1,
        }
        assert milliseconds(interval, "reconnect") == 20


def test_a_softly_invalidated_connection_is_replaced_at_its_next_checkout():
    with Bench(pool_size=1) as bench:
        connection = bench.take()
        connection.invalidate(soft=True)
        connection.close()
        assert "closed.error" not in counted(bench.cut())
        use_once(bench.engine)
        assert counted(bench.cut()) == {
            "checkouts": 1,
            "checkouts.reconnect": 1,
            "closed.invalidated": 1,
            "opened": 1,
        }


def test_a_connection_broken_in_use_is_closed_for_its_error():
    with Bench(pool_size=1) as bench:
        connection = bench.take()
        bench.forward(8)
        connection.invalidate()
        interval = bench.cut()
        assert interval.counters["closed.error"] == 1
        assert milliseconds(interval, "hold") == 8
        assert interval.gauges["open"].max == 1
        assert bench.recorder.opened == bench.recorder.held == {}
        use_once(bench.engine)
        assert counted(bench.cut())["opened"] == 1


def test_a_connection_that_broke_once_is_later_closed_for_other_reasons():
    with Bench(pool_size=1) as bench:
        bench.take().invalidate()
        use_once(bench.engine)
        bench.cut()
        bench.engine.dispose()
        assert counted(bench.cut()) == {"closed.disposed": 1}


# ---- Failures


def test_a_failed_connect_is_an_error_of_a_checkout_and_its_time_is_connecting():
    with Bench() as bench:
        bench.connecting, bench.refuse = 25, sqlite3.OperationalError("no")
        with pytest.raises(OperationalError):
            bench.engine.connect()
        interval = bench.cut()
        assert counted(interval) == {"checkout_errors": 1}
        assert milliseconds(interval, "connect") == 25
        assert milliseconds(interval, "wait") == 0
        assert "checkout" not in interval.histograms
        assert bench.engine.pool.checkedout() == 0


def test_a_failed_reconnect_closes_but_does_not_open():
    with Bench(pool_recycle=0) as bench:
        use_once(bench.engine)
        bench.cut()
        bench.connecting, bench.refuse = 25, sqlite3.OperationalError("no")
        with pytest.raises(sqlite3.OperationalError):
            bench.take()
        interval = bench.cut()
        assert counted(interval) == {"checkout_errors": 1, "closed.recycle": 1}
        assert milliseconds(interval, "reconnect") == 25
        bench.forward(1)
        assert bench.cut().gauges["open"].last == 0


def test_an_error_in_a_listener_of_the_application_leaves_nothing_behind():
    with Bench() as bench:

        @event.listens_for(bench.engine, "checkout")
        def refuse(dbapi_connection, record, proxy):
            raise RuntimeError

        with pytest.raises(RuntimeError):
            bench.take()
        assert counted(bench.cut()) == {"checkout_errors": 1, "closed.invalidated": 1, "opened": 1}
        assert bench.recorder.pending == bench.recorder.phases == bench.recorder.held == {}


@pytest.mark.parametrize("moment", ["waiting", "connecting", "pinging"])
def test_a_user_killed_in_a_checkout_leaves_no_wait_behind(moment):
    with Bench(pool_size=1, max_overflow=0, pool_pre_ping=True) as bench:
        if moment == "waiting":
            held = bench.take()
        else:
            use_once(bench.engine)
            if moment == "connecting":
                bench.engine.dispose()
            bench.hang = moment
        bench.cut()
        user = bench.begin_to_take()
        assert bench.recorder.pending
        bench.forward(50)
        user.kill(GreenletExit)
        if moment == "waiting":
            held.close()
        interval = bench.cut()
        assert interval.counters["timeouts"] == interval.counters["checkouts"] == 0
        assert interval.counters["checkout_errors"] == 0
        assert "wait" not in interval.histograms
        assert interval.unfinished.count == 0
        assert bench.recorder.pending == bench.recorder.phases == bench.recorder.held == {}
        bench.forward(1)
        assert bench.cut().gauges["open"].last == len(bench.lives)


# ---- Holds


def test_a_hold_lasts_from_the_checkout_to_the_return_and_names_the_reset():
    with Bench() as bench:
        bench.connecting, bench.resetting = 100, 4
        connection = bench.take()
        bench.forward(10)
        connection.close()
        interval = bench.cut()
        assert milliseconds(interval, "hold") == 14
        assert milliseconds(interval, "reset") == 4


def test_a_hold_that_ends_in_another_interval_is_measured_there_as_a_whole():
    with Bench() as bench:
        connection = bench.take()
        bench.forward(1000)
        assert "hold" not in bench.cut().histograms
        bench.forward(500)
        connection.close()
        assert milliseconds(bench.cut(), "hold") == 1500


def test_a_hold_ends_when_the_connection_is_detached_from_the_pool():
    with Bench() as bench:
        connection = bench.take()
        bench.forward(10)
        connection.detach()
        bench.forward(90)
        interval = bench.cut()
        assert milliseconds(interval, "hold") == 10
        assert interval.gauges["in_use"].last == 0
        assert interval.gauges["open"].last == 1
        connection.close()
        assert counted(bench.cut()) == {"closed.detached": 1}
        assert bench.recorder.opened == {}


def test_a_connection_that_the_application_forgot_is_returned_when_it_is_collected():
    with Bench() as bench:
        connection = bench.take()
        bench.forward(10)
        del connection
        assert milliseconds(bench.cut(), "hold") == 10


# ---- Listeners that use the engine


def nest(bench, work):
    """Let a listener of each checkout do something that checks out too; nothing listens to that."""
    inside = []

    @event.listens_for(bench.engine, "checkout")
    def look(dbapi_connection, record, proxy):
        if not inside:
            inside.append(1)
            try:
                work()
            finally:
                inside.clear()


def use_for(bench, milliseconds_):
    connection = bench.take()
    bench.forward(milliseconds_)
    connection.close()


def nothing_left(bench):
    recorder = bench.recorder
    empty = [recorder.pending, recorder.phases, recorder.held, recorder.aside]
    return not any(empty) and not bench.engine.pool.checkedout()


def test_a_checkout_by_a_listener_of_a_checkout_is_one_of_its_own():
    with Bench(pool_size=2) as bench:
        nest(bench, lambda: use_for(bench, 10))
        use_for(bench, 20)
        bench.forward(1)
        interval = bench.cut()
        assert counted(interval) == {"checkouts": 2, "checkouts.new": 2, "opened": 2}
        assert milliseconds(interval, "wait") == 0
        assert milliseconds(interval, "connect") == 2
        assert milliseconds(interval, "hold") == 10 + 20
        assert milliseconds(interval, "checkout") == 1 + (1 + 1 + 10)
        assert interval.histograms["hold"].count == interval.histograms["wait"].count == 2
        assert interval.gauges["in_use"].integral == 30 * MILLISECOND
        assert interval.gauges["in_use"].max == 1
        assert interval.gauges["open"].last == interval.gauges["idle"].last == 2
        assert nothing_left(bench)


def test_who_waits_in_a_listener_has_waited_for_the_first_connection():
    with Bench(pool_size=2, max_overflow=0) as bench:
        first, second = bench.take(), bench.take()
        bench.cut()
        nest(bench, lambda: use_for(bench, 5))
        user = bench.begin_to_take()
        bench.forward(30)
        first.close()
        others_go_on()  # the user has that one; its listener waits for another
        bench.forward(40)
        during = bench.cut()
        assert during.unfinished.count == 1
        assert during.unfinished.max == 40 * MILLISECOND
        assert during.gauges["waiting"].integral == (30 + 40) * MILLISECOND
        assert during.gauges["waiting"].max == 1
        second.close()
        user.get().close()
        after = bench.cut()
        assert milliseconds(after, "wait") == 30 + 40
        assert after.histograms["wait"].max == 40 * MILLISECOND
        assert after.gauges["waiting"] == Gauge()
        assert nothing_left(bench)


def test_a_listener_that_waits_in_vain_times_out_and_the_first_checkout_fails():
    with Bench(pool_size=1, max_overflow=0, pool_timeout=0.02) as bench:
        nest(bench, lambda: use_for(bench, 5))
        with pytest.raises(PoolTimeout):
            bench.take()
        counters = counted(bench.cut())
        assert (counters["timeouts"], counters["checkout_errors"]) == (1, 1)
        assert nothing_left(bench)


def test_a_connection_that_a_listener_returns_is_closed_for_its_own_reasons():
    with Bench(pool_size=1, max_overflow=1) as bench:
        nest(bench, lambda: use_for(bench, 5))
        use_once(bench.engine)
        assert counted(bench.cut()) == {
            "checkouts": 2,
            "checkouts.new": 1,
            "checkouts.overflow": 1,
            "closed.overflow": 1,
            "opened": 2,
        }
        assert nothing_left(bench)


def test_a_connection_that_a_listener_breaks_is_closed_for_its_error():
    with Bench(pool_size=2) as bench:
        nest(bench, lambda: bench.take().invalidate())
        use_once(bench.engine)
        counters = counted(bench.cut())
        assert counters["closed.error"] == 1
        assert counters["checkouts.new"] == 2
        assert nothing_left(bench)


def test_an_engine_that_listens_to_itself_is_measured_without_a_pool_too():
    with Bench(poolclass=NullPool) as bench:
        nest(bench, lambda: use_for(bench, 5))
        use_for(bench, 10)
        interval = bench.cut()
        assert interval.counters["checkouts.new"] == interval.histograms["hold"].count == 2
        assert milliseconds(interval, "hold") == 15
        assert bench.recorder.held == bench.recorder.opened == {}


# ---- The slowest


def test_the_slowest_checkouts_tell_what_they_were_made_of():
    with Bench(pool_size=1, max_overflow=1) as bench:
        first, second = bench.take(), bench.take()
        bench.cut()

        def buy():
            bench.recorder.tasks[getcurrent()] = Task("Buy", Use())
            return bench.take()

        users = [waiting(buy), bench.begin_to_take()]
        bench.forward(30)
        first.close()
        others_go_on()
        bench.forward(20)
        second.close()
        gevent.joinall(users, raise_error=True)
        slowest = bench.cut().slowest
        thirty = 30 * MILLISECOND
        buyer = SlowCheckout(
            thirty, thirty, hold=20 * MILLISECOND, task="Buy", overflow=1, waiting=1
        )
        assert buyer in slowest
        assert [slow.total for slow in slowest] == [50 * MILLISECOND, 30 * MILLISECOND]
        assert slowest[0].waiting == 0
        for user in users:
            user.get().close()


def test_the_slowest_five_are_kept():
    with Bench() as bench:
        for milliseconds_ in (1, 9, 3, 7, 5, 2, 8):
            bench.connecting = milliseconds_
            use_once(bench.engine)
            bench.engine.dispose()
        slowest = bench.cut().slowest
        assert [slow.connect for slow in slowest] == [n * MILLISECOND for n in (9, 8, 7, 5, 3)]


# ---- Sums


@pytest.mark.parametrize("poolclass", [QueuePool, FairPool])
def test_what_is_counted_is_what_was_done_however_often_it_is_cut(poolclass):
    with Bench(poolclass=poolclass, pool_size=3, max_overflow=1, pool_timeout=0.005) as bench:
        done: Counter[str] = Counter()

        def work():
            for _ in range(25):
                try:
                    connection = bench.engine.connect()
                except PoolTimeout:
                    done["timeouts"] += 1
                    continue
                connection.execute(text("SELECT 1"))
                bench.forward(1)
                gevent.sleep(0.001)
                connection.close()
                done["checkouts"] += 1

        users = [gevent.spawn(work) for _ in range(40)]
        cuts = []
        while not all(user.ready() for user in users):
            cuts.append(bench.cut())
            gevent.sleep(0.002)
        gevent.joinall(users, raise_error=True)
        cuts.append(bench.cut())
        counters = sum((cut.counters for cut in cuts), Counter())
        assert len(cuts) > 10
        assert done["timeouts"] > 0
        assert counters["checkouts"] == done["checkouts"]
        assert counters["timeouts"] == done["timeouts"]
        sources = [counters[f"checkouts.{s}"] for s in ("pooled", "new", "overflow", "reconnect")]
        assert sum(sources) == done["checkouts"]
        assert sum(c.histograms["wait"].count for c in cuts if "wait" in c.histograms) == 1000
        held = [c.histograms["hold"] for c in cuts if "hold" in c.histograms]
        assert sum(hold.count for hold in held) == done["checkouts"]
        in_use = sum(cut.gauges["in_use"].integral for cut in cuts)
        assert in_use == sum(hold.sum for hold in held)
        assert counters["opened"] - counters["closed.overflow"] == len(bench.lives)
