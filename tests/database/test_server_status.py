"""What the server says of itself, beside every second, and nothing where it is away."""

import time
from collections import Counter
from contextlib import closing
from types import SimpleNamespace

import gevent
import psutil
import pymysql
import pytest
from sqlalchemy import URL, create_engine, text
from sqlalchemy.exc import OperationalError

from loadtest.database.private_server import PrivateServer
from loadtest.database.server_status import STATUS_COUNTERS, STATUS_GAUGES, ServerStatus
from loadtest.experiment.faults.relay import Relay
from loadtest.model.interval import SERVER
from tests.database.test_supervisor import eventually


@pytest.fixture
def status(url):
    made = ServerStatus(url)
    yield made
    made.close()


@pytest.mark.database
def test_the_first_sample_only_says_where_counting_begins(status):
    assert status.sample("measured") is None
    assert status.sample("measured") is not None


@pytest.mark.database
def test_counters_are_what_was_added_since_the_last_sample(status, admin):
    with admin.connect() as connection:
        connection.execute(text("SELECT 1"))
        status.sample("measured")
        for _ in range(25):
            connection.execute(text("SELECT 1"))
        busy, idle = status.sample("measured"), status.sample("measured")
    # The look itself is one question.
    assert busy.counters["questions"] == 25 + 1
    assert idle.counters["questions"] == 1
    assert busy.counters.keys() >= set(STATUS_COUNTERS.values())


@pytest.mark.database
def test_levels_are_those_of_the_moment(status, admin):
    status.sample("measured")
    before = status.sample("measured").gauges["threads_connected"]
    with admin.connect(), admin.connect():
        interval = status.sample("warmup")
        level = interval.gauges["threads_connected"]
        assert level.last - before.last == 2
        assert level.integral == level.last * interval.length
        assert interval.gauges.keys() == set(STATUS_GAUGES.values())
        assert (interval.process, interval.period) == (SERVER, "warmup")


@pytest.mark.database
def test_the_intervals_cover_the_time_between_the_samples(status):
    begin = time.perf_counter_ns()
    status.sample("measured")
    lengths = []
    for _ in range(5):
        gevent.sleep(0.01)
        lengths.append(status.sample("measured").length)
    assert all(length >= 10_000_000 for length in lengths)
    assert sum(lengths) <= time.perf_counter_ns() - begin


def test_an_interval_ends_when_the_server_answers(monkeypatch):
    clock = SimpleNamespace(now=10**15)
    clock.perf_counter_ns = clock.time_ns = lambda: clock.now
    monkeypatch.setattr("loadtest.database.server_status.time", clock)
    status = ServerStatus(URL.create("mysql+pymysql", "u", "p", "127.0.0.1", 1, "d"))

    def answers_after(seconds):
        def read():
            clock.now += seconds * 10**9
            return dict.fromkeys([*STATUS_COUNTERS.values(), *STATUS_GAUGES.values()], 0)

        monkeypatch.setattr(status, "_read", read)
        return status.sample("measured")

    assert answers_after(0) is None
    clock.now += 10**9
    slow, quick = answers_after(3), answers_after(0)
    assert (slow.length, quick.length) == (4 * 10**9, 0)
    assert quick.second - slow.second == 4


@pytest.mark.database
def test_waits_for_row_locks_are_counted_in_nanoseconds(status, admin):
    update = text("UPDATE status_test SET n = n + 1")
    with admin.begin() as connection:
        connection.execute(text("CREATE TABLE status_test (n INT)"))
        connection.execute(text("INSERT INTO status_test VALUES (0)"))
    try:
        with admin.connect() as holder, admin.connect() as waiter:
            holder.execute(update)
            status.sample("measured")
            waiting = gevent.spawn(waiter.execute, update)
            gevent.sleep(0.2)
            holder.rollback()
            waiting.get()
            interval = status.sample("measured")
        assert interval.counters["row_lock_waits"] == 1
        assert interval.counters["row_lock_time"] >= 100_000_000
    finally:
        with admin.begin() as connection:
            connection.execute(text("DROP TABLE status_test"))


@pytest.mark.database
def test_the_cpu_time_is_that_of_the_servers_process(status, server, admin):
    (process,) = psutil.Process(server._kept.pid).children()
    before = sum(process.cpu_times()[:2])
    status.sample("measured")
    with admin.connect() as connection:
        connection.execute(text("SELECT BENCHMARK(3000000, SHA2('busy', 256))"))
    used = status.sample("measured").counters["cpu"] / 1e9
    # The system counts in hundredths of a second.
    assert 0 < used <= sum(process.cpu_times()[:2]) - before + 0.011


