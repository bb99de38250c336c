"""Locust as a person starts it, without a web UI: what it says, leaves and takes with it."""

from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import psutil
import pytest
from sqlalchemy import URL

from loadtest.model.interval import SECOND, Interval, total
from loadtest.runfile.reader import Run, read_run
from tests.conftest import ROOT, without_database
from tests.processes import (
    Running,
    Sample,
    fetch,
    free_port,
    locust_command,
    run_locust,
    running,
    samples,
    stop_with,
    until,
)

pytestmark = pytest.mark.server
POINT_SELECT = ("-f", "scenarios/point_select.py", "--headless", "--only-summary")
POOL = (("db_client_connection_pool_name", "5+10"),)
# Metrics that count the same thing as a counter of the result file.
COUNTED = {
    ("loadtest_connections_opened_total", POOL): "opened",
    ("db_client_connection_timeouts_total", POOL): "timeouts",
    **{
        ("loadtest_checkouts_total", (*POOL, ("source", source))): f"checkouts.{source}"
        for source in ("pooled", "new", "overflow", "reconnect")
    },
    **{
        ("loadtest_connections_closed_total", (*POOL, ("reason", reason))): f"closed.{reason}"
        for reason in ("overflow", "invalidated")
    },
    ("loadtest_errors_total", (*POOL, ("kind", "deadlock"))): "errors.deadlock",
}


def intervals_in(path: Path) -> Interval:
    """The sum of the intervals that are in a result file by now."""
    return total(read_run(path).intervals)


def seconds_measured(path: Path) -> int:
    there = path.exists() and path.stat().st_size  # it is made a moment before its header is in it
    return len(read_run(path).intervals) if there else 0


def private_servers(process: Running) -> list[psutil.Process]:
    return [p for p in process.alive() if p.name() in ("mariadbd", "mysqld")]


