"""On a real database the numbers of the recorder are those that the server and the users count."""

import gc
import time
from collections import Counter

import gevent
import pytest
from gevent import GreenletExit
from measuring import counted, use_once, waiting
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from loadtest.database.engine import make_engine, parent_session
from loadtest.model.interval import total
from loadtest.model.pool import parse_pool
from loadtest.pool.measure import measure
from loadtest.pool.recorder import Recorder

pytestmark = pytest.mark.database

ONE = text("SELECT 1")
NUMBER = text("SELECT CONNECTION_ID()")


@pytest.fixture
def measured(url):
    """Makes measured engines on the real database, with their recorders."""
    made = []

    def make(pool: str, address=url):
        engine = make_engine(address, parse_pool(pool), tls=False)
        made.append(engine)
        recorder = Recorder("p1")
        measure(engine, recorder)
        return engine, recorder

    yield make
    for engine in made:
        engine.dispose()


@pytest.fixture
def server_says(admin):
    """Reads a status of the server by a connection that is open all the time."""
    with admin.connect() as connection:

        def status(name: str) -> int:
            query = text("SHOW GLOBAL STATUS LIKE :name")
            return int(connection.execute(query, {"name": name}).one()[1])

        yield status


@pytest.fixture
def kill(admin):
    """Kills a connection, and waits until the server is rid of it."""

    def ended(number: int) -> None:
        with admin.connect() as connection:
            connection.execute(text(f"KILL {number}"))
            left = text(f"SELECT COUNT(*) FROM information_schema.processlist WHERE id = {number}")
            while connection.scalar(left):
                gevent.sleep(0.01)

    return ended


def settled(read, expected: int) -> int:
    """A status value of the server, which notices the end of a connection a little later."""
    deadline = time.monotonic() + 60
    while (value := read()) != expected and time.monotonic() < deadline:
        gevent.sleep(0.02)
    return value


def idle_numbers(engine, count: int) -> list[int]:
    """Put some connections into the pool; their numbers on the server."""
    connections = [engine.connect() for _ in range(count)]
    numbers = [connection.scalar(NUMBER) for connection in connections]
    for connection in connections:
        connection.close()
    return numbers


def test_connections_are_those_that_the_server_counts(measured, server_says):
    engine, recorder = measured("2+2")
    opened, connected = server_says("Connections"), server_says("Threads_connected")
    held = [engine.connect() for _ in range(4)]
    interval = recorder.cut("measured")
    assert counted(interval) == {
        "checkouts": 4,
        "checkouts.new": 2,
        "checkouts.overflow": 2,
        "opened": 4,
    }
    assert server_says("Connections") - opened == 4
    assert interval.gauges["open"].last == server_says("Threads_connected") - connected == 4
    assert interval.gauges["in_use"].last == engine.pool.checkedout() == 4
    assert interval.gauges["overflow"].last == engine.pool.overflow() == 2
    for connection in held:
        connection.close()
    use_once(engine)
    gevent.sleep(0.01)
    interval = recorder.cut("measured")
    assert counted(interval) == {"checkouts": 1, "checkouts.pooled": 1, "closed.overflow": 2}
    assert settled(lambda: server_says("Threads_connected") - connected, 2) == 2
    assert interval.gauges["open"].last == interval.gauges["idle"].last == 2
    assert engine.pool.checkedin() == 2


def test_many_users_of_the_parent_session_lose_nothing(measured, server_says):
    engine, recorder = measured("pool_size=3,max_overflow=2,pool_timeout=600")
    parent, done, cuts = parent_session(engine), Counter(), []
    opened = server_says("Connections")

    def work():
        for _ in range(20):
            assert parent().scalar(text("SELECT SLEEP(0.002)")) == 0
            parent.remove()
            done["tasks"] += 1

    users = [gevent.spawn(work) for _ in range(30)]
    while not all(user.ready() for user in users):
        cuts.append(recorder.cut("measured"))
        gevent.sleep(0.02)
    gevent.joinall(users, raise_error=True)
    cuts.append(recorder.cut("measured"))
    whole = total(cuts)
    counters = whole.counters
    assert counters["checkouts"] == done["tasks"] == 600
    assert whole.histograms["wait"].count == whole.histograms["hold"].count == 600
    assert whole.histograms["reset"].count == 600
    sources = [counters[f"checkouts.{s}"] for s in ("pooled", "new", "overflow", "reconnect")]
    assert sum(sources) == 600
    assert counters["opened"] == server_says("Connections") - opened
    assert counters["opened"] - counters["closed.overflow"] == engine.pool.checkedin() == 3
    assert whole.gauges["in_use"].integral == whole.histograms["hold"].sum
    assert max(cut.gauges["in_use"].max for cut in cuts) == 5
    assert 0 < max(cut.gauges["waiting"].max for cut in cuts) <= 30
    # Little's law: more users than connections were busy on average, and never more than all.
    busy = whole.histograms["checkout"].sum + whole.histograms["hold"].sum
    assert 5 * whole.length < busy <= 30 * whole.length


