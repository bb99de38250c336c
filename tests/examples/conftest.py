"""The partner of the example applications."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.examples.applications import GatedPartner


@pytest.fixture
def partner() -> Iterator[GatedPartner]:
    """A partner that answers at once, until a test closes one of its paths."""
    running = GatedPartner()
    yield running
    running.stop()
