"""Open connections are known without being kept alive."""

import gc

import pytest
from sqlalchemy import QueuePool, create_engine

from loadtest.pool.measure import measure, stop_measuring
from loadtest.pool.open_connections import OpenConnections
from loadtest.pool.recorder import Recorder


class Record:
    """Something that can be referred to weakly."""


def test_it_is_a_dictionary_by_identity():
    found = OpenConnections([])
    one, other = Record(), Record()
    found[one] = 1
    assert found.setdefault(one, 2) == 1
    assert found.setdefault(other, 3) == 3
    assert one in found
    assert found.get(one) == 1
    assert found.get(Record()) is None
    assert sorted(found.values()) == [1, 3]
    assert found.pop(one) == 1
    assert one not in found
    assert found.pop(one, 7) == 7
    with pytest.raises(KeyError):
        found.pop(one)
    found.clear()
    assert found == {}


def test_a_collected_connection_is_closed():
    closes: list[tuple[int, int, str]] = []
    found = OpenConnections(closes)
    record = Record()
    found[record] = 5
    del record
    gc.collect()
    assert found == {}
    assert [(opened, reason) for opened, _, reason in closes] == [(5, "collected")]


def test_one_that_left_before_is_not_closed_again():
    closes: list[tuple[int, int, str]] = []
    found = OpenConnections(closes)
    record = Record()
    found[record] = 5
    found.pop(record)
    del record
    gc.collect()
    assert closes == []


def test_an_object_without_weak_references_stays():
    found = OpenConnections([])
    found["a connection of a driver in C"] = 1
    assert list(found.values()) == [1]


@pytest.mark.filterwarnings("ignore:unclosed database:ResourceWarning")
def test_measuring_does_not_keep_a_dropped_engine_alive():
    recorder = Recorder("p1")
    recorder.opened = OpenConnections(recorder.closes)
    engine = create_engine("sqlite://", poolclass=QueuePool)
    measure(engine, recorder)
    engine.connect().close()
    assert recorder.cut("measured").gauges["open"].last == 1
    del engine
    gc.collect()
    interval = recorder.cut("measured")
    assert interval.counters["closed.collected"] == 1
    assert interval.gauges["open"].last == 0


def test_measuring_can_be_stopped():
    recorder = Recorder("p1")
    engine = create_engine("sqlite://", poolclass=QueuePool)
    measure(engine, recorder)
    engine.connect().close()
    recorder.cut("measured")
    stop_measuring(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("SELECT 1")
    counters = recorder.cut("measured").counters
    assert counters["checkouts"] == 0
    assert engine.pool.checkedin() == 1
    engine.dispose()
    engine.connect().close()
    assert recorder.cut("measured").counters["checkouts"] == 0
    engine.dispose()


def test_a_connection_that_is_collected_during_a_cut_is_counted_once():
    records = [Record()]

    class Collecting(list[tuple[int, int, str]]):
        def __getitem__(self, key):
            records.clear()
            return super().__getitem__(key)

    recorder = Recorder()
    recorder.closes = Collecting()
    recorder.opened = OpenConnections(recorder.closes)
    recorder.opened[records[0]] = recorder._cut_at
    interval = recorder.cut("measured")
    assert interval.counters["closed.collected"] == 1
    assert interval.gauges["open"].max == 1