def test_a_wait_lasts_as_long_as_the_query_that_holds_the_connection(measured):
    engine, recorder = measured("1+0")
    with engine.connect() as holder:
        user = waiting(engine.connect)
        holder.execute(text("SELECT SLEEP(0.2)"))
        going_on = recorder.cut("measured")
        assert going_on.unfinished.count == 1
        assert going_on.unfinished.max >= 200_000_000
    user.get().close()
    wait = recorder.cut("measured").histograms["wait"]
    assert wait.count == 1
    assert wait.max >= going_on.unfinished.max


def test_waits_that_time_out_stay_among_the_waits(measured):
    engine, recorder = measured("pool_size=1,max_overflow=0,pool_timeout=100ms")
    with engine.connect():
        for user in [gevent.spawn(engine.connect) for _ in range(3)]:
            with pytest.raises(PoolTimeout):
                user.get()
    interval = recorder.cut("measured")
    assert interval.counters["timeouts"] == 3
    assert interval.counters["checkouts"] == 1
    wait = interval.histograms["wait"]
    assert wait.count == 4
    assert wait.max >= 100_000_000
    assert wait.sum >= 3 * 100_000_000


def test_a_killed_connection_fails_once_and_the_older_ones_are_replaced(measured, kill):
    engine, recorder = measured("3+0")
    numbers = idle_numbers(engine, 3)
    recorder.cut("measured")
    kill(numbers[0])  # the first that was returned is the next that is taken
    connection = engine.connect()
    with pytest.raises(OperationalError):
        connection.execute(ONE)
    connection.close()
    interval = recorder.cut("measured")
    assert interval.counters["closed.error"] == 1
    assert interval.histograms["hold"].count == 1
    new = idle_numbers(engine, 3)
    counters = recorder.cut("measured").counters
    assert not set(new) & set(numbers)
    assert counters["opened"] == counters["checkouts"] == 3
    assert counters["checkouts.pooled"] == 0
    assert counters["closed.invalidated"] == 2
    assert counters["checkouts.reconnect"] == 3  # these two and the one that failed


def test_a_ping_finds_the_killed_connection_and_the_user_notices_nothing(measured, kill):
    engine, recorder = measured("pool_size=1,max_overflow=0,pool_pre_ping=true")
    (number,) = idle_numbers(engine, 1)
    recorder.cut("measured")
    (same,) = idle_numbers(engine, 1)
    interval = recorder.cut("measured")
    assert same == number
    assert interval.histograms["ping"].count == 1
    assert counted(interval) == {"checkouts": 1, "checkouts.pooled": 1}
    kill(number)
    (new,) = idle_numbers(engine, 1)
    interval = recorder.cut("measured")
    assert new != number
    assert counted(interval) == {
        "checkouts": 1,
        "checkouts.reconnect": 1,
        "closed.invalidated": 1,
        "opened": 1,
    }
    assert interval.histograms["ping"].count == interval.histograms["reconnect"].count == 1
    parts = [interval.histograms[name].sum for name in ("wait", "ping", "reconnect")]
    assert sum(parts) == interval.histograms["checkout"].sum


def test_old_connections_are_recycled(measured, server_says):
    engine, recorder = measured("pool_size=1,max_overflow=0,pool_recycle=0")
    (number,) = idle_numbers(engine, 1)
    recorder.cut("measured")
    opened = server_says("Connections")
    assert idle_numbers(engine, 1) != [number]
    interval = recorder.cut("measured")
    assert counted(interval) == {
        "checkouts": 1,
        "checkouts.reconnect": 1,
        "closed.recycle": 1,
        "opened": 1,
    }
    assert server_says("Connections") - opened == 1


