"""The requests of users without a session are measured by Locust's `request` event."""

from locust.env import Environment
from locust.event import Events

import random
from argparse import Namespace
from collections import Counter
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from loadtest.database.engine import parent_session
from loadtest.load import PoolUser
from loadtest.load.users.request_log import MOST_NAMES, OTHER_REQUESTS, RequestLog
from loadtest.model.distribution import Distribution
from loadtest.model.request_use import RequestUse, TimeBand, band_of, times_of_name
from loadtest.pool.checkout_batch import clock
from loadtest.pool.recorder import Recorder
from loadtest.recording.steering.response_headers import HEADER


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
        request_names={},
    )
    environment: Any = Environment(user_classes=[Person], events=Events())
    environment.loadtest = SimpleNamespace(target=target)
    yield environment
    engine.dispose()


def answer(status: int, told: str = "") -> Any:
    """The answer of an application; told: its header about waits."""
    return SimpleNamespace(status_code=status, headers={HEADER: told} if told else {})


def request(
    environment: Environment,
    milliseconds: float,
    error: Exception | None = None,
    *,
    method: str = "GET",
    name: str = "/rows",
    response: Any = None,
) -> None:
    """Fire the event of an HTTP request, as Locust's clients do."""
    environment.events.request.fire(
        request_type=method,
        name=name,
        response_time=milliseconds,
        response_length=2,
        response=response or answer(503 if error else 200),
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
    assert interval.counters["errors.http_5xx"] == 1
    assert interval.examples == {"http_5xx": "503 Server Error"}
    succeeded, failed = interval.histograms["request"], interval.histograms["failed_request"]
    assert (succeeded.count, succeeded.sum, succeeded.max) == (2, 1_502_500_000, 1_500_000_000)
    assert (failed.count, failed.sum) == (1, 40_000_000)
    assert log.cut("measured").counters["requests"] == 0


def test_a_pool_user_is_counted_once(environment: Environment, recorder: Recorder) -> None:
    log = RequestLog(recorder)
    environment.events.request.add_listener(log.hear)
    with Person(environment).session("look"):
        pass

    interval = log.cut("measured")
    assert interval.counters["requests"] == 1
    assert interval.requests == {"look": RequestUse(1)}
    assert interval.histograms[times_of_name("look")].count == 1


def listening(environment: Environment, recorder: Recorder) -> RequestLog:
    """A log that hears the requests of an environment."""
    log = RequestLog(recorder)
    environment.events.request.add_listener(log.hear)
    return log


def test_requests_have_names_and_statuses(environment: Environment, recorder: Recorder) -> None:
    log = listening(environment, recorder)
    request(environment, 20)
    request(environment, 30, name="GET /rows")
    request(environment, 40, RuntimeError("500 Server Error"), response=answer(500))
    request(environment, 5, ConnectionRefusedError(), method="POST", response=answer(0))

    interval = log.cut("measured")
    assert interval.requests == {
        "GET /rows": RequestUse(3, 1, by_status=Counter({"200": 2, "500": 1})),
        "POST /rows": RequestUse(1, 1, by_status=Counter(none=1)),
    }
    times, failed = (times_of_name("GET /rows", failed=failed) for failed in (False, True))
    assert interval.histograms[times] == Distribution.of([20_000_000, 30_000_000])
    assert interval.histograms[failed] == Distribution.of([40_000_000])
    assert times_of_name("POST /rows") not in interval.histograms
    assert interval.counters["errors.http_no_answer"] == 1
    assert log.cut("measured").requests == {}


def test_too_many_names_share_one(environment: Environment, recorder: Recorder) -> None:
    log = listening(environment, recorder)
    for number in range(MOST_NAMES + 5):
        request(environment, 20, name=f"/orders/{number}")
    request(environment, 20, name="/orders/0")
    found = log.cut("measured").requests
    assert len(found) == MOST_NAMES + 1
    assert found[OTHER_REQUESTS].count == 5
    assert found["GET /orders/0"].count == 2


def test_a_name_has_a_length(environment: Environment, recorder: Recorder) -> None:
    log = listening(environment, recorder)
    request(environment, 20, name="/" + 5000 * "x")
    (name,) = log.cut("measured").requests
    assert len(name) == 200


@pytest.mark.parametrize("told", ["", "170", "170;x", "-170;0", "1;2;3", "170 ;0", 30 * "9" + ";0"])
def test_a_header_of_another_program_tells_nothing(
    environment: Environment, recorder: Recorder, told: str
) -> None:
    log = listening(environment, recorder)
    request(environment, 240, response=answer(200, told))
    assert log.cut("measured").requests == {
        "GET /rows": RequestUse(1, by_status=Counter({"200": 1}))
    }


def test_the_waits_that_responses_tell(environment: Environment, recorder: Recorder) -> None:
    log = listening(environment, recorder)
    request(environment, 240, response=answer(200, "170000000;0"))
    request(environment, 2, response=answer(200, "0;0"))
    failure = RuntimeError("500 Server Error")
    request(environment, 2000, failure, response=answer(500, "1990000000;1"))
    (use,) = log.cut("measured").requests.values()
    slow, quick = TimeBand(1, 240_000_000, 170_000_000, 170_000**2), TimeBand(1, 2_000_000, 0)
    assert use.bands == {band_of(240_000_000): slow, band_of(2_000_000): quick}
    request(environment, 2000, response=answer(200, "1990000000;1"))
    request(environment, 5, failure, response=answer(500, "0;0"))
    request(environment, 5, failure, response=answer(500))
    (later,) = log.cut("measured").requests.values()
    assert (use.timed_out, use.told_5xx, use.timed_out_5xx) == (1, 1, 1)
    assert (later.timed_out, later.told_5xx, later.timed_out_5xx) == (1, 1, 0)


def test_a_request_counts_from_the_moment_when_it_was_due(
    environment: Environment, recorder: Recorder
) -> None:
    log = listening(environment, recorder)
    lags = iter([30_000_000, 0, None])
    log.late = lambda begun: next(lags) if begun < clock() else None
    for _ in range(3):
        request(environment, 20)
    interval = log.cut("measured")
    assert interval.histograms["schedule_lag"] == Distribution.of([30_000_000, 0])
    expected = Distribution.of([50_000_000, 20_000_000, 20_000_000])
    assert interval.histograms["request"] == expected
    assert interval.histograms[times_of_name("GET /rows")] == expected


def test_a_process_without_a_pool_has_no_gauges_of_one(recorder: Recorder) -> None:
    recorder.levels["load_users"] = lambda: 7
    assert RequestLog(recorder).cut("measured").gauges.keys() == {"load_users"}