class Everything:
    """`locust -f scenarios/ --headless`, scraped as it went, and what was there afterwards."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        arguments = ("-f", "scenarios/", "--headless", "-u", 50, "-r", 50, "-t", "4s")
        more = ("--metrics-port", port, "--results", folder / "results")
        self.scrapes: list[tuple[Interval, dict[Sample, float], Interval]] = []
        with running(folder / "log", *locust_command(*arguments, *more)) as process:
            process.until(lambda: self._runs(folder), "the result file")
            (path,) = self._runs(folder)
            servers = private_servers(process)
            self.servers = len(servers)
            data = next(a for a in servers[0].cmdline() if a.startswith("--datadir="))
            self.server_folder = Path(data.removeprefix("--datadir=")).parent
            assert self.server_folder.exists()
            for second in range(2, 5):
                process.until(lambda: seconds_measured(path) >= second, "a second")  # noqa: B023
                before = intervals_in(path)
                page = samples(fetch(f"http://127.0.0.1:{port}/metrics"))
                if page:
                    self.scrapes.append((before, page, intervals_in(path)))
            self.code = process.wait()
            self.output = process.output
            until(process.gone, "everything to end", context=lambda: str(process.alive()))
            self.left = process.alive()
        self.folder = path.parent.parent.resolve()
        self.run = read_run(path)

    @staticmethod
    def _runs(folder: Path) -> list[Path]:
        return [p for p in folder.glob("results/scenarios-*/runs/*.jsonl") if p.stat().st_size]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Everything:
    return Everything(tmp_path_factory.mktemp("everything"))


def test_it_ends_well_and_says_where_the_database_came_from(finished: Everything) -> None:
    assert finished.code == 0, finished.output
    assert "starting a private server" in finished.output
    assert "did not start" not in finished.output, "what it is about to do harms no other"
    assert "Traceback" not in finished.output


def test_all_scenarios_take_part(finished: Everything) -> None:
    classes = {"HeldConnection", "HotRow", "OrderFlow", "PointSelect"}
    assert set(finished.run.header.scenario.user_classes) >= classes
    spawned = json.loads(re.findall(r"All users spawned: (\{.*\})", finished.output)[-1])
    assert sum(spawned.values()) == 50
    assert all(spawned[name] > 0 for name in classes)
    rows = dict(re.findall(r"^session +(\w+(?:: \w+)?) +(\d+) ", finished.output, re.MULTILINE))
    assert {name for name, count in rows.items() if int(count)} >= {
        "browse",
        "HotRow: buy",
        "OrderFlow: buy",
        "select",
        "show",
    }
    assert "buy" not in rows
    tasks = {name for interval in finished.run.intervals for name in interval.tasks}
    assert tasks - {""} == set(rows)


def test_it_leaves_a_folder_with_a_run_and_a_report(finished: Everything) -> None:
    assert re.fullmatch(r"scenarios-\d{8}-\d{6}", finished.folder.name)
    assert finished.folder.parent.joinpath("latest").resolve() == finished.folder
    left = {str(path.relative_to(finished.folder)) for path in finished.folder.rglob("*.*")}
    assert {"runs/5+10-1.jsonl", "report.html", "summary.json"} <= left
    assert f"Report: {finished.folder / 'report.html'}" in finished.output


def test_the_run_has_a_header_intervals_and_a_footer(finished: Everything) -> None:
    run = finished.run
    assert list(run.problems) == []
    assert run.header.load.users == 50
    assert run.header.load.duration == 4
    assert run.header.load.processes == 1
    assert run.header.server.private is True
    assert run.footer is not None
    assert str(run.footer.end) == "finished"
    periods = [interval.period for interval in run.intervals]
    assert periods == sorted(periods, key=["warmup", "measured", "drain"].index)
    assert set(periods) == {"measured", "drain"}
    seconds = [interval.second for interval in run.intervals]
    assert seconds == sorted(seconds)


def test_its_numbers_agree_with_each_other(finished: Everything) -> None:
    run, whole = finished.run, total(finished.run.intervals)
    assert run.footer is not None
    totals = Counter(run.footer.totals.counters)
    assert totals == +whole.counters
    sources = ("pooled", "new", "overflow", "reconnect")
    assert totals["checkouts"] == sum(totals[f"checkouts.{source}"] for source in sources)
    assert totals["failures"] == sum(n for k, n in totals.items() if k.startswith("errors."))
    done = whole.histograms["request"].count
    failed = whole.histograms["failed_request"].count if totals["failures"] else 0
    assert (done, failed) == (totals["requests"] - totals["failures"], totals["failures"])
    assert whole.histograms["hold"].count == totals["checkouts"]
    length = sum(interval.length for interval in run.intervals) / 1e9
    first, last = run.intervals[0].second, run.intervals[-1].second
    assert last - first - 1 <= length <= last - first + 1
    assert all(interval.gauges["in_use"].max <= 15 for interval in run.intervals)


def test_the_metrics_are_those_of_the_result_file(finished: Everything) -> None:
    assert len(finished.scrapes) > 1
    for before, page, after in finished.scrapes:
        for sample, counter in COUNTED.items():
            assert before.counters[counter] <= page[sample] <= after.counters[counter]
        for metric, name in (
            ("db_client_connection_wait_time_seconds", "wait"),
            ("db_client_connection_use_time_seconds", "hold"),
        ):
            low, high = before.histograms[name], after.histograms[name]
            assert low.count <= page[f"{metric}_count", POOL] <= high.count
            assert low.sum / 1e9 <= page[f"{metric}_sum", POOL] <= high.sum / 1e9
    _, last, _ = finished.scrapes[-1]
    assert last["db_client_connection_max", POOL] == 15
    assert last["loadtest_checkouts_total", (*POOL, ("source", "pooled"))] > 0


def test_nothing_is_left_running(finished: Everything) -> None:
    assert finished.servers == 1
    assert finished.left == []
    assert not finished.server_folder.exists()


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.long)]
)
def test_a_signal_ends_a_run_in_good_order(tmp_path: Path, number: signal.Signals) -> None:
    path = tmp_path / "run.jsonl"
    command = locust_command(*POINT_SELECT, "-u", 5, "-r", 5, "--results", path)
    with running(tmp_path / "log", *command) as process:
        process.until(lambda: seconds_measured(path) >= 2, "two seconds")
        assert len(private_servers(process)) == 1
        assert stop_with(process, number) == 0

    run = read_run(path)
    assert list(run.problems) == []
    assert run.footer is not None
    assert str(run.footer.end) == "interrupted"
    assert Counter(run.footer.totals.counters) == +total(run.intervals).counters
    assert run.intervals[-1].period == "drain"
    assert "Traceback" not in process.output


@pytest.mark.long
def test_a_killed_run_costs_its_last_second_and_leaves_nothing_running(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    command = locust_command(*POINT_SELECT, "-u", 5, "-r", 5, "--results", path)
    with running(tmp_path / "log", *command) as process:
        process.until(lambda: seconds_measured(path) >= 2, "two seconds")
        before = seconds_measured(path)
        stop_with(process, signal.SIGKILL)

    run = read_run(path)
    assert len(run.intervals) >= before
    assert not run.finished
    assert list(run.problems) == ["interrupted: the file has no footer"]


@pytest.mark.long
def test_the_command_in_the_header_repeats_the_run(tmp_path: Path, url: URL) -> None:
    first, again = tmp_path / "first.jsonl", tmp_path / "again.jsonl"
    environment = {"LOADTEST_DATABASE_URL": url.render_as_string(False)}
    settings = ["--pool-size", 3, "--max-overflow", 0, "--pool-pre-ping", "--pool-timeout", 2.5]
    settings += ["--isolation-level", "READ COMMITTED", "--pool-name", "tiny", "--warmup", "1s"]
    settings += ["--seed", 7, "--point-rows", 50]
    run_locust(
        tmp_path / "log",
        *(*POINT_SELECT, "-u", 2, "-r", 2, "-t", "4s", *settings, "--results", first),
        env=environment,
    )
    one = read_run(first)
    command = one.header.command
    assert url.password
    assert url.password not in first.read_text()

    repeated = subprocess.run(
        f"{command} --results {shlex.quote(str(again))}",
        shell=True,
        cwd=ROOT,
        env={**without_database(), **environment, "PATH": f"{Path(sys.executable).parent}:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert repeated.returncode == 0, repeated.stderr
    other = read_run(again)
    assert other.header.command == command
    for part in ("pool", "load", "scenario"):
        assert other.told[part] == one.told[part], part
    assert one.header.pool.isolation_level == "READ COMMITTED"
    assert {interval.period for interval in other.intervals} == {"warmup", "measured", "drain"}


def run_of(folder: Path, url: URL, *settings: object) -> Run:
    """A run of eight users to its end."""
    path = folder / "run.jsonl"
    arguments = (*POINT_SELECT, "-u", 8, "-r", 8, "--results", path)
    environment = {"LOADTEST_DATABASE_URL": url.render_as_string(False)}
    ended = run_locust(folder / "log", *arguments, *settings, env=environment)
    assert ended.wait() == 0, ended.output
    return read_run(path)


def test_the_pool_that_ran_is_the_pool_that_was_asked_for(tmp_path: Path, url: URL) -> None:
    small = run_of(tmp_path, url, "--pool-size", 2, "--max-overflow", 1, "-t", "2s")
    assert (small.header.pool.pool_size, small.header.pool.max_overflow) == (2, 1)
    whole = total(small.intervals)
    assert whole.gauges["open"].max == 3
    assert whole.gauges["overflow"].max == 1
    assert whole.gauges["waiting"].max == 5
    assert whole.gauges["users"].max == 8
    # The time until the load begins is no part of it.
    assert sum(one.length for one in small.measured()) >= 2 * SECOND


@pytest.mark.long
def test_without_a_pool_each_checkout_opens_a_connection(tmp_path: Path, url: URL) -> None:
    null = run_of(tmp_path, url, "--poolclass", "NullPool", "-t", "3s")
    counters = total(null.intervals).counters
    assert null.pool_name == "nullpool"
    assert counters["checkouts.new"] == counters["opened"] == counters["checkouts"] > 0
