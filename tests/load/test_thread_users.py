"""Users that are OS threads, in a process that gevent has not patched."""

import re
import shlex
import signal
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, Engine, text

from loadtest.model.interval import Interval, total
from loadtest.runfile.reader import Run, read_run
from tests.conftest import ROOT, long, without_database
from tests.processes import (
    Running,
    fetch,
    free_port,
    running,
    samples,
    so_far,
    stop_with,
    until,
)

pytestmark = pytest.mark.server
COUNTING = ROOT / "tests" / "load" / "counting.py"


def command(*arguments: Any, scenario: Path = COUNTING) -> list[str]:
    fixed = ("-f", scenario, "--only-summary", "--keep-tables")
    return [str(part) for part in (sys.executable, "-m", "loadtest.threads", *fixed, *arguments)]


def environment(url: URL) -> dict[str, str]:
    return {"LOADTEST_DATABASE_URL": url.render_as_string(hide_password=False)}


def ended(folder: Path, url: URL, *arguments: Any, scenario: Path = COUNTING) -> Running:
    """A run without the web UI to its end; its result is in `run.jsonl`."""
    more = ("--headless", "--results", folder / "run.jsonl", *arguments)
    with running(
        folder / "log", *command(*more, scenario=scenario), env=environment(url)
    ) as process:
        process.wait()
        until(process.gone, "everything that it started to end")
        return process


def result(folder: Path, url: URL, *arguments: Any) -> tuple[Run, Interval]:
    process = ended(folder, url, *arguments)
    assert process.wait() == 0, process.output
    assert "Traceback" not in process.output
    run = read_run(folder / "run.jsonl")
    assert list(run.problems) == []
    return run, total(run.intervals)


def log(folder: Path) -> str:
    return (folder / "log").read_text()


def rows(admin: Engine) -> list[Any]:
    with admin.connect() as connection:
        return list(connection.execute(text("SELECT * FROM loadtest_counting_done")))


def test_users_are_threads_in_turn_and_what_is_counted_is_what_the_database_saw(
    tmp_path: Path, url: URL, admin: Engine
) -> None:
    """Without a pause between tasks, too, all of them get their turn."""
    pool = ("--pool-size", 3, "--max-overflow", 1, "--work", 0.02, "--pause", 0)
    run, whole = result(tmp_path, url, "-u", 12, "-r", 12, "-t", "2s", *pool)

    done = rows(admin)
    assert whole.counters["requests"] == len(done) > 3 * 12
    assert whole.counters["failures"] == 0
    assert whole.counters["checkouts"] == 2 * len(done), "another one after the COMMIT"
    assert whole.histograms["hold"].count == whole.counters["checkouts"]
    assert run.header.load.model == "threads"
    assert whole.gauges["in_use"].max == whole.gauges["open"].max == 4
    assert whole.gauges["users"].max == 12
    assert 0 < whole.gauges["waiting"].max <= 12
    assert whole.histograms["wait"].max > 10_000_000
    assert max(interval.fair.served for interval in run.measured()) == 12
    table = re.findall(r"^session +(\w+) +(\d+) +0\(", log(tmp_path), re.MULTILINE)
    assert {name: int(n) for name, n in table} == Counter(row.what for row in done)
    assert not any(row.patched for row in done)
    of_thread = defaultdict(list)
    for row in done:
        of_thread[row.thread].append(row.what)
    assert len(of_thread) == 12
    for what in of_thread.values():
        assert (what[0], what[-1]) == ("start", "stop")
        assert set(what[1:-1]) == {"work"}


def test_who_waits_for_too_long_is_counted_and_who_does_not_end_is_left_behind(
    tmp_path: Path, url: URL
) -> None:
    """One has the only connection, and never ends; the others ask for it again and again."""
    pool = ("--pool-size", 1, "--max-overflow", 0, "--pool-timeout", 0.1)
    work = ("--work", 600, "--only-work", "--stop-timeout", 1)
    process = ended(tmp_path, url, "-u", 5, "-r", 5, "-t", "2s", *work, *pool)

    assert process.wait() == 0, process.output
    assert "more requests failed with the same kind of error (pool_timeout)" in process.output
    assert "1 threads did not end within 1 s. The run leaves them behind" in process.output
    run = read_run(tmp_path / "run.jsonl")
    assert list(run.problems) == []
    assert run.intervals[-1].gauges["in_use"].last == 1
    counters = total(run.intervals).counters
    assert counters["timeouts"] == counters["errors.pool_timeout"] == counters["failures"] > 2
    assert counters["requests"] == counters["failures"]


