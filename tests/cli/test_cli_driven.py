"""The commands that read results, with a run that drove an application, as a person meets them."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as XML

import pytest

from tests.findings.runs import RECORDED

Loadtest = Callable[..., "subprocess.CompletedProcess[str]"]
SMALL = RECORDED / "driven-pool-below-concurrency" / "run.jsonl"
OF_SCENARIO = RECORDED / "spike" / "waits.jsonl"
OBJECTIVE = 'request["GET /rows"].p95 <= 1ms'


@pytest.fixture
def result(tmp_path: Path) -> Path:
    """The folder of a run with six visitors and a pool of two connections, with an objective."""
    folder = tmp_path / "visitors"
    (folder / "runs").mkdir(parents=True)
    shutil.copyfile(SMALL, folder / "runs" / "as-is-1.jsonl")
    plan = {"name": "visitors", "scenario": "visitors.py", "rounds": 1, "objective": OBJECTIVE}
    (folder / "experiment.json").write_text(json.dumps(plan))
    return folder


def test_report(loadtest: Loadtest, result: Path, tmp_path: Path) -> None:
    ended = loadtest("report", result, "-o", tmp_path / "out")
    assert ended.returncode in (0, 3), ended.stderr
    assert f"{OBJECTIVE}: missed" in ended.stdout
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Inside the application" in page
    assert "SQLite has no server" in page
    (pool,) = json.loads((tmp_path / "out" / "summary.json").read_text())["pools"]
    assert pool["request"]["GET /rows"]["count"] > 50
    assert "pool_below_concurrency" in {one["code"] for one in pool["findings"]}


@pytest.mark.parametrize("command", ["report", "diff"])
def test_a_scenario_beside_an_application(loadtest: Loadtest, result: Path, command: str) -> None:
    ended = loadtest(command, result, OF_SCENARIO)
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert line.startswith(f"cannot be compared: {result}")
    assert "drove an application behind HTTP (--app)" in line


def test_diff(loadtest: Loadtest, result: Path) -> None:
    ended = loadtest("diff", result, result)
    assert ended.returncode in (4, 5), ended.stderr
    assert "GET /rows, p95 (primary)" in ended.stdout
    other = RECORDED / "driven-held-while-streaming" / "run.jsonl"
    refused = loadtest("diff", result, other)
    assert refused.returncode == 2
    assert "cannot be compared: command of the application is python app.py" in refused.stderr


def test_capacity(loadtest: Loadtest, result: Path) -> None:
    ended = loadtest("capacity", "--from", result, "--max-connections", 100)
    assert ended.returncode == 0, ended.stderr
    assert "at most 2 connections (1 process × (2 + 0))" in ended.stdout
    assert "Of rows, at most 2 connections were in use in a process" in ended.stdout
    refused = loadtest("capacity", "--from", OF_SCENARIO, "--max-connections", 100)
    assert refused.returncode == 2
    assert "give a recording, or a result of --app" in refused.stderr
    named = loadtest("capacity", "--from", result, "--application", "a", "--max-connections", 9)
    assert named.returncode == 2
    assert "--application is for recordings" in named.stderr


def test_export(loadtest: Loadtest, result: Path) -> None:
    rows = list(csv.DictReader(loadtest("export", result, "--format", "csv").stdout.splitlines()))
    own = [row for row in rows if row["role"] == "application"]
    assert sum(int(row["checkouts_count"] or 0) for row in own) > 50
    assert not any(row["requests@GET /rows_count"] for row in own)
    assert sum(int(row["requests@GET /rows_count"] or 0) for row in rows) > 50
    suite = XML.fromstring(loadtest("export", result, "--format", "junit").stdout)
    (case,) = suite.iter("testcase")
    assert (case.get("classname"), case.get("name")) == ("as-is", OBJECTIVE)
    tags = {
        line.partition(",")[0]
        for line in loadtest("export", result, "--format", "hlog").stdout.splitlines()
    }
    assert {"Tag=as-is.request@GET_/rows", "Tag=as-is.wait"} <= tags


def test_whatif(loadtest: Loadtest, result: Path) -> None:
    ended = loadtest("whatif", result, "--pool", "6+0")
    assert ended.returncode == 0, ended.stderr
    assert any(line.startswith("6+0 ") for line in ended.stdout.splitlines())


def test_an_interrupted_run(loadtest: Loadtest, result: Path) -> None:
    (run,) = (result / "runs").iterdir()
    run.write_bytes(b"".join(run.read_bytes().splitlines(keepends=True)[:-1]))
    ended = loadtest("report", result)
    assert "as-is-1.jsonl: interrupted: the file has no footer" in ended.stdout
    refused = loadtest("export", result, "--format", "csv")
    assert refused.returncode == 2
    assert "was interrupted" in refused.stderr
