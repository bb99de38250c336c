"""When a prediction of the benchmark counts as right and as precise: values in memory."""

from __future__ import annotations

import pytest

from benchmarks.predicted_rounds import METRICS, compared
from loadtest.analysis.prediction.replayed_pools import PredictedValue

LEAST = METRICS["wait_mean"]


def wait(low: float, high: float) -> PredictedValue:
    return PredictedValue((low + high) / 2, (low, high))


@pytest.mark.parametrize(
    ("low", "high", "measured", "inside"),
    [
        (0.0003, 0.0009, 0.0011, True),
        (0.0003, 0.0009, 0.0020, False),
        (0.0, 0.0, 0.0009, True),
        (0.2, 0.4, 0.4045, True),
        (0.2, 0.4, 0.41, False),
        (0.2, 0.4, 0.19, False),
    ],
)
def test_a_value_is_inside_within_the_resolution_of_a_recording(
    low: float, high: float, measured: float, inside: bool
) -> None:
    """There is no step at a millisecond."""
    assert compared([(wait(low, high), measured)], LEAST)["inside"] == [inside]


@pytest.mark.parametrize(("wider", "precise"), [(1, True), (3, False)])
def test_the_width_is_compared_with_the_range_of_what_arrivals_do_not_explain(
    wider: float, precise: bool
) -> None:
    """Rounds of other arrivals wait ten times as long, as predicted."""
    values = [(wait(0.08, 0.12), 0.11), (wait(1 - 0.05 * wider, 1 + 0.05 * wider), 1.0)]
    found = compared(values, LEAST)
    assert found["allowed_width"] == pytest.approx(2 * 0.01 + 0.2 * 0.555 + LEAST)
    assert found["width"] == pytest.approx((0.04 + 0.1 * wider) / 2)
    assert found["precise"] is precise
