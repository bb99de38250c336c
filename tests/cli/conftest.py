"""What the tests of the commands share."""

from __future__ import annotations

import os

import pytest

from loadtest.analysis.prediction import replayed_pools, whatif


@pytest.fixture
def few_checkouts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Predictions from a few simulated checkouts, in the process of the test."""
    monkeypatch.setattr(whatif, "CHECKOUTS", 300)
    monkeypatch.setattr(replayed_pools, "MOST_REPLAYS", replayed_pools.LEAST_REPLAYS)
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
