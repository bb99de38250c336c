"""The wheel, installed where there is no checkout: what people get who only want to use it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
import urllib.request
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from zipfile import ZipFile

import pytest

from loadtest.database.private_server import PrivateServer
from loadtest.model.experiment import read_experiment
from tests.conftest import ROOT, without_database
from tests.processes import fetch, free_port, running

Installed = Callable[..., "subprocess.CompletedProcess[str]"]
FOLDERS = ("scenarios", "examples")
PIP = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel, made of a copy, since a build leaves things behind where it happens."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    for name in ("loadtest", *FOLDERS):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "MANIFEST.in"):
        shutil.copy(ROOT / name, source)
    offline = ("--no-deps", "--no-index", "--no-build-isolation")
    subprocess.run([*PIP, "wheel", *offline, "-w", folder, source], check=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def home(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment of its own with the wheel; its other libraries are those of this one."""
    folder = tmp_path_factory.mktemp("installed") / "env"
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    offline = ("--no-deps", "--no-index")
    subprocess.run([*PIP, "--python", python, "install", *offline, wheel], check=True)
    (libraries,) = folder.glob("lib/python*/site-packages")
    (libraries / "others.pth").write_text(sysconfig.get_path("purelib"))
    return folder


@pytest.fixture(scope="module")
def installed(home: Path) -> Installed:
    """The command of that environment."""
    environment = {k: v for k, v in without_database().items() if k != "PYTHONPATH"}

    def run(
        *arguments: Any, cwd: Path, check: bool = True, **more: str
    ) -> subprocess.CompletedProcess[str]:
        command = [str(home / "bin" / "loadtest"), *map(str, arguments)]
        how: dict[str, Any] = {"env": environment | more, "cwd": cwd, "timeout": 120}
        return subprocess.run(command, check=check, capture_output=True, text=True, **how)

    return run


def test_the_wheel_has_every_file_of_the_package_the_scenarios_and_the_examples(
    wheel: Path,
) -> None:
    there = {name for name in ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert there == files_of("loadtest") | {
        f"loadtest/{file}" for folder in FOLDERS for file in files_of(folder)
    }


def files_of(folder: str) -> set[str]:
    """The files of a folder of the checkout, without what Python compiled."""
    found = (path for path in (ROOT / folder).rglob("*") if path.is_file())
    return {str(path.relative_to(ROOT)) for path in found if path.suffix != ".pyc"}


def test_a_ready_scenario_is_listed_copied_and_planned(
    installed: Installed, tmp_path: Path
) -> None:
    listed = installed("scenarios", cwd=tmp_path).stdout
    assert "\nhot_row " in listed
    installed("scenarios", "hot_row", "-o", "mine", cwd=tmp_path)
    plan = installed("compare", "mine/hot_row.toml", "--dry-run", cwd=tmp_path).stdout
    assert plan.count("locust -f mine/hot_row.py --headless") == 15
    assert "15 runs, about " in plan


def test_the_experiment_of_the_demo_with_an_application_is_complete(home: Path) -> None:
    (examples,) = home.glob("lib/python*/site-packages/loadtest/examples")
    experiment = read_experiment(examples / "flash_sale.toml")
    (application,) = experiment.application
    assert experiment.scenario.is_relative_to(examples)
    assert experiment.scenario.exists()
    assert application.cwd == examples


def test_sqlalchemy_finds_the_plugin_by_its_name(home: Path, tmp_path: Path) -> None:
    script = """
from sqlalchemy import create_engine
create_engine("sqlite:///shop.db?plugin=loadtest").connect().close()
"""
    python = home / "bin" / "python"
    outside = {k: v for k, v in without_database().items() if k != "PYTHONPATH"}
    subprocess.run([python, "-c", script], check=True, cwd=tmp_path, env=outside)
    assert len([*(tmp_path / "recordings").glob("shop-*.jsonl.gz")]) == 1


def test_it_records_an_application(installed: Installed, home: Path, tmp_path: Path) -> None:
    script = "import sqlalchemy as s; s.create_engine('sqlite:///shop.db').connect().close()"
    said = installed("record", "--", home / "bin" / "python", "-c", script, cwd=tmp_path)
    assert "Recording: reports/python-" in said.stderr


@pytest.mark.server
def test_it_measures_and_reports(
    installed: Installed, server: PrivateServer, tmp_path: Path
) -> None:
    installed("scenarios", "held_connection", cwd=tmp_path)
    load = ("-u", 5, "-t", "2s", "--warmup", "0s", "--pool", "2+0", "--no-try")
    where = {"LOADTEST_DATABASE_URL": server.url.render_as_string(hide_password=False)}
    run = ("run", "held_connection.py", *load, "--json")
    # Whether a busy machine lets it call the measurement valid is not the question.
    told = installed(*run, cwd=tmp_path, check=False, **where)
    (pool,) = json.loads(told.stdout)["pools"]
    assert pool["checkout"]["count"] > 0
    assert pool["connections"]["peak"] == 2
    assert (tmp_path / "reports" / "latest" / "report.html").exists()


@pytest.mark.server
def test_locust_has_its_pages(
    home: Path, installed: Installed, server: PrivateServer, tmp_path: Path
) -> None:
    installed("scenarios", "point_select", cwd=tmp_path)
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    command = [home / "bin" / "python", "-m", "locust", "-f", "point_select.py", "--web-port", port]
    url = server.url.render_as_string(hide_password=False)
    outside = {"LOADTEST_DATABASE_URL": url, "PYTHONPATH": ""}
    with running(tmp_path / "log", *command, env=outside, cwd=tmp_path) as process:
        process.until(lambda: fetch(address), "the web UI")
        send(f"{address}/swarm", user_count=2, spawn_rate=2)
        process.until(lambda: '"points": [[' in fetch(f"{address}/pool/data"), "a second")
        pages = ("/pool", "/pool/files/pool.js", "/pool/files/uPlot.js", "/metrics")
        assert [page for page in pages if not fetch(address + page)] == []


def send(address: str, **form: int) -> None:
    """Press a button of Locust's page."""
    with urllib.request.urlopen(address, urlencode(form).encode(), timeout=60) as answer:
        assert json.load(answer)["success"]
