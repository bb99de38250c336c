"""The `loadtest` command as a person meets it."""

from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from sqlalchemy import URL, Engine, text

from loadtest.cli.main import app
from loadtest.runfile.reader import read_run
from tests.conftest import ROOT, without_database
from tests.processes import Running, loadtest_command, running, stop_with

Loadtest = Callable[..., "subprocess.CompletedProcess[str]"]
PASSWORD = "s3cr3t-p4ssw0rd"
COMMANDS: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
POINT_SELECT = ROOT / "scenarios" / "point_select.py"
# Ten users who hold a connection for 50 ms each: the generator has little to do.
COMPARE = (
    *("compare", ROOT / "scenarios" / "held_connection.py", "-u", 10, "-t", "2s"),
    *("--option", "held_rows=100", "--warmup", "0s", "--no-try", "--rounds", 2, "-v"),
    *("--pool", "small:3+0", "--pool", "fitting:10+0"),
)
FAILING = """
from locust import constant, task
from sqlalchemy import text
from loadtest.load import PoolUser

class Reader(PoolUser):
    wait_time = constant(0.05)

    @task
    def newest(self):
        with self.session("newest") as session:
            session.execute(text("SELECT SLEEP(0.2)"))  # a busy machine is not late by much of it
            session.execute(text("SELECT * FROM articles"))
"""
WRONG_EXPERIMENT = """
name = "Not A Name"
scenario = "point_select.py"
rounds = 0
colour = "green"
[load]
users = -5
duration = "for ever"
[[pool]]
name = "a"
pool_sise = 5
[[pool]]
name = "b"
max_overflow = -7
"""


def at(url: URL) -> dict[str, str]:
    """The environment with a database's address."""
    return {**without_database(), "LOADTEST_DATABASE_URL": url.render_as_string(False)}


def documented_exit_code(summary: dict[str, Any]) -> int:
    """What the design says of a comparison without an objective: 0, 4 or 5."""
    valid = sum(pool["valid"] for pool in summary["pools"])
    if valid < min(2, len(summary["pools"])) or summary["verdict"]["unmeasured"]:
        return 4
    undecided = len(summary["pools"]) > 1 and summary["verdict"]["recommended"] is None
    return 5 if undecided else 0


def assert_usage_error(ended: subprocess.CompletedProcess[str], *messages: str) -> None:
    """Exit code 2, the messages and nothing else on standard error, nothing on standard output."""
    assert ended.returncode == 2, ended.stderr
    assert ended.stdout == ""
    assert "Traceback" not in ended.stderr
    for message in messages:
        assert ended.stderr.count(message) == 1, ended.stderr


