"""Objectives on the requests of one name: the name is in quotes, and may contain anything."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.model.driven_application import DrivenApplication
from loadtest.model.errors import UsageError
from loadtest.model.experiment import Experiment
from loadtest.model.objective import (
    OBJECTIVE_PATHS,
    is_time,
    more_is_better,
    of_request,
    parse_objective,
    path_of_request,
    unknown_requests,
    value_at,
)
from loadtest.model.request_times import RequestTimes
from loadtest.model.summary import PoolSummary

P95 = 'request["GET /orders"].p95'


def test_a_bound_on_the_requests_of_one_name() -> None:
    (bound,) = parse_objective(f"{P95} <= 200ms")
    assert (bound.path, bound.limit) == (P95, 0.2)
    assert of_request(bound.path) == ("GET /orders", "p95")
    assert of_request("request_seconds.p95") is None


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('request["GET /a,b"].p95 <= 1s', "GET /a,b"),
        ("request['GET /a'].p95 <= 1s", "GET /a"),
        ('request[ "GET /a[0]" ].p95<=1s', "GET /a[0]"),
        ("request['say \"no\"'].p95 <= 1s", 'say "no"'),
        (r'request["say \"no\" \\ it\'s <= 5"].p95 <= 1s', 'say "no" \\ it\'s <= 5'),
        ('request["äöü €"].p95 <= 1s', "äöü €"),
        ('request[""].p95 <= 1s', ""),
    ],
)
def test_a_name_may_contain_everything(text: str, name: str) -> None:
    first, other, last = parse_objective(f"errors.rate <= 1%, {text}, connections.peak <= 9")
    assert of_request(other.path) == (name, "p95")
    assert other.text == text
    assert (first.path, last.path) == ("errors.rate", "connections.peak")
    (again,) = parse_objective(f"{other.path} <= 1s")
    assert again.path == other.path


@given(st.text(max_size=20))
def test_every_name_is_found_again_in_its_path(name: str) -> None:
    path = path_of_request(name, "p99")
    assert of_request(path) == (name, "p99")
    (bound,) = parse_objective(f"{path} <= 5ms")
    assert bound.path == path


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{P95} <= 5", r"\]\.p95 is a time: add its unit"),
        (f"{P95} <= 5%", r"\]\.p95 is a time: add its unit"),
        ('request["a"].count >= 5ms', "is not a time"),
        ('request["a"].error_rate <= 5', "is a share, at most 100%"),
        ('request["a"].p59 <= 5ms', r'did you mean request\["a"\]\.p99'),
        ('request["a"].by_status <= 5', "is not a value of a pool"),
        ("request[GET /orders].p95 <= 5ms", r'write request\["GET /orders"\]\.p95 <= 200ms'),
        ('request["GET /orders].p95 <= 5ms', r'write request\["GET /orders"\]\.p95 <= 200ms'),
        ("request.p95 <= 5ms", "is not a value of a pool"),
    ],
)
def test_a_mistake_is_told(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_objective(text)


def test_units_and_directions_of_its_values() -> None:
    share, number = parse_objective('request["a"].error_rate <= 5%, request["a"].count >= 7')
    assert (share.limit, number.limit) == (0.05, 7)
    assert is_time(P95)
    assert not is_time(share.path)
    assert not is_time(number.path)
    assert more_is_better(number.path)
    assert not more_is_better(P95)


def test_which_paths_are_times() -> None:
    times = {path for path in OBJECTIVE_PATHS if is_time(path)}
    ends = ("mean", "p50", "p90", "p95", "p99", "p999", "max", "_seconds")
    assert {path for path in times if not path.endswith(ends)} == set()
    assert {"checkout.seconds.p95", "hold_seconds.max", "generator.lag_p99_seconds"} <= times
    assert is_time("stages.rush.wait_seconds.p95")
    assert not is_time("stages.ten_seconds.users")


def test_a_value_of_the_requests_of_one_name(pool_summary: PoolSummary) -> None:
    times = RequestTimes(p95=0.12, count=8, failed=2, error_rate=0.25, at_least=("p95",))
    pool = pool_summary.model_copy(update={"request": {"GET /orders": times}})
    assert value_at(pool, P95) == (0.12, True)
    assert value_at(pool, 'request["GET /orders"].error_rate') == (0.25, False)
    assert value_at(pool, 'request["GET /orders"].p50') == (None, False)
    assert value_at(pool, 'request["GET /carts"].p95') == (None, False)
    assert value_at(pool, 'request["GET /carts"].count') == (0, False)


def test_a_name_that_does_not_occur_is_told_with_those_that_do() -> None:
    bounds = parse_objective(f"{P95} <= 1s, request['POST /pay'].max <= 1s, errors.rate <= 1%")
    (said,) = unknown_requests(bounds, ["GET /order", "POST /pay"])
    assert said == (
        "No request has the name 'GET /orders'; there are: 'GET /order', 'POST /pay'; "
        "did you mean GET /order?"
    )
    assert unknown_requests(bounds, ["GET /orders", "POST /pay"]) == []
    assert len(unknown_requests(bounds, [])) == 2
    many = [f"GET /{number}" for number in range(12)]
    assert "and 2 more" in unknown_requests(bounds, many)[0]


def test_only_requests_to_an_application_have_names() -> None:
    asked = {"name": "shop", "scenario": "visitors.py", "objective": f"{P95} <= 1s"}
    with pytest.raises(ValueError, match="only if they drive an application behind HTTP"):
        Experiment.model_validate({**asked, "pool": [{"name": "5+10"}]})
    driven = DrivenApplication(command="shop", ready="http://127.0.0.1:8800/health")
    pool = {"name": "as-is", "poolclass": "as-is"}
    assert Experiment.model_validate({**asked, "pool": [pool], "application": [driven]})
