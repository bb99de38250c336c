"""An engine whose pool is small."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from tests.recording.recorded import made


@pytest.fixture
def engine() -> Iterator[Engine]:
    """An engine with at most three connections, and a short pool_timeout."""
    one = made(pool_size=2, max_overflow=1, pool_timeout=0.01)
    yield one
    one.dispose()