@pytest.mark.parametrize(
    "poolclass", ["QueuePool", pytest.param("FairPool", marks=pytest.mark.long)]
)
def test_arrivals_come_as_they_are_due(
    tmp_path: Path, url: URL, admin: Engine, poolclass: str
) -> None:
    open_loop = ("--arrival-rate", 60, "--arrivals", "even", "-u", 30, "--poolclass", poolclass)
    run, whole = result(tmp_path, url, "-t", "2s", "--only-work", *open_loop)

    assert run.header.load.arrival_rate == 60
    assert whole.counters["arrivals"] == pytest.approx(60 * whole.length / 1e9, abs=15)
    work = Counter(row.what for row in rows(admin))["work"]
    assert whole.histograms["schedule_lag"].count == work
    begun = whole.counters["arrivals"] - whole.counters["dropped"]
    assert begun - 30 <= work <= begun, "each user may have one that is under way"


@pytest.mark.long
def test_users_follow_their_stages(tmp_path: Path, url: URL) -> None:
    run, _ = result(tmp_path, url, "--stages", "few=2s:3,2s:12,2s:5", "--warmup", "1s")

    assert {i.stage: i.gauges["users"].last for i in run.measured()} == {"few": 3, "2": 12, "3": 5}


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.long)]
)
def test_metrics_are_served_until_a_signal_ends_the_run_in_good_order(
    tmp_path: Path, url: URL, admin: Engine, number: signal.Signals
) -> None:
    port, path = free_port(), tmp_path / "run.jsonl"
    arguments = ("--headless", "-u", 5, "-r", 5, "--metrics-port", port, "--results", path)
    with running(tmp_path / "log", *command(*arguments), env=environment(url)) as process:
        process.until(lambda: len(so_far(path)) >= 2, "two seconds")
        before = total(read_run(path).intervals).counters["checkouts.pooled"]
        page = samples(fetch(f"http://127.0.0.1:{port}/metrics"))
        assert stop_with(process, number) == 0

    run = read_run(path)
    assert run.footer is not None
    assert str(run.footer.end) == "interrupted"
    assert total(run.intervals).counters["requests"] == len(rows(admin))
    assert "Traceback" not in process.output
    after = total(run.intervals).counters["checkouts.pooled"]
    labels = (("db_client_connection_pool_name", "5+10"), ("source", "pooled"))
    assert 0 < before <= page["loadtest_checkouts_total", labels] <= after


def test_a_user_may_end_the_run(tmp_path: Path, url: URL, admin: Engine) -> None:
    run, whole = result(tmp_path, url, "-u", 3, "-r", 3, "--quit-after", 5)

    assert run.footer is not None
    assert str(run.footer.end) == "stopped"
    assert whole.counters["requests"] == len(rows(admin))
    assert Counter(row.what for row in rows(admin))["work"] >= 5


@pytest.mark.long
def test_the_command_in_the_header_repeats_the_run(tmp_path: Path, url: URL) -> None:
    settings = ("--pool-size", 3, "--max-overflow", 0, "--pool-name", "tiny", "--work", 0.01)
    one, _ = result(tmp_path, url, "-u", 2, "-r", 2, "-t", "2s", *settings)

    again = tmp_path / "again.jsonl"
    repeated = subprocess.run(
        f"{one.header.command} --results {shlex.quote(str(again))}",
        shell=True,
        cwd=ROOT,
        env={
            **without_database(),
            **environment(url),
            "PATH": f"{Path(sys.executable).parent}:/bin",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert repeated.returncode == 0, repeated.stderr
    other = read_run(again)
    for part in ("pool", "load", "scenario", "command"):
        assert other.told[part] == one.told[part], part


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--headless", "--processes", "2"], "--processes: users that are threads run in one"),
        long(
            ["--headless", "--master"], "--master: users that are threads run in one process only"
        ),
        long([], "users that are threads run without the web UI: add --headless"),
        long(["--headless", "--pool-size", "-2"], "pool settings: pool_size"),
    ],
)
def test_what_cannot_be_is_refused(
    tmp_path: Path, url: URL, arguments: list[str], message: str
) -> None:
    with running(tmp_path / "log", *command(*arguments), env=environment(url)) as process:
        assert process.wait() == 2, process.output

    assert process.output.count(message) == 1, process.output
    assert "Traceback" not in process.output


def test_a_scenario_that_patches_is_refused(tmp_path: Path, url: URL) -> None:
    scenario = tmp_path / "patching.py"
    patch = "from gevent import monkey\nmonkey.patch_all()\n"
    scenario.write_text(COUNTING.read_text().replace("class Base", f"{patch}\n\nclass Base", 1))

    process = ended(tmp_path, url, scenario=scenario)

    assert process.wait() == 2
    assert "gevent has patched socket, ssl, threading" in process.output
    assert not (tmp_path / "run.jsonl").exists()
