"""Connections that a pool hands out again while in use, and those that leave their pool."""

from __future__ import annotations

import gc
from weakref import ref

import pytest
from greenlet import getcurrent
from measuring import Bench
from sqlalchemy import Pool, StaticPool
from sqlalchemy.pool import SingletonThreadPool

from loadtest.pool.task_usage import Task


@pytest.mark.parametrize("poolclass", [StaticPool, SingletonThreadPool])
def test_a_task_that_returned_a_shared_connection_holds_none(poolclass: type[Pool]) -> None:
    with Bench(poolclass=poolclass) as bench:
        task = Task("t", bench.recorder.uses["t"])
        bench.recorder.tasks[getcurrent()] = task
        outer, inner = bench.take(), bench.take()
        assert task.held == 1
        inner.close()
        outer.close()
        assert task.held == 0
        bench.cut()
        bench.take().close()
        assert bench.cut().tasks["t"].nested == 0


def test_a_broken_connection_of_the_overflow_is_forgotten() -> None:
    with Bench(pool_size=1, max_overflow=1) as bench:
        kept, extra = bench.take(), bench.take()
        kept.close()
        record = ref(extra._connection_record)
        extra.invalidate(RuntimeError("lost"))
        extra.close()
        del extra
        gc.collect()
        assert record() is None
        assert bench.cut().counters["closed.error"] == 1
