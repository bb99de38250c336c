"""The web shops tell the waits of their requests, once they have orders of the tool."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from loadtest.database.private_server import PrivateServer
from loadtest.recording.steering.orders import Orders
from loadtest.recording.steering.response_headers import HEADER, told_in
from tests.conftest import ROOT
from tests.examples.applications import DRIVERS, EXAMPLES, environment_of, running_shop

pytestmark = pytest.mark.server


@pytest.mark.parametrize("name", DRIVERS)
def test_a_shop_tells_a_wait_that_timed_out(
    server: PrivateServer, tmp_path: Path, name: str
) -> None:
    one = {"DATABASE_POOL_SIZE": 1, "DATABASE_MAX_OVERFLOW": 0, "DATABASE_POOL_TIMEOUT": 1}
    given = environment_of(server, DRIVERS[name], "", SHOP_MISTAKE="nested_checkout", **one)
    subprocess.run([sys.executable, "-m", name], env=given, check=True)
    orders = Orders(tell=os.devnull).variables()
    given |= {"PYTHONPATH": f"{EXAMPLES}{os.pathsep}{ROOT}", **orders}
    record = (sys.executable, "-m", "loadtest", "record", "--results", tmp_path / "results", "--")
    with running_shop(name, tmp_path / "log", given, record) as shop:
        answers = [shop.get(path) for path in ("/products", "/products/3")]
    fine, failed = (told_in(answer.headers.get(HEADER, "")) for answer in answers)
    assert [answer.status_code for answer in answers] == [200, 500]
    assert fine
    assert failed
    assert (fine.timeouts, failed.timeouts) == (0, 1)
    assert 1 <= failed.waited / 1e9 <= answers[1].elapsed.total_seconds()
