"""The tasks of an application's scenario are tried once, on its own engine without a pool."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.server
Loadtest = Callable[..., "subprocess.CompletedProcess[str]"]
SESSION = ("--session", "shop.db:Session", "--try", "--quiet")
MISTAKEN = """
from locust import task
from shop import orders
from loadtest.load import PoolUser

class Customer(PoolUser):
    def on_start(self):
        if "NullPool" not in repr(self.environment.loadtest.target.engine.pool):
            raise RuntimeError("with a pool")

    @task
    def look(self):
        with self.session("look"):
            orders.newest(10, "dear")
"""


def test_a_mistake_in_a_call_has_its_line(
    loadtest: Loadtest, shop: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "mistaken.py").write_text(MISTAKEN)
    environment = {**shop, "PYTHONPATH": str(ROOT / "tests" / "application")}
    ended = loadtest("run", tmp_path / "mistaken.py", *SESSION, env=environment)
    assert ended.returncode == 2
    line = MISTAKEN.splitlines().index('            orders.newest(10, "dear")') + 1
    assert f"mistaken.py, line {line}: TypeError: newest() takes 1 positional" in ended.stderr
