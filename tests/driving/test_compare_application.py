"""Pools are compared in an application behind HTTP, on a private server."""

from __future__ import annotations

import json
import shlex
from itertools import pairwise
from pathlib import Path

import pytest

from loadtest.runfile.reader import read_run
from tests.conftest import without_database
from tests.driving.applications import Driven, drive

TWO_ENGINES = """
engine = create_engine(os.environ["SHOP_URL"], pool_size=3)
other = create_engine("sqlite:///audit.db")
print(len(os.environ["SHOP_KEY"]), flush=True)
"""
SECRET = "s3cret-of-the-shop"
PREPARE = shlex.join(["sh", "-c", 'echo "$SHOP_URL" | cut -d : -f 1 >> prepared'])


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Driven:
    """A comparison of two pools of one of two engines, in one round."""
    return drive(
        tmp_path_factory.mktemp("compared"),
        *("--pool", "1+0", "--pool", "2+1", "--rounds", "1", "-t", "2s"),
        *("--app-env", "SHOP_URL={database_url}", "--app-env", f"SHOP_KEY={SECRET}"),
        *("--app-prepare", PREPARE, "--app-stop-timeout", "5s", "--app-engine", "loadtest"),
        engine=TWO_ENGINES,
        name="compare",
        env=without_database(),
    )


@pytest.mark.server
def test_two_pools_behind_http(compared: Driven) -> None:
    assert compared.code in (4, 5), compared.process.output  # of one round, nothing is certain
    for name, sizes in {"1+0": (1, 0), "2+1": (2, 1)}.items():
        run = read_run(compared.runs / f"{name}-1.jsonl")
        header, own = run.header, [one for one in run.intervals if one.role == "application"]
        assert own
        assert max(one.gauges["open"].max for one in own) <= sum(sizes)
        assert (header.pool.pool_size, header.pool.max_overflow) == sizes
        assert (header.driver, header.server.private) == ("pymysql", True)
        assert header.driven
        assert header.driven.own_pool == {"poolclass": "QueuePool", "pool_size": 3}
        assert header.driven.engine == "loadtest"
        assert header.driven.place.startswith("app.py:")
    summary = json.loads((compared.runs.parent / "summary.json").read_text())
    assert [pool["name"] for pool in summary["pools"]] == ["1+0", "2+1"]


@pytest.mark.server
def test_every_start_is_prepared(compared: Driven) -> None:
    folder = compared.results.parent
    assert (folder / "prepared").read_text() == "mysql+pymysql\n" * 3  # a look and two runs
    assert not list(compared.runs.glob("*.app"))
    assert (compared.runs / "1+0-1.app.log").read_text() == f"{len(SECRET)}\nlistening\n"


@pytest.mark.server
def test_the_command_in_the_result_repeats_a_run(compared: Driven) -> None:
    words = shlex.split(read_run(compared.runs / "2+1-1.jsonl").header.command)
    assert words[:3] == ["loadtest", "run", "visitors.py"]
    told = dict(pairwise(words))
    assert (told["--pool"], told["--app-prepare"], told["--ready"]) == (
        *("2+1", PREPARE),
        compared.ready,
    )
    assert "SHOP_URL={database_url}" in words


@pytest.mark.server
def test_env_values_are_nowhere_in_the_results(compared: Driven) -> None:
    assert SECRET not in compared.process.output
    files = [path for path in compared.results.rglob("*") if path.is_file()]
    assert len(files) > 8
    for path in files:
        content = path.read_bytes()
        assert SECRET.encode() not in content, path
        assert b"://loadtest:" not in content, path
    plan = json.loads((compared.runs.parent / "experiment.json").read_text())
    assert plan["driven"][0]["env"] == {"SHOP_URL": "{database_url}", "SHOP_KEY": "***"}
    assert "SHOP_KEY=***" in plan["command"]


@pytest.mark.server
def test_an_engine_on_another_server_is_refused_before_the_load(tmp_path: Path) -> None:
    elsewhere = drive(
        tmp_path,
        *("--pool", "1+0", "--app-env", "OTHER={database_url}"),
        env=without_database(),
    )
    assert elsewhere.code == 2, elsewhere.process.output
    said = "connects to sqlite without a server, not to loadtest at 127.0.0.1:"
    assert said in elsewhere.process.output
    assert "put {database_url} where the application reads its URL" in elsewhere.process.output
    assert not list(elsewhere.results.glob("*"))
