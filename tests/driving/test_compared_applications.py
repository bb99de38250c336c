"""Two applications are compared: every pool runs with each, and the result tells them apart."""

from __future__ import annotations

import json
import shlex
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from loadtest.runfile.reader import Run, read_run
from tests.conftest import without_database
from tests.driving.applications import APPLICATION, VISITORS
from tests.processes import fetch, free_port, loadtest_command, running, until

pytestmark = pytest.mark.long
# It serves one request at a time.
ONE_THREAD = APPLICATION.replace("socketserver.ThreadingMixIn, ", "").replace(
    "daemon_threads = True", "pass"
)
NAMES = ["1+0.many", "1+0.one", "2+1.many", "2+1.one"]
SECRET = "s3cret-of-the-shop"
LOAD = ("--no-try", "--rounds", "1", "-u", "2", "-t", "5s", "--warmup", "1s")


class Compared(NamedTuple):
    """A comparison that has ended; urls: those of `--ready`, by application."""

    code: int
    said: str
    folder: Path
    urls: dict[str, str]

    @property
    def runs(self) -> dict[str, Run]:
        """The run of each pool."""
        return {name: read_run(self.folder / "runs" / f"{name}-1.jsonl") for name in NAMES}

    @property
    def summary(self) -> dict[str, Any]:
        """The content of summary.json."""
        found: dict[str, Any] = json.loads((self.folder / "summary.json").read_text())
        return found


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Compared:
    """A comparison of two pools in two applications, in one round."""
    folder = tmp_path_factory.mktemp("compared")
    (folder / "many.py").write_text(APPLICATION)
    (folder / "one.py").write_text(ONE_THREAD)
    (folder / "visitors.py").write_text(VISITORS.format(path="/rows"))
    urls, options = dict[str, str](), list[str]()
    for name in ("many", "one"):
        port = free_port()
        urls[name] = f"http://127.0.0.1:{port}/health"
        words = [sys.executable, f"{name}.py", str(port), "rows.db"]
        options += ["--app", f"{name}:{shlex.join(words)}", "--ready", f"{name}:{urls[name]}"]
    options += ["--pool", "1+0", "--pool", "2+1", "--app-env", f"one:SHOP_KEY={SECRET}", *LOAD]
    command = loadtest_command("compare", "visitors.py", *options)
    with running(folder / "log", *command, cwd=folder, env=without_database()) as process:
        code = process.wait(240)
        until(process.gone, "everything to end", context=lambda: f"{process.alive()}")
    # Of one round, nothing is certain.
    assert code in (4, 5), process.output
    return Compared(code, process.output, next((folder / "reports").glob("*-*")), urls)


def test_each_application_is_announced_and_nothing_is_left(compared: Compared) -> None:
    lines = compared.said.splitlines()
    for name, url in compared.urls.items():
        at = lines.index(f"{name}:")
        assert lines[at + 1].startswith("In the database of the application, ")
        assert "at most 2 times" in " ".join(lines[at + 1 : at + 4])
        assert not fetch(url)


def test_every_pool_runs_with_each_application_in_the_same_round(compared: Compared) -> None:
    runs, files = compared.runs, (compared.folder / "runs").glob("*.jsonl")
    assert sorted(path.stem for path in files) == [f"{name}-1" for name in NAMES]
    assert sorted(NAMES, key=lambda name: runs[name].header.started) == NAMES
    for name, run in runs.items():
        given, application = name.rsplit(".", 1)
        header = run.header
        assert header.driven
        assert (header.application, header.driven.name) == (application, application)
        assert header.driven.command.split()[1] == f"{application}.py"
        assert header.driven.ready == compared.urls[application]
        sizes = header.pool.pool_size, header.pool.max_overflow
        assert sizes == ((1, 0) if given == "1+0" else (2, 1))
        assert any(one.role == "application" for one in run.intervals)
        log = compared.folder / "runs" / f"{name}-1.app.log"
        assert log.read_text() == "listening\n"


def test_the_command_of_a_run_repeats_it_with_its_application(compared: Compared) -> None:
    for name, run in compared.runs.items():
        given, application = name.rsplit(".", 1)
        told = dict(pairwise(shlex.split(run.header.command)))
        assert told["--app"].startswith(f"{application}:{sys.executable} {application}.py ")
        assert (told["--pool"], told["--ready"]) == (f"{name}:{given}", compared.urls[application])
        assert ("SHOP_KEY=***" in run.header.command) == (application == "one")
    files = [path for path in compared.folder.rglob("*") if path.is_file()]
    assert not any(SECRET.encode() in path.read_bytes() for path in files)
    assert "one:SHOP_KEY=***" in compared.summary["experiment"]["command"]


def test_the_result_tells_the_applications_apart(compared: Compared) -> None:
    summary = compared.summary
    named = [(one["name"], one["given"], one["application_name"]) for one in summary["pools"]]
    assert named == [(name, *name.split(".")) for name in NAMES]
    recorded = [pool for pool in summary["pools"] if pool["application"]]
    assert all(pool["application"]["name"] == pool["application_name"] for pool in recorded)
    assert {(one["pool"], one["baseline"]) for one in summary["comparisons"]} <= {
        ("2+1.many", "1+0.many"),
        ("2+1.one", "1+0.one"),
    }
    assert [one["name"] for one in summary["experiment"]["driven"]] == ["many", "one"]
    verdict = summary["verdict"]["text"].splitlines()
    assert verdict[0].startswith("Whether the conclusion carries over is unknown: ")
    told = {line.partition(": ")[0] for line in verdict[1:]}
    assert {"With many", "With one"} <= told
    assert verdict[0] in " ".join(compared.said.split())
    page = (compared.folder / "report.html").read_text()
    assert "applications many and one" in page
    assert all(f">{name}" in page for name in NAMES)


def test_it_can_be_rendered_again_and_compared(
    compared: Compared, tmp_path: Path, loadtest: Any
) -> None:
    assert loadtest("report", compared.folder, "-o", tmp_path).returncode in (0, compared.code)
    rendered = json.loads((tmp_path / "summary.json").read_text())
    for part in ("pools", "comparisons", "verdict"):
        assert rendered[part] == compared.summary[part]
    found = loadtest("diff", compared.folder, compared.folder, "--json")
    assert found.returncode in (4, 5), found.stderr
    rows = {(one["pool"], one["baseline"]) for one in json.loads(found.stdout)}
    assert rows == {(name, f"{name} before") for name in NAMES}
