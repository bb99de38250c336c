"""An application with a pool of its own settings: other sizes are measured with these settings."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from loadtest.runfile.reader import read_run
from tests.application.test_before_a_run import ASKING
from tests.conftest import ROOT

pytestmark = pytest.mark.server
Loadtest = Callable[..., subprocess.CompletedProcess[str]]
STORE = """
import os
from sqlalchemy import create_engine
from sqlalchemy.orm import scoped_session, sessionmaker

engine = create_engine(
    os.environ["SHOP_DATABASE_URL"],
    pool_size=3,
    max_overflow=2,
    pool_pre_ping=True,
    pool_recycle=280,
    pool_use_lifo=True,
    pool_timeout=10,
    connect_args={"ssl_disabled": True},
)
Session = scoped_session(sessionmaker(bind=engine))
"""
SIZES = {"pool_size": 3, "max_overflow": 2}
KEPT = {
    "poolclass": "QueuePool",
    "pool_timeout": 10,
    "pool_recycle": 280,
    "pool_pre_ping": True,
    "pool_use_lifo": True,
    "pool_reset_on_return": "rollback",
    "isolation_level": None,
}
STORE_SESSION = ("--session", "store_db:Session")


@pytest.fixture
def store(shop: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """The environment of the application and its scenario, which lie in the test's folder."""
    (tmp_path / "store_db.py").write_text(STORE)
    (tmp_path / "load_store.py").write_text(ASKING)
    return {**shop, "PYTHONPATH": str(ROOT)}


def settings(folder: Path) -> dict[str, dict[str, Any]]:
    """The settings that each pool ran with, as its result file has them."""
    runs = [read_run(path) for path in folder.glob("latest/runs/*.jsonl")]
    return {run.pool_name: run.told["pool"] for run in runs}


def test_other_sizes_are_measured_with_the_applications_settings(
    loadtest: Loadtest, store: dict[str, str], tmp_path: Path
) -> None:
    pools = ("--pool", "as-is", "--pool", "10+0", "--pool", "as-is,pool_size=4,pool_pre_ping=false")
    load = ("-u", 8, "-t", "2s", "--warmup", "0s", "--rounds", 1, "--no-try")
    scenario, where = tmp_path / "load_store.py", ("--results", tmp_path)
    ended = loadtest("compare", scenario, *STORE_SESSION, *pools, *load, *where, env=store)

    assert ended.returncode in (4, 5), ended.stderr  # 4: on a busy machine it says so
    changed = "as-is.pool_size-4.pool_pre_ping-False"
    assert settings(tmp_path) == {
        "as-is": {"name": "as-is", **SIZES, **KEPT},
        "10+0": {"name": "10+0", "pool_size": 10, "max_overflow": 0, **KEPT},
        changed: {**KEPT, "name": changed, "pool_size": 4, "max_overflow": 2}
        | {"pool_pre_ping": False},
    }
    assert "open at most 9 connections at once (8 in the pool, 1 to read" in ended.stderr
    assert re.search(r"status\); \d+ of max_connections = [\d,]+ are in use\n", ended.stderr)
    differs = "differs from the pool of store_db:Session: pool_size=10 instead of 3, max_overflow=0"
    assert f"10+0 {differs}" in " ".join(ended.stderr.split())
    assert f"10+0 {differs}" in " ".join(ended.stdout.split())
    assert "Warning: the answer will be tentative" in ended.stderr
    summary = json.loads((tmp_path / "latest" / "summary.json").read_text())
    assert summary["experiment"]["application_pool"]["pool_recycle"] == 280
    (file, *_) = sorted((tmp_path / "latest" / "runs").glob("10+0-*.jsonl"))
    assert read_run(file).header.driver == "pymysql"
    assert all(pool["errors"]["by_kind"] == {} for pool in summary["pools"])


@pytest.mark.long
def test_a_pool_without_sizes_becomes_a_queue_when_a_size_is_named(
    loadtest: Loadtest, store: dict[str, str], tmp_path: Path
) -> None:
    odd = f"from sqlalchemy import NullPool\n{STORE}".replace(
        "pool_size=3,\n    max_overflow=2,", "poolclass=NullPool,"
    )
    odd = odd.replace("pool_use_lifo=True,", "").replace("pool_timeout=10,", "")
    (tmp_path / "store_db.py").write_text(odd)
    load = ("-u", 4, "-t", "2s", "--warmup", "0s", "--results", tmp_path, "--pool", "3+0")
    scenario = tmp_path / "load_store.py"
    ended = loadtest("run", scenario, *STORE_SESSION, *load, env=store)

    (ran,) = settings(tmp_path).values()
    assert (ran["poolclass"], ran["pool_size"], ran["max_overflow"]) == ("QueuePool", 3, 0)
    assert (ran["pool_recycle"], ran["pool_pre_ping"]) == (280, True)
    assert "poolclass=QueuePool instead of NullPool" in " ".join(ended.stderr.split())


@pytest.mark.long
def test_a_search_keeps_the_applications_settings(
    loadtest: Loadtest, store: dict[str, str], tmp_path: Path
) -> None:
    load = ("-u", 3, "-t", "4s", "--warmup", "0s", "--results", tmp_path)
    scenario = tmp_path / "load_store.py"
    ended = loadtest("tune", scenario, *STORE_SESSION, *load, env=store)

    assert ended.returncode in (0, 4, 5), ended.stderr
    ran = settings(tmp_path)
    assert "as-is" in ran
    assert len(ran) > 1
    for name, one in ran.items():
        assert KEPT.items() <= one.items(), name