class TestHelp:
    """What `--help` says."""

    def test_the_tool_lists_its_commands_and_an_example(self, loadtest: Loadtest) -> None:
        shown = loadtest("--help")

        assert shown.returncode == 0
        assert all(name in shown.stdout for name in COMMANDS)
        assert "Example: loadtest demo" in shown.stdout
        assert {"demo", "run", "compare", "report"} <= set(COMMANDS)

    @pytest.mark.parametrize("name", sorted(COMMANDS))
    def test_every_command_shows_an_example_that_it_takes(
        self, loadtest: Loadtest, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        monkeypatch.setattr("typer.rich_utils.MAX_WIDTH", 200)
        shown = loadtest(name, "--help")

        assert shown.returncode == 0
        assert re.search(r"Examples?: ", shown.stdout)
        examples = re.findall(rf"(?m)(?:^ *|Examples?: )loadtest ({name}\b.*?) *$", shown.stdout)
        assert examples
        for example in examples:
            _, *arguments = shlex.split(example)
            COMMANDS[name].make_context(name, arguments)
            for word in arguments:
                if word.startswith("scenarios/"):
                    assert (ROOT / word).exists()

    @pytest.mark.parametrize("command", [[], ["compare"]])
    def test_types_of_python_are_not_shown(self, loadtest: Loadtest, command: list[str]) -> None:
        shown = loadtest(*command, "--help").stdout
        assert "--help" in shown
        assert "<bool>" not in shown
        assert "list[" not in shown
        assert not command or "<str>" in shown

    @pytest.mark.parametrize("name", ["run", "compare"])
    def test_what_happens_without_an_option_is_said(self, loadtest: Loadtest, name: str) -> None:
        shown = " ".join(loadtest(name, "--help").stdout.replace("│", " ").split())

        assert "default: all" in shown
        assert "default: a private server" in shown
        assert "LOADTEST_DATABASE_URL" in shown

    def test_the_version_is_said(self, loadtest: Loadtest) -> None:
        shown = loadtest("--version")

        assert shown.returncode == 0
        assert re.fullmatch(r"loadtest \d+\.\d+\.\d+\n", shown.stdout)


class TestWrongUsage:
    """Mistakes end with exit code 2 and one message, before anything is started."""

    @pytest.mark.parametrize(
        ("pool", "message"),
        [
            ("pool_sise=3", "pool_sise: unknown key; the keys are name, poolclass, pool_size"),
            ("max_overflow=-7", "max_overflow: must be at least -1"),
            ("many", "'many' is not a setting; a pool is SIZE+OVERFLOW on its own, like 20+0"),
            ("pool_size=1,pool_size=2", "pool_size is given twice"),
            ("poolclass=NullPool,pool_size=3", "NullPool keeps no connections"),
            ("too loud:20+0", "name: 'too loud' is not a name; use letters, digits and _ . + -"),
        ],
    )
    def test_pools(self, loadtest: Loadtest, pool: str, message: str) -> None:
        ended = loadtest("run", POINT_SELECT, "--pool", pool)

        assert_usage_error(ended, message)
        assert len(ended.stderr.splitlines()) == 1

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["-u", "0"], "--users: must be at least 1"),
            (["-t", "soon"], "--time: 'soon' is not a duration"),
            (["-t", "0s"], "--time: must be above 0"),
            (["-t", "2500ms"], "--warmup plus --time is 7.5 s: the sum must be whole"),
            (["--spawn-rate", "0"], "--spawn-rate: must be above 0"),
            (["--option", "fifty"], "--option fifty: write NAME=VALUE"),
        ],
    )
    def test_loads(self, loadtest: Loadtest, arguments: list[str], message: str) -> None:
        ended = loadtest("run", POINT_SELECT, *arguments)

        assert_usage_error(ended, message)
        assert len(ended.stderr.splitlines()) == 1

    @pytest.mark.parametrize(
        "arguments",
        [["nonsense"], ["run"], ["run", POINT_SELECT, "--colour", "green"], ["run", "a", "b"]],
    )
    def test_commands_and_options_that_are_none(
        self, loadtest: Loadtest, arguments: list[Any]
    ) -> None:
        assert_usage_error(loadtest(*arguments), "Usage: ")

    @pytest.mark.parametrize(
        ("scenario", "message"),
        [
            ("nowhere.py", "there is no scenario nowhere.py"),
            ("scenarios", "scenarios is a folder; give one of its files, like scenarios/held_co"),
            (
                "scenarios/hot_row.toml",
                "an experiment, not a scenario: loadtest compare scenarios/hot_row.toml",
            ),
            ("README.md", "README.md is not a scenario: give a Python file"),
        ],
    )
    def test_what_is_no_scenario(
        self, loadtest: Loadtest, monkeypatch: pytest.MonkeyPatch, scenario: str, message: str
    ) -> None:
        monkeypatch.chdir(ROOT)
        ended = loadtest("run", scenario)

        assert_usage_error(ended, message)
        assert len(ended.stderr.splitlines()) == 1

    @pytest.mark.parametrize(
        ("option", "message", "more"),
        [
            ("hot_rowz=80", "has no option hot_rowz; its options are hot_rows, hot_work", ()),
            ("hot_rows=many", "option hot_rows: invalid int value: 'many'", ("--dry-run",)),
        ],
    )
    def test_options_of_the_scenario(
        self, loadtest: Loadtest, tmp_path: Path, option: str, message: str, more: tuple[str, ...]
    ) -> None:
        """Told by the scenario itself, before a server is started."""
        scenario = ROOT / "scenarios" / "hot_row.py"
        pools, results = ("--pool", "5+10", "--pool", "20+0"), ("--results", tmp_path / "results")
        ended = loadtest("compare", scenario, *pools, "--option", option, *results, *more)

        assert_usage_error(ended, message)
        assert len(ended.stderr.splitlines()) == 1
        assert not (tmp_path / "results").exists()

    @pytest.mark.long
    def test_options_of_an_experiment(self, loadtest: Loadtest, tmp_path: Path) -> None:
        path = tmp_path / "x.toml"
        scenario, pools = ROOT / "scenarios" / "hot_row.py", "[[pool]]\n[[pool]]\npool_size = 3\n"
        path.write_text(f'name = "x"\nscenario = "{scenario}"\n[options]\nhot_rowz = 8\n{pools}')

        ended = loadtest("compare", path, "--dry-run")

        assert_usage_error(ended, "has no option hot_rowz")
        assert len(ended.stderr.splitlines()) == 1

    def test_a_scenario_that_cannot_be_imported(self, loadtest: Loadtest, tmp_path: Path) -> None:
        path = tmp_path / "shop.py"
        path.write_text("import os\nx = = 3\n")

        ended = loadtest("run", path)

        assert_usage_error(ended, f"{path}, line 2: SyntaxError: invalid syntax")
        assert len(ended.stderr.splitlines()) == 1

    def test_all_mistakes_of_an_experiment_are_listed_at_once(
        self, loadtest: Loadtest, tmp_path: Path
    ) -> None:
        path = tmp_path / "wrong.toml"
        path.write_text(WRONG_EXPERIMENT)

        ended = loadtest("compare", path)

        keys = ("name", "rounds", "colour", "load.users", "load.duration")
        places = (*keys, "pool.1.pool_sise", "pool.2.max_overflow")
        assert_usage_error(ended, *(f"{path}: {place}: " for place in places))
        assert len(ended.stderr.splitlines()) == len(places)

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("name = ", "not valid TOML"),
            ("\xff", "cannot be read: it is not text in UTF-8\n"),
            (None, "cannot be read: No such file or directory\n"),
            ('name = "x"\nscenario = "no.py"\n[[pool]]\n', "scenario: there is no file"),
        ],
    )
    def test_files_that_are_no_experiments(
        self, loadtest: Loadtest, tmp_path: Path, content: str | None, message: str
    ) -> None:
        path = tmp_path / "x.toml"
        if content is not None:
            path.write_bytes(content.encode("latin-1"))

        assert_usage_error(loadtest("compare", path), f"{path}: {message}")

    def test_a_comparison_needs_two_pools_with_different_names(self, loadtest: Loadtest) -> None:
        one = loadtest("compare", POINT_SELECT, "--pool", "5+10")
        twice = loadtest("compare", POINT_SELECT, "--pool", "5+10", "--pool", "5+10")
        both = loadtest("compare", POINT_SELECT.with_suffix(".toml"), "--pool", "5+10")

        assert_usage_error(one, "a comparison needs at least two pools")
        assert_usage_error(twice, "--pool 5+10 is given twice. To compare a pool with itself")
        assert_usage_error(both, "only with a scenario; edit the settings in")

    @pytest.mark.parametrize(
        ("url", "message"),
        [
            (f"sqlite:///{PASSWORD}", "the database URL starts with sqlite://"),
            (f"mysql+pymysql://me:{PASSWORD}@127.0.0.1:9/x", "no database answers at 127.0.0.1:9"),
        ],
    )
    def test_addresses_of_databases(
        self, loadtest: Loadtest, tmp_path: Path, url: str, message: str
    ) -> None:
        results = tmp_path / "results"
        ended = loadtest("run", POINT_SELECT, "--database-url", url, "--results", results)

        assert_usage_error(ended, message)
        assert PASSWORD not in ended.stderr
        assert not results.exists()

    def test_the_environments_address_is_used(self, loadtest: Loadtest, tmp_path: Path) -> None:
        url = f"mysql+pymysql://me:{PASSWORD}@127.0.0.1:9/x"
        environment = {**without_database(), "LOADTEST_DATABASE_URL": url}

        ended = loadtest("run", POINT_SELECT, "--results", tmp_path / "x", env=environment)

        assert_usage_error(ended, "no database answers at 127.0.0.1:9")
        assert PASSWORD not in ended.stderr
        assert not (tmp_path / "x").exists()

    def test_results_that_are_not_there(self, loadtest: Loadtest, tmp_path: Path) -> None:
        assert_usage_error(loadtest("report", tmp_path), f"{tmp_path} contains no run files")
        assert_usage_error(loadtest("report", tmp_path / "x.jsonl"), "there is no result ")

    @pytest.mark.server
    def test_results_that_cannot_be_written(
        self, loadtest: Loadtest, tmp_path: Path, url: URL
    ) -> None:
        (tmp_path / "file").touch()
        results = ("--results", tmp_path / "file" / "x")
        ended = loadtest("run", POINT_SELECT, "--no-try", *results, env=at(url))

        assert_usage_error(ended, "cannot create a results folder")


