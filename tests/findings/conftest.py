"""What the tests of findings share: the runs that provoke them."""

from __future__ import annotations

import pytest

from tests.findings.runs import Provoked


@pytest.fixture(scope="session")
def provoked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Provoked:
    """Runs that provoke findings: recorded ones, or with --live those of a real server."""
    return Provoked(request, tmp_path_factory)
