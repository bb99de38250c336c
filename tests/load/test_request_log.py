"""The requests of users without a session are measured by Locust's `request` event."""

from locust.env import Environment
from locust.event import Events

import random
from argparse import Namespace
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from loadtest.database.engine import parent_session
from loadtest.load import PoolUser
from loadtest.load.users.request_log import RequestLog
from loadtest.pool.recorder import Recorder


class Person(PoolUser):
    pass


@pytest.fixture
def recorder() -> Recorder:
    return Recorder("here")


@pytest.fixture
def environment(recorder: Recorder) -> Iterator[Environment]:
    """An environment with a target that has an engine on SQLite."""
    engine = create_engine("sqlite://")
    target = SimpleNamespace(
        recorder=recorder,
        options=Namespace(),
        arrivals=None,
        shared=False,
        parent=parent_session(engine),
        child=Session,
        child_arguments={"bind": engine},
        new_random=random.Random,
    )
    environment: Any = Environment(user_classes=[Person], events=Events())
    environment.loadtest = SimpleNamespace(target=target)
    yield environment
    engine.dispose()


def request(environment: Environment, milliseconds: float, error: Exception | None = None) -> None:
    """Fire the event of an HTTP request, as Locust's clients do."""
    environment.events.request.fire(
        request_type="GET",
        name="/rows",
        response_time=milliseconds,
        response_length=2,
        response=None,
        exception=error,
        context={},
        start_time=0.0,
        url="http://127.0.0.1/rows",
    )


def test_successes_and_failures(environment: Environment, recorder: Recorder) -> None:
    log = RequestLog(recorder)
    environment.events.request.add_listener(log.hear)
    request(environment, 2.5)
    request(environment, 1500)
    request(environment, 40, RuntimeError("503 Server Error"))

    interval = log.cut("measured")
    assert (interval.counters["requests"], interval.counters["failures"]) == (3, 1)
    assert interval.counters["errors.other"] == 1
    assert interval.examples == {"other": "503 Server Error"}
    succeeded, failed = interval.histograms["request"], interval.histograms["failed_request"]
    assert (succeeded.count, succeeded.sum, succeeded.max) == (2, 1_502_500_000, 1_500_000_000)
    assert (failed.count, failed.sum) == (1, 40_000_000)
    assert log.cut("measured").counters["requests"] == 0


def test_a_pool_user_is_counted_once(environment: Environment, recorder: Recorder) -> None:
    log = RequestLog(recorder)
    environment.events.request.add_listener(log.hear)
    with Person(environment).session("look"):
        pass

    assert log.cut("measured").counters["requests"] == 1


def test_a_process_without_a_pool_has_no_gauges_of_one(recorder: Recorder) -> None:
    recorder.levels["load_users"] = lambda: 7
    assert RequestLog(recorder).cut("measured").gauges.keys() == {"load_users"}
