"""The partner of the example applications."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.examples.applications import GatedPartner


@pytest.fixture(scope="module")
def partner_of_all() -> Iterator[GatedPartner]:
    """A partner for the tests of a module, which answers at once."""
    running = GatedPartner()
    yield running
    running.stop()


@pytest.fixture
def partner(partner_of_all: GatedPartner) -> Iterator[GatedPartner]:
    """The partner, which a test may let wait in one of its paths."""
    yield partner_of_all
    partner_of_all.open()
