"""What the tests of experiments share."""

from __future__ import annotations

import pytest

from loadtest.database.preflight.other_programs import OtherPrograms
from loadtest.experiment import disturbed_runs


@pytest.fixture(autouse=True)
def _quiet_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing waits until this machine is quiet, or warns that it is not."""
    monkeypatch.setattr(OtherPrograms, "shares", lambda self: [])
    monkeypatch.setattr(disturbed_runs, "wait_until_quiet", lambda tell: True)