def test_a_dry_run_shows_what_would_be_done_and_does_nothing(
    loadtest: Loadtest, tmp_path: Path
) -> None:
    shown = loadtest(
        *("compare", POINT_SELECT, "--pool", "a:1+0", "--pool", "b:2+inf", "--rounds", 2),
        *("-u", 7, "--spawn-rate", 3.5, "-t", "4s", "--warmup", "1s", "--seed", 9, "--dry-run"),
        *("--option", "point_rows=5", "--database-url", f"mysql+pymysql://me:{PASSWORD}@h/x"),
        cwd=tmp_path,
    )

    assert shown.returncode == 0, shown.stderr
    *runs, time = shown.stdout.splitlines()
    assert [run.split()[:3] for run in runs] == [
        ["round", "1", "a"],
        ["round", "1", "b"],
        ["round", "2", "b"],
        ["round", "2", "a"],
    ]
    words = shlex.split(runs[1][runs[1].index("locust") :])
    for pair in ("-u 7", "-r 3.5", "-t 5s", "--warmup 1s", "--seed 9", "--pool-name b"):
        assert f" {pair} " in runs[1]
    assert words[words.index("--pool-size") :][:4] == ["--pool-size", "2", "--max-overflow", "-1"]
    assert words[-2:] == ["--point-rows", "5"]
    assert time == "4 runs, about 0 min 30 s"
    assert PASSWORD not in shown.stdout
    assert list(tmp_path.iterdir()) == []


