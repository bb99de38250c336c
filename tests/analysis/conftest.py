"""What tests of the analysis share."""

from __future__ import annotations

import pytest

from loadtest.analysis.prediction import replayed_pools


@pytest.fixture
def few_replays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Predictions from few replays: enough where their precision is not the subject."""
    monkeypatch.setattr(replayed_pools, "REPLAYED_CHECKOUTS", 50_000)
