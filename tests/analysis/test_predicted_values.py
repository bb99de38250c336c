"""Predicted values and their intervals: how often they contain the values of another run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from loadtest.analysis.prediction.replayed_pools import (
    LEAST_REPLAYS,
    PredictedValue,
    replay_pool,
)
from tests.analysis.builders import interval
from tests.analysis.test_replay import config
from tests.analysis.test_replayed_pools import shop


def test_an_interval_of_few_replays_contains_95_percent_of_other_values() -> None:
    """With plain percentiles of 40 values it would be 90.4 %."""
    numbers = np.random.default_rng(1)
    found = [PredictedValue.of(numbers.random(LEAST_REPLAYS).tolist()) for _ in range(4000)]
    inside = np.mean([one.ci95[1] - one.ci95[0] for one in found])
    assert abs(inside - 0.95) < 0.003


def test_a_p95_of_timeouts_is_read_in_the_resolution_of_a_recording(tmp_path: Path) -> None:
    """Timeouts end up to 2 ms late, and a bin of the histogram is wider."""
    gauges = {"open": 8, "engines": 1}
    quiet = [
        interval(
            second,
            counters={"checkouts": 20},
            gauges={"in_use": 1, **gauges},
            wait=[0] * 19 + [2],
            hold=[10] * 20,
        )
        for second in range(10)
    ]
    busy = [
        interval(
            second,
            counters={"checkouts": 4, "timeouts": 16},
            gauges={"in_use": 8, **gauges},
            wait=[500] * 4 + [1000] * 15 + [1002],
            hold=[2000] * 4,
        )
        for second in range(10, 20)
    ]
    found = shop(tmp_path, quiet + busy)
    assert found.ran is not None
    assert found.ran.wait_p95 == 1.002
    predicted = replay_pool(found, config(2, timeout=1.0))
    assert predicted.wait_p95.value == pytest.approx(1.002, abs=5e-4)
