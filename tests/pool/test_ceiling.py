"""A ceiling on the connections of a process: what would exceed it fails, and nothing else does."""

from __future__ import annotations

import gevent
import pytest
from greenlet import GreenletExit
from measuring import Bench, use_once
from sqlalchemy import NullPool, event

from loadtest.model.errors import MoreThanAnnounced


@pytest.fixture
def bench():
    """A pool without a limit of its own, under a ceiling of two connections."""
    with Bench(pool_size=1, max_overflow=-1) as bench:
        bench.recorder.ceiling = lambda: 2
        yield bench


def test_one_connection_more_than_the_ceiling_is_refused_and_counted(bench):
    first, second = bench.engine.connect(), bench.engine.connect()
    for _ in range(3):
        with pytest.raises(MoreThanAnnounced, match="more than the 2 announced"):
            bench.engine.connect()
    assert len(bench.lives) == 2
    assert bench.recorder.beyond == 3
    assert bench.engine.pool.checkedout() == 2
    first.close()
    second.close()


def test_connections_that_come_back_leave_room_again(bench):
    held = [bench.engine.connect(), bench.engine.connect()]
    for connection in held:
        connection.close()
    for _ in range(5):
        with bench.engine.connect(), bench.engine.connect():
            assert len(bench.lives) == 2
    assert bench.recorder.beyond == 0


def test_without_a_ceiling_nothing_is_refused():
    with Bench(poolclass=NullPool) as bench:
        held = [bench.engine.connect() for _ in range(9)]
        assert bench.recorder.connecting == set()
        for connection in held:
            connection.close()


def test_connections_that_are_being_made_count(bench):
    bench.hang = "connecting"
    users = [gevent.spawn(bench.engine.connect) for _ in range(2)]
    gevent.sleep(0)
    with pytest.raises(MoreThanAnnounced):
        bench.engine.connect()
    for user in users:
        user.kill(GreenletExit)
    bench.hang = ""
    use_once(bench.engine)
    assert bench.recorder.connecting == set()
    assert bench.recorder.beyond == 1


def test_a_connect_that_fails_leaves_its_room_to_others(bench):
    bench.refuse = OSError("nobody there")
    for _ in range(5):
        with pytest.raises(OSError, match="nobody there"):
            bench.engine.connect()
    bench.refuse = None
    use_once(bench.engine)
    assert bench.recorder.beyond == 0


def test_a_listener_that_fails_leaves_the_room_of_its_connection_to_others(bench):
    def fail(*_):
        raise ValueError("on purpose")

    event.listen(bench.engine, "connect", fail, insert=True)
    for _ in range(5):
        with pytest.raises(ValueError, match="on purpose"):
            bench.engine.connect()
    event.remove(bench.engine, "connect", fail)
    use_once(bench.engine)
    assert bench.recorder.connecting == set()


def test_connections_beside_the_pool_count(bench):
    """A pool that was replaced while connections were out, and a connection taken out of it."""
    out, detached = bench.engine.connect(), bench.engine.raw_connection()
    detached.detach()
    bench.engine.dispose()
    with pytest.raises(MoreThanAnnounced):
        bench.engine.connect()
    detached.close()
    use_once(bench.engine)
    out.close()
    assert bench.recorder.beyond == 1


def test_a_connection_that_is_replaced_needs_no_more_room(bench):
    with bench.engine.connect() as other, bench.engine.connect() as connection:
        connection.invalidate()
        connection.rollback()
        assert connection.connection.dbapi_connection
        assert other.connection.dbapi_connection
    assert bench.recorder.beyond == 0