@pytest.mark.parametrize("change", [{"password": "wrong"}, {"port": 1}])
def test_a_connect_that_fails_is_an_error_of_a_checkout(measured, url, change):
    engine, recorder = measured("5+0", url.set(**change))
    for _ in range(5):
        with pytest.raises(OperationalError):
            engine.connect()
    interval = recorder.cut("measured")
    assert counted(interval) == {"checkout_errors": 5}
    connect, wait = interval.histograms["connect"], interval.histograms["wait"]
    assert connect.count == 5
    assert connect.percentile_seconds(50) > wait.percentile_seconds(50)
    assert "checkout" not in interval.histograms
    assert engine.pool.checkedout() == 0


def test_without_a_pool_the_server_sees_every_checkout(measured, server_says):
    engine, recorder = measured("poolclass=NullPool")
    opened = server_says("Connections")
    for _ in range(3):
        with engine.connect() as connection:
            connection.execute(ONE)
    interval = recorder.cut("measured")
    assert server_says("Connections") - opened == interval.counters["opened"] == 3
    assert interval.counters["checkouts"] == interval.counters["checkouts.new"] == 3
    assert interval.histograms["connect"].count == interval.histograms["hold"].count == 3
    assert interval.gauges["open"].last == 0


@pytest.mark.parametrize("where", ["waiting", "connecting"])
def test_a_user_killed_in_a_checkout_leaves_no_trace(measured, server_says, where):
    engine, recorder = measured("1+0")
    use_once(engine)
    connected = server_says("Threads_connected")
    if where == "waiting":
        held = engine.connect()
    else:
        engine.dispose()
        connected -= 1
    recorder.cut("measured")
    user = gevent.spawn(engine.connect)
    gevent.sleep(0)
    assert recorder.pending
    user.kill(GreenletExit)
    interval = recorder.cut("measured")
    assert "wait" not in interval.histograms
    assert counted(interval) == {}
    assert not recorder.pending
    assert not recorder.phases
    if where == "waiting":
        held.close()
    gc.collect()  # a driver killed while it connects leaves its socket to the garbage collector
    assert settled(lambda: server_says("Threads_connected"), connected) == connected
    with engine.connect() as connection:
        assert connection.scalar(ONE) == 1


def test_after_dispose_the_server_is_rid_of_every_connection(measured, server_says):
    engine, recorder = measured("2+1")
    connected = server_says("Threads_connected")
    held = [engine.connect() for _ in range(3)]
    held.pop().close()
    engine.dispose()
    engine.dispose()
    for connection in held:
        connection.execute(ONE)
        connection.close()
    del connection, held
    gc.collect()
    assert settled(lambda: server_says("Threads_connected") - connected, 0) == 0
    counters = recorder.cut("measured").counters
    closed = sum(n for name, n in counters.items() if name.startswith("closed."))
    assert counters["opened"] == closed == 3
    assert recorder.opened == recorder.held == {}


def test_a_child_that_is_not_removed_keeps_its_connection(measured):
    engine, recorder = measured("1+0")
    parent = parent_session(engine)
    parent().execute(ONE)
    parent().commit()  # gives it back; only what is in a transaction is held
    parent().execute(ONE)
    interval = recorder.cut("measured")
    assert interval.counters["checkouts"] == 2
    assert interval.gauges["in_use"].last == 1
    parent.remove()
    gevent.sleep(0.001)
    assert recorder.cut("measured").gauges["in_use"].last == 0


def begun(engine, recorder):
    """Leave the first connection behind, in which the dialect asks and rolls back for itself."""
    with engine.connect():
        pass
    recorder.cut("measured")


def test_the_reset_is_the_rollback_of_the_pool_and_not_that_of_the_session(measured, server_says):
    engine, recorder = measured("1+0")
    parent = parent_session(engine)
    begun(engine, recorder)
    before = server_says("Com_rollback")
    parent.execute(ONE)
    parent.remove()
    interval = recorder.cut("measured")
    assert interval.histograms["reset"].count == 1
    assert interval.histograms["reset"].sum < interval.histograms["hold"].sum
    assert server_says("Com_rollback") == before + 2


def test_where_closing_rolled_back_already_the_pool_does_not_do_it_again(measured, server_says):
    engine, recorder = measured("1+0")
    begun(engine, recorder)
    before = server_says("Com_rollback")
    with engine.connect() as connection:
        connection.execute(ONE)
    assert "reset" not in recorder.cut("measured").histograms
    assert server_says("Com_rollback") == before + 1
