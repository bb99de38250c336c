"""What the tests of experiments share."""

from __future__ import annotations

import pytest

from loadtest.experiment import disturbed_runs


@pytest.fixture(autouse=True)
def _quiet_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing waits until this machine is quiet."""
    monkeypatch.setattr(disturbed_runs, "wait_until_quiet", lambda tell: True)
