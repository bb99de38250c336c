"""Any engine can be measured: an application's, one in use, a copy, a disposed one."""

import gc
import weakref

import pytest
from measuring import MILLISECOND, Bench, counted, milliseconds, use_once
from sqlalchemy import NullPool, QueuePool, StaticPool, create_engine, text

from loadtest.model.interval import Gauge
from loadtest.pool.measure import measure
from loadtest.pool.recorder import Recorder


@pytest.fixture
def engine():
    """An engine made from a URL, with nothing of ours in it."""
    made = create_engine(
        "sqlite://",
        poolclass=QueuePool,
        pool_size=2,
        max_overflow=2,
        connect_args={"check_same_thread": False},
    )
    yield made
    made.dispose()


def measured(engine) -> Recorder:
    recorder = Recorder("p1")
    measure(engine, recorder)
    return recorder


def test_an_engine_made_from_a_url_is_measured(engine):
    recorder = measured(engine)
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
    interval = recorder.cut("measured")
    assert counted(interval) == {"checkouts": 1, "checkouts.new": 1, "opened": 1}
    assert interval.histograms["connect"].sum > 0
    assert interval.histograms["checkout"].sum >= interval.histograms["connect"].sum
    assert interval.histograms["hold"].count == 1


def test_a_copy_with_other_options_is_measured_too(engine):
    before = engine.execution_options(isolation_level="AUTOCOMMIT")
    recorder = measured(engine)
    after = engine.execution_options(stream_results=True)
    for copy in (before, after):
        with copy.connect() as connection:
            connection.execute(text("SELECT 1"))
    assert recorder.cut("measured").counters["checkouts"] == 2


def test_measuring_a_copy_measures_the_engine(engine):
    recorder = measured(engine.execution_options(isolation_level="AUTOCOMMIT"))
    use_once(engine)
    assert recorder.cut("measured").counters["checkouts"] == 1


def test_without_a_pool_every_checkout_opens_a_connection_and_closes_it():
    with Bench(poolclass=NullPool) as bench:
        bench.connecting = 5
        for _ in range(3):
            connection = bench.take()
            bench.forward(10)
            connection.close()
        interval = bench.cut()
        counters = counted(interval)
        closed = [name for name in counters if name.startswith("closed.")]
        assert sum(counters.pop(name) for name in closed) == 3
        assert counters == {"checkouts": 3, "checkouts.new": 3, "opened": 3}
        assert milliseconds(interval, "connect") == 15
        assert milliseconds(interval, "hold") == 30
        assert interval.gauges["open"].integral == 30 * MILLISECOND
        assert interval.gauges["idle"].max == 0


def test_a_pool_of_another_class_is_measured_without_its_size():
    with Bench(poolclass=StaticPool) as bench:
        use_once(bench.engine)
        interval = bench.cut()
        assert interval.counters["checkouts"] == 1
        assert bench.recorder.pool_size is None


# ---- In use before


def test_idle_connections_from_before_are_open_but_not_opened(engine):
    first, second = engine.connect(), engine.connect()
    first.close()
    recorder = measured(engine)
    use_once(engine)
    interval = recorder.cut("measured")
    assert counted(interval) == {"checkouts": 1, "checkouts.pooled": 1}
    assert interval.gauges["open"].last == 1
    second.close()
    use_once(engine)
    interval = recorder.cut("measured")
    assert counted(interval) == {"checkouts": 1, "checkouts.pooled": 1}
    assert interval.gauges["open"].last == interval.gauges["idle"].last == 2


def test_a_connection_taken_before_is_known_from_its_return_on(engine):
    connection = engine.connect()
    recorder = measured(engine)
    recorder.cut("measured")
    connection.close()
    interval = recorder.cut("measured")
    assert "hold" not in interval.histograms  # its begin was not measured
    assert interval.gauges["in_use"] == Gauge()
    assert interval.gauges["open"].last == 1
    engine.dispose()
    assert counted(recorder.cut("measured")) == {"closed.disposed": 1}