@pytest.mark.database
def test_a_server_on_another_machine_has_no_cpu_time_here(url, monkeypatch):
    elsewhere = ServerStatus(url.set(host="127.0.0.2"))
    assert elsewhere._process is None
    monkeypatch.setattr(psutil, "net_connections", lambda kind: [])
    assert ServerStatus(url)._process is None


@pytest.mark.database
def test_who_only_passes_on_what_the_server_says_is_not_the_server(url):
    with closing(Relay(url)) as relay:
        status = ServerStatus(relay.url)
        status.sample("measured")
        assert "cpu" not in status.sample("measured").counters
        status.close()


@pytest.mark.database
def test_a_server_that_was_started_again_is_found_again():
    with PrivateServer() as server:
        status = ServerStatus(server.url)
        status.sample("measured")
        assert "cpu" in status.sample("measured").counters
        server.shut_down()
        assert status.sample("measured") is None
        server.start_again()
        for _ in range(2):
            status.sample("measured")
        assert "cpu" in status.sample("measured").counters
        status.close()


@pytest.mark.database
def test_a_process_that_may_not_be_seen_has_no_cpu_time(url, monkeypatch):
    def refuse(kind):
        raise psutil.AccessDenied

    monkeypatch.setattr(psutil, "net_connections", refuse)
    status = ServerStatus(url)
    status.sample("measured")
    assert "cpu" not in status.sample("measured").counters
    status.close()


@pytest.mark.database
def test_it_is_no_burden_and_gives_its_connection_up(url, admin):
    status = ServerStatus(url)
    with admin.connect() as connection:
        others = text("SELECT COUNT(*) FROM information_schema.processlist WHERE command = 'Sleep'")
        before = connection.scalar(others)
        for _ in range(5):
            status.sample("measured")
        assert connection.scalar(others) - before == 1
        status.close()
        deadline = time.monotonic() + 60
        while connection.scalar(others) > before and time.monotonic() < deadline:
            gevent.sleep(0.02)
        assert connection.scalar(others) == before


def test_a_server_that_is_away_says_nothing():
    nobody = ServerStatus(URL.create("mysql+pymysql", "u", "p", "127.0.0.1", 1, "d"))
    assert nobody.sample("measured") is None
    assert nobody.sample("measured") is None
    nobody.close()


def test_a_status_that_is_lost_says_why_until_it_is_there_again(monkeypatch):
    status = ServerStatus(URL.create("mysql+pymysql", "u", "p", "127.0.0.1", 1, "d"))
    full = pymysql.OperationalError(1040, "Too many connections")

    def refuse():
        raise OperationalError("connect", {}, full)

    monkeypatch.setattr(status, "_connected", refuse)
    status.open()
    assert (status.answers, status.problem) == (0, "(1040, 'Too many connections')")
    assert status.sample("measured") is None
    assert (status.answers, status.problem) == (0, "(1040, 'Too many connections')")
    monkeypatch.setattr(status, "_read", dict)
    assert status.sample("measured") is None  # the first says only where counting begins
    assert (status.answers, status.problem) == (1, "")


@pytest.mark.database
def test_a_server_that_was_away_is_asked_again(status, url, admin):
    status.sample("measured")
    assert status.sample("measured")
    number = status._connection.scalar(text("SELECT CONNECTION_ID()"))
    with admin.connect() as connection:
        connection.execute(text(f"KILL {number}"))
    assert status.sample("measured") is None
    assert status.sample("measured") is None
    assert status.sample("measured").counters["questions"] >= 1


@pytest.mark.database
def test_the_server_counts_whom_it_refused(url):
    engine = create_engine(url, connect_args={"ssl_disabled": True}, max_overflow=30)
    status = ServerStatus(url)
    status.sample("measured")
    kept = [engine.connect()]
    usual = kept[0].scalar(text("SELECT @@max_connections"))
    kept[0].execute(text("SET GLOBAL max_connections = 10"))
    try:
        with pytest.raises(Exception, match="Too many connections"):  # noqa: PT012
            for _ in range(20):
                kept.append(engine.connect())
        refused = Counter()

        def counted() -> bool:  # the server counts after it has answered
            refused.update(status.sample("measured").counters)
            return refused["refused_connects"] == 1

        assert eventually(counted)
    finally:
        kept[0].execute(text(f"SET GLOBAL max_connections = {usual}"))
    status.close()
    for connection in kept:
        connection.close()
    engine.dispose()
