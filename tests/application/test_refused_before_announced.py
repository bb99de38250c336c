"""A run that its server has no room for is refused before it is announced."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from tests.conftest import ROOT

BUYING = "tests/application/buying.py"
Loadtest = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.server
def test_an_application_without_room_is_refused_before_its_run_is_announced(
    loadtest: Loadtest, shop: dict[str, str]
) -> None:
    many = ("--session", "shop.db:Session", "--pool", "9000+0", "-u", 9000)
    ended = loadtest("run", BUYING, *many, env=shop, cwd=ROOT)
    assert ended.returncode == 2, (ended.stdout, ended.stderr)
    assert "this run may open 9000 connections, the server has room for" in ended.stderr
    assert "loadtest will" not in ended.stderr