@pytest.mark.parametrize("end", ["invalidate", "detach"])
def test_a_connection_taken_before_may_also_end_otherwise(engine, end):
    connection = engine.raw_connection()
    recorder = measured(engine)
    getattr(connection, end)()
    connection.close()
    counters = counted(recorder.cut("measured"))
    assert counters == {"closed.error" if end == "invalidate" else "closed.detached": 1}
    assert recorder.opened == recorder.held == {}


def test_overflow_from_before_is_closed_on_return(engine):
    connections = [engine.connect() for _ in range(4)]
    recorder = measured(engine)
    for connection in connections:
        connection.close()
    interval = recorder.cut("measured")
    assert counted(interval) == {"closed.overflow": 2}
    assert interval.gauges["open"].last == 2


# ---- After dispose()


@pytest.mark.parametrize("times", [1, 2])
def test_measuring_goes_on_after_dispose_and_counts_once(times):
    with Bench(pool_size=2) as bench:
        use_once(bench.engine)
        bench.cut()
        for _ in range(times):
            bench.engine.dispose()
        connection = bench.take()
        bench.forward(10)
        connection.close()
        use_once(bench.engine)
        interval = bench.cut()
        assert counted(interval) == {
            "checkouts": 2,
            "checkouts.new": 1,
            "checkouts.pooled": 1,
            "closed.disposed": 1,
            "opened": 1,
        }
        assert interval.histograms["wait"].count == interval.histograms["hold"].count == 2
        assert milliseconds(interval, "hold") == 10
        assert interval.gauges["open"].last == 1


def test_disposing_again_and_again_counts_every_connection_once():
    with Bench(pool_size=2, max_overflow=1) as bench:
        for _ in range(5):
            connections = [bench.take() for _ in range(3)]
            for connection in connections:
                connection.close()
            bench.engine.dispose()
        assert counted(bench.cut()) == {
            "checkouts": 15,
            "checkouts.new": 10,
            "checkouts.overflow": 5,
            "closed.disposed": 10,
            "closed.overflow": 5,
            "opened": 15,
        }
        assert bench.recorder.opened == {}


def test_a_connection_in_use_while_the_engine_is_disposed_is_closed_when_it_is_returned():
    with Bench(pool_size=2) as bench:
        connection = bench.take()
        bench.engine.dispose()
        bench.forward(10)
        during = bench.cut()
        assert (during.gauges["in_use"].last, during.gauges["open"].last) == (1, 1)
        connection.close()
        bench.forward(10)
        after = bench.cut()
        assert counted(after) == {"closed.disposed": 1}
        assert milliseconds(after, "hold") == 10
        assert (after.gauges["in_use"].last, after.gauges["open"].last) == (0, 0)


def test_overflow_of_a_disposed_pool_is_counted_as_closed_once():
    with Bench(pool_size=1, max_overflow=1) as bench:
        connections = [bench.take() for _ in range(2)]
        bench.engine.dispose()
        for connection in connections:
            connection.close()
        counters = counted(bench.cut())
        assert counters["closed.disposed"] == counters["closed.overflow"] == 1
        assert bench.recorder.opened == {}


def test_measuring_keeps_no_connection_of_a_disposed_pool_alive():
    with Bench(pool_size=2) as bench:
        connection = bench.take()
        raw = connection.dbapi_connection
        dead = weakref.ref(raw)
        bench.engine.dispose()
        connection.close()
        raw.close()  # the pool has given it up
        del connection, raw
        gc.collect()
        assert dead() is None


def test_a_pool_that_is_left_without_closing_is_forgotten():
    with Bench(pool_size=2) as bench:
        use_once(bench.engine)
        bench.engine.dispose(close=False)
        assert bench.recorder.opened == {}
        use_once(bench.engine)
        assert counted(bench.cut())["checkouts.new"] == 2


def test_a_checkout_that_waits_while_the_engine_is_disposed_is_measured_to_its_end():
    with Bench(pool_size=1, max_overflow=0) as bench:
        first = bench.take()
        user = bench.begin_to_take()
        bench.engine.dispose()
        bench.forward(20)
        first.close()
        user.get().close()
        interval = bench.cut()
        assert milliseconds(interval, "wait") == 20
        assert interval.histograms["hold"].count == 2
        assert bench.recorder.pending == bench.recorder.held == {}
        bench.forward(1)
        assert bench.cut().gauges["open"].last == 0