def test_an_option_without_a_value_can_be_switched_on_and_off(
    loadtest: Loadtest, tmp_path: Path
) -> None:
    path = tmp_path / "shop.py"
    flag = 'group.add_argument("--fast", action="store_true")'
    path.write_text(
        f"{FAILING}\n    @classmethod\n    def add_options(cls, group):\n        {flag}\n"
    )
    pools = ("--pool", "5+10", "--pool", "20+0", "--dry-run")

    on = loadtest("compare", path, *pools, "--option", "fast=true")
    off = loadtest("compare", path, *pools, "--option", "fast=false")

    assert (on.returncode, off.returncode) == (0, 0), on.stderr + off.stderr
    assert " --fast\n" in on.stdout
    assert "--fast" not in off.stdout


@pytest.mark.server
def test_a_run_leaves_a_result_and_a_report(loadtest: Loadtest, tmp_path: Path) -> None:
    load = ("-u", 5, "-t", "2s", "--warmup", "1s", "--objective", "request_seconds.p95 <= 1000s")
    ended = loadtest("run", POINT_SELECT, *load, "-v", "--results", tmp_path, figures=True)

    assert ended.returncode in (0, 4), ended.stderr
    folder = (tmp_path / "latest").resolve()
    assert (folder / "figures" / "connections.svg").stat().st_size > 1000
    summary = json.loads((folder / "summary.json").read_text())
    assert ended.returncode == documented_exit_code(summary), ended.stderr
    assert re.search(r"The private \w+ [\d.]+ was ready after [\d.]+ s", ended.stderr)
    assert "$ locust -f" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert f"Report: {folder / 'report.html'}" in ended.stdout.replace(
        str(tmp_path), str(tmp_path.resolve())
    )
    run = read_run(folder / "runs" / "5+10-1.jsonl")
    assert list(run.problems) == []
    assert run.header.server.private is True
    assert run.header.load.warmup == 1
    assert run.header.host.tls_context_seconds > 0
    assert {interval.period for interval in run.intervals} == {"warmup", "measured", "drain"}
    (pool,) = summary["pools"]
    (objective,) = pool["objectives"]
    assert objective["text"] == load[-1]
    assert objective["met"] is (True if pool["valid"] else None)
    done = sum(i.counters["requests"] - i.counters["failures"] for i in run.measured())
    seconds = sum(i.length for i in run.measured()) / 1e9
    assert pool["throughput"]["per_second"] == pytest.approx(done / seconds, rel=0.01)
    assert (folder / "report.html").stat().st_size > 1000
    command = json.loads((folder / "experiment.json").read_text())["command"]
    assert command == shlex.join(["loadtest", *map(str, ended.args[1:])])


