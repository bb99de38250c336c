"""Objectives: the limits that a pool must meet, as a person writes them."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.model.durations import Durations
from loadtest.model.errors import UsageError
from loadtest.model.objective import OBJECTIVE_PATHS, more_is_better, parse_objective, value_at
from loadtest.model.summary import PoolSummary


def test_bounds_with_their_units() -> None:
    text = "checkout.wait_seconds.p95 <= 50ms, errors.rate < 0.1%,throughput.per_second>=600/s"
    wait, errors, rate = parse_objective(text)
    assert (wait.path, wait.sign, wait.limit) == ("checkout.wait_seconds.p95", "<=", 0.05)
    assert (errors.path, errors.sign, errors.limit) == ("errors.rate", "<", 0.001)
    assert (rate.limit, rate.at_most, rate.text) == (600, False, "throughput.per_second>=600/s")
    assert wait.holds(0.05)
    assert not errors.holds(0.001)
    (cpu,) = parse_objective("server.cpu <= 0.5")
    assert cpu.limit == 0.5
    assert parse_objective("") == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("checkout.wait.p95 <= 5ms", "did you mean checkout.wait_seconds.p95"),
        ("wait < 5ms", "is not a value of a pool in summary.json"),
        ("errors.rate", "write checkout.wait_seconds.p95 <= 50ms"),
        ("errors.rate <= many", "write checkout.wait_seconds.p95 <= 50ms"),
        ("errors.rate <= 5ms", "errors.rate is not a time"),
        ("request_seconds.p95 <= 5", "is a time: add its unit"),
        ("generator.lag_p99_seconds <= 5%", "is a time: add its unit"),
        ("errors.rate <= 5", "is a share, at most 100%"),
        ("stages.rush.error_rate <= 101%", "is a share, at most 100%"),
        ("throughput.per_second >= 100%", "is not a share: write it without %"),
        ("errors.by_kind.deadlock <= 1%", "is not a share: write it without %"),
        ("connections.peak <= 20/s", "is not a rate: write it without /s"),
        ("errors.by_kind.bad_luck <= 5", "is not a value of a pool"),
        ("stages.rush.nothing <= 5", "is not a value of a pool"),
    ],
)
def test_what_is_wrong_is_said(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_objective(text)


def test_all_mistakes_are_said_at_once() -> None:
    with pytest.raises(UsageError) as caught:
        parse_objective("nothing <= 5, errors.rate, errors.rate <= 1%")
    assert len(caught.value.problems) == 2


def test_parts_with_names_of_their_own() -> None:
    kind, stage = parse_objective(
        "errors.by_kind.pool_timeout <= 0, stages.rush.wait_seconds.p95 <= 1s"
    )
    assert kind.path == "errors.by_kind.pool_timeout"
    assert stage.path == "stages.rush.wait_seconds.p95"


def test_every_path_has_a_value_in_a_pool(pool_summary: PoolSummary) -> None:
    for path in OBJECTIVE_PATHS:
        value, _ = value_at(pool_summary, path)
        assert value is None or isinstance(value, float), path
    assert value_at(pool_summary, "throughput.per_second") == (100.0, False)
    assert value_at(pool_summary, "errors.by_kind.deadlock") == (0.0, False)
    assert value_at(pool_summary, "stages.calm.users") == (None, False)


def test_a_lower_bound_is_told(pool_summary: PoolSummary) -> None:
    waits = Durations(p50=0.1, p95=2.0, at_least=("p95",))
    checkout = pool_summary.checkout.model_copy(update={"wait_seconds": waits})
    pool = pool_summary.model_copy(update={"checkout": checkout})
    assert value_at(pool, "checkout.wait_seconds.p95") == (2.0, True)
    assert value_at(pool, "checkout.wait_seconds.p50") == (0.1, False)


def test_which_values_are_better_large() -> None:
    assert more_is_better("throughput.per_second")
    assert more_is_better("stages.rush.throughput_per_second")
    assert not more_is_better("checkout.wait_seconds.p95")


@given(st.text(max_size=60))
def test_any_text_is_an_objective_or_a_usage_error(text: str) -> None:
    with contextlib.suppress(UsageError):
        for bound in parse_objective(text):
            assert bound.path in OBJECTIVE_PATHS or bound.path.startswith("stages.")
