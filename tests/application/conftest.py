"""What the tests of applications share: a shop that knows nothing of being tested."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from loadtest.database.private_server import PrivateServer
from tests.conftest import without_database


@pytest.fixture(scope="module")
def shop(server: PrivateServer) -> dict[str, str]:
    """The environment that the shop needs; the shop has made its tables."""
    address = {"SHOP_DATABASE_URL": server.url.render_as_string(hide_password=False)}
    environment = {**without_database(), **address}
    here = Path(__file__).parent
    subprocess.run([sys.executable, "-m", "shop"], cwd=here, env=environment, check=True)
    return environment