@pytest.mark.database
def test_a_run_in_which_nothing_succeeds_says_so_with_the_error_and_the_log(
    loadtest: Loadtest, tmp_path: Path, url: URL
) -> None:
    path = tmp_path / "shop.py"
    path.write_text(FAILING)

    load = ("-u", 2, "-t", "2s", "--warmup", "0s", "--no-try", "--results", tmp_path)
    ended = loadtest("run", path, *load, env=at(url))

    error = "(1146, \"Table 'loadtest.articles' doesn't exist\")"
    said = ended.stdout.splitlines()
    assert ended.returncode == 4, ended.stderr
    (verdict,) = (line for line in said if line.startswith("None of "))
    assert verdict.endswith(
        f" requests succeeded with 5+10 (pool_size=5, max_overflow=10): {error}"
    )
    (log,) = (line for line in said if line.startswith("For details, see Locust's log: "))
    assert re.search(r"/shop-[\d-]+/runs/5\+10-1\.log\.$", log)
    assert "doesn't exist" in (tmp_path / "latest" / "runs" / "5+10-1.log").read_text()
    (found,) = (line for line in said if line.startswith("- 5+10: No request succeeded: all "))
    assert f" failed, most with mistakes in SQL: {error}. " in found
    assert "error:" not in ended.stdout
    assert [line for line in said if line != line.rstrip()] == []


@pytest.mark.database
def test_a_database_user_without_the_rights_is_told_which_are_needed(
    loadtest: Loadtest, tmp_path: Path, url: URL, admin: Engine
) -> None:
    with admin.begin() as connection:
        connection.execute(text("DROP TABLE IF EXISTS loadtest.loadtest_point_item"))
        connection.execute(text(f"CREATE USER reader@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'"))
        connection.execute(text("GRANT SELECT ON loadtest.* TO reader@'127.0.0.1'"))
    try:
        address = url.set(username="reader", password=PASSWORD).render_as_string(False)
        environment = {**without_database(), "LOADTEST_DATABASE_URL": address}
        more = ("-t", "1s", "--warmup", "0s", "-q", "--results", tmp_path)
        ended = loadtest("run", POINT_SELECT, *more, env=environment)
    finally:
        with admin.begin() as connection:
            connection.execute(text("DROP USER reader@'127.0.0.1'"))

    assert_usage_error(
        ended, "user 'reader'", "may not CREATE in the database", "need the rights CREATE, DR"
    )
    assert ended.stderr.endswith("Nothing was measured: correct it and start again.\n")
    assert len(ended.stderr.splitlines()) == 2
    assert PASSWORD not in ended.stderr
    assert list(tmp_path.iterdir()) == [], "neither a folder nor a link to it"


@pytest.mark.server
def test_a_comparison_runs_every_pool_in_every_round(
    loadtest: Loadtest, tmp_path: Path, url: URL
) -> None:
    ended = loadtest(*COMPARE, "--results", tmp_path, env=at(url))

    folder = (tmp_path / "latest").resolve()
    assert re.fullmatch(r"held-connection-\d{8}-\d{6}", folder.name)
    names = {f"{pool}-{number}.jsonl" for pool in ("small", "fitting") for number in (1, 2)}
    assert {path.name for path in folder.glob("runs/*.jsonl")} == names
    runs = {name: read_run(folder / "runs" / name) for name in names}
    assert all(list(run.problems) == [] for run in runs.values())
    begun = sorted(names, key=lambda name: runs[name].header.started)
    assert begun == ["small-1.jsonl", "fitting-1.jsonl", "fitting-2.jsonl", "small-2.jsonl"]
    processes = {run.intervals[0].process for run in runs.values()}
    assert len(processes) == 4, "a fresh process for each run"
    assert (folder / "report.html").exists()
    summary = json.loads((folder / "summary.json").read_text())
    assert [pool["name"] for pool in summary["pools"]] == ["small", "fitting"]
    assert [pool["rounds"] for pool in summary["pools"]] == [2, 2]
    assert ended.returncode == documented_exit_code(summary), ended.stderr
    assert "Traceback" not in ended.stderr


def compare_under_way(tmp_path: Path, process: Running) -> Path:
    """The folder of a comparison whose second run has begun."""

    def folder() -> Path | None:
        runs = list(tmp_path.glob("results/held-*/runs/*.jsonl"))
        return runs[0].parent.parent if len(runs) == 2 and runs[1].stat().st_size else None

    return process.until(folder, "the second run")


def assert_no_password_in_arguments(process: Running) -> None:
    """Neither the tool nor anything it started shows the private server's password to `ps`."""
    password = None
    for one in process.alive():
        address = one.environ().get("LOADTEST_DATABASE_URL", "")
        password = password or (re.search(r":([^:@/]+)@", address) or [None, None])[1]
    assert password
    assert all(password not in word for one in process.alive() for word in one.cmdline())


@pytest.mark.server
@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.long)]
)
def test_a_comparison_that_is_ended_has_a_report_of_what_there_is(
    tmp_path: Path, number: signal.Signals
) -> None:
    # A busy machine may need seconds to see that the second run has begun.
    longer = ["6s" if word == "2s" else word for word in COMPARE]
    command = loadtest_command(*longer, "--results", tmp_path / "results")
    with running(tmp_path / "log", *command, warm=True) as process:
        folder = compare_under_way(tmp_path, process)
        assert {"mariadbd", "mysqld"} & {one.name() for one in process.alive()}
        assert_no_password_in_arguments(process)
        code = stop_with(process, number)

    assert "Interrupted: the report covers what was measured so far" in process.output
    assert "Traceback" not in process.output
    assert (folder / "report.html").exists()
    summary = json.loads((folder / "summary.json").read_text())
    assert code == documented_exit_code(summary)
    assert code in (4, 5), "one round decides nothing"
    assert sum(pool["rounds"] for pool in summary["pools"]) >= 1
    interrupted = [read_run(path) for path in folder.glob("runs/*.jsonl")]
    assert all(run.finished for run in interrupted)
    reasons = {str(run.footer.end) for run in interrupted if run.footer}
    assert reasons == {"finished", "interrupted"}


@pytest.mark.server
def test_ctrl_c_before_anything_was_measured_leaves_no_report(tmp_path: Path, url: URL) -> None:
    command = loadtest_command(*COMPARE, "--results", tmp_path / "results")
    with running(tmp_path / "log", *command, env=at(url), warm=True) as process:
        process.until(lambda: "$ locust" in process.output, "the first run")
        code = stop_with(process, signal.SIGINT)

    assert code in (4, 130)
    assert "Traceback" not in process.output
    assert "Interrupted" in process.output
    if code == 130:
        assert list((tmp_path / "results").iterdir()) == []
