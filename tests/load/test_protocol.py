"""Workers that come late, die, or have a wrong clock; what they measured against what arrived."""

from __future__ import annotations

import json
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

from loadtest.analysis.summarize import summarize_runs
from loadtest.model.distribution import Distribution
from loadtest.model.interval import Interval, total
from loadtest.model.summary import Finding
from loadtest.runfile.reader import Run, read_run
from loadtest.runfile.schema import WorkerRecord
from tests.processes import (
    Running,
    fetch,
    free_port,
    locust_command,
    running,
    samples,
    so_far,
    until,
)

pytestmark = pytest.mark.server
LAUNCHERS = Path(__file__).parent / "launchers"
SCENARIO = ("-f", "scenarios/point_select.py")
POOL = ("--pool-size", 2, "--max-overflow", 1)
POOL_LABEL = (("db_client_connection_pool_name", "2+1"),)
# On a server that others use, no worker joins a run under way.
ALONE = "--private-server"


class Cluster:
    """A master and workers started one by one; the rest ends with this object."""

    def __init__(self, folder: Path, url: URL, stack: ExitStack) -> None:
        self._folder, self._stack, self.port = folder, stack, free_port()
        self._environment = {"LOADTEST_DATABASE_URL": url.render_as_string(False)}
        self.path = folder / "run.jsonl"

    def master(self, workers: int, *more: Any) -> Running:
        arguments = ["--headless", "--only-summary", "--master", "--master-bind-port", self.port]
        arguments += ["--expect-workers", workers, "-u", 8, "-r", 8, "--results", self.path]
        return self._start("master", *locust_command(*SCENARIO, *arguments, *POOL, *more))

    def worker(self, name: str, *launcher: Any) -> Running:
        command = [sys.executable, *launcher] if launcher else locust_command()
        return self._start(name, *command, *SCENARIO, "--worker", "--master-port", self.port)

    def _start(self, name: str, *command: Any) -> Running:
        process = running(self._folder / f"{name}.log", *command, env=self._environment)
        return self._stack.enter_context(process)

    def seconds(self, process: Running) -> int:
        """How many intervals of a worker the master has written."""
        return sum(i.process == name_of(process) for i in so_far(self.path))


@contextmanager
def cluster(folder: Path, url: URL) -> Iterator[Cluster]:
    with ExitStack() as stack:
        yield Cluster(folder, url, stack)


def name_of(process: Running) -> str:
    """What results call a worker."""
    return f"{socket.gethostname()}:{process.process.pid}"


def end(master: Running) -> None:
    """Stop a run in good order, as its time limit would."""
    master.signal(signal.SIGTERM)
    assert master.wait() == 0, master.output


def findings(run: Run) -> dict[str, Finding]:
    return {finding.code: finding for finding in summarize_runs([run]).pools[0].findings}


def footer_of(run: Run) -> dict[str, WorkerRecord]:
    assert run.footer
    return {worker.process: worker for worker in run.footer.workers}


def by_hand(files: list[Path]) -> tuple[Counter[str], dict[str, Distribution]]:
    """All counters and histograms of some files, added up from their lines."""
    counters: Counter[str] = Counter()
    histograms: dict[str, Distribution] = {}
    for line in lines_of(files):
        if line["process"] != "server":
            counters.update(line["counters"])
            for name, data in line["histograms"].items():
                one = Distribution.from_json(data)
                histograms[name] = histograms.get(name, Distribution()) + one
    return counters, histograms


def lines_of(files: list[Path]) -> list[dict[str, Any]]:
    """The lines of some files that are intervals."""
    lines = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    return [line for line in lines if line["type"] == "interval"]


def test_what_the_workers_measured_adds_up_at_the_master(tmp_path: Path) -> None:
    """Compared with files that the workers write themselves, past all messages."""
    path, own, port, metrics = tmp_path / "run.jsonl", tmp_path / "own", free_port(), free_port()
    own.mkdir()
    keeping = [sys.executable, LAUNCHERS / "own_intervals.py", own]
    arguments = ["--headless", "--only-summary", "--processes", 2, "-u", 20, "-r", 20, "-t", "4s"]
    arguments += ["--master-bind-port", port, "--master-port", port, "--metrics-port", metrics]
    arguments += ["--results", path, *POOL]
    with running(tmp_path / "log", *keeping, *SCENARIO, *arguments) as process:
        process.until(lambda: len(so_far(path)) >= 4, "two seconds of two")
        before, _ = by_hand([path])
        page = samples(fetch(f"http://127.0.0.1:{metrics}/metrics"))
        after, _ = by_hand([path])
        assert process.wait() == 0, process.output
        until(process.gone, "the workers to end", context=lambda: str(process.alive()))

    files, run = sorted(own.glob("*.jsonl")), read_run(path)
    assert len(files) == 2
    kept = [Interval.from_json(line) for line in lines_of(files)]
    assert len(kept) == len(run.intervals)
    assert all(interval in kept for interval in run.intervals)
    counters, histograms = by_hand(files)
    assert counters["requests"] > 100
    assert (counters, histograms) == by_hand([path])
    assert run.footer
    assert Counter(run.footer.totals.counters) == counters
    assert (str(run.footer.end), run.header.load.processes) == ("finished", 2)
    assert list(run.problems) == []
    whole = total(run.intervals)
    assert {name: whole.histograms[name] for name in histograms} == histograms
    pooled = ("source", "pooled")
    shown = page["loadtest_checkouts_total", (*POOL_LABEL, pooled)]
    assert before["checkouts.pooled"] <= shown <= after["checkouts.pooled"]
    assert page["db_client_connection_max", POOL_LABEL] == 6
    assert page["db_client_connection_idle_max", POOL_LABEL] == 4
    for name in {interval.process for interval in run.intervals}:
        part = [interval for interval in run.intervals if interval.process == name]
        mine = total(part)
        assert (mine.gauges["users"].max, mine.gauges["open"].max) == (10, 3)
        assert mine.counters["requests"] == mine.histograms["request"].count > 0
        assert part[-1].period == "drain"
        assert [i.second for i in part] == sorted(i.second for i in part)
    assert "is missing" not in process.output
    assert "Traceback" not in process.output
    assert any(worker.latest_seconds for worker in footer_of(run).values())
    for worker in footer_of(run).values():
        assert worker.state == "ended"
        assert worker.lost == 0
        sent = lines_of([own / f"{worker.process.rpartition(':')[2]}.jsonl"])
        assert worker.intervals == len(sent)
        assert abs(worker.clock_ahead_seconds or 0) <= (worker.round_trip_seconds or 0)


@pytest.mark.long
def test_a_worker_that_dies_is_named_and_the_rest_stands(tmp_path: Path, url: URL) -> None:
    with cluster(tmp_path, url) as one:
        master = one.master(2)
        dying, staying = one.worker("dying"), one.worker("staying")
        master.until(lambda: one.seconds(dying) >= 3, "three seconds of it")
        dying.signal(signal.SIGKILL)
        had = one.seconds(dying)
        master.until(lambda: one.seconds(staying) >= had + 4, "four seconds without it")
        end(master)

    run = read_run(one.path)
    state = footer_of(run)[name_of(dying)]
    assert state.state in ("no heartbeat", "silent")
    assert state.lost is None
    assert footer_of(run)[name_of(staying)].state == "ended"
    lost = findings(run)["worker_lost"]
    assert name_of(dying) in lost.message
    assert name_of(staying) not in lost.message
    (evidence,) = lost.evidence["workers"]
    assert evidence["missing_seconds"] >= 2
    assert list(run.problems) == []
    pool = summarize_runs([run]).pools[0]
    waits = [i.histograms["wait"].count for i in run.measured() if "wait" in i.histograms]
    assert pool.checkout.count == sum(waits) > 0
    assert pool.checkout.wait_seconds.p95 is not None
    assert "nothing_measured" not in findings(run)


@pytest.mark.long
def test_a_worker_that_joins_late_is_named_and_measured_from_then_on(
    tmp_path: Path, url: URL
) -> None:
    with cluster(tmp_path, url) as one:
        master = one.master(1, ALONE)
        first = one.worker("first")
        master.until(lambda: one.seconds(first) >= 4, "seconds of the first")
        late = one.worker("late", LAUNCHERS / "shifted_clock.py", -7200.25)
        master.until(lambda: one.seconds(late) >= 2, "seconds of the late one")
        end(master)

    run = read_run(one.path)
    found = findings(run)["worker_late"]
    (evidence,) = found.evidence["workers"]
    assert evidence["process"] == name_of(late)
    assert evidence["missing_seconds"] == _seconds(run, name_of(late))[0] - run.intervals[0].second
    assert evidence["missing_seconds"] >= 3
    assert name_of(late) in findings(run)["clock_offset"].message
    assert "worker_lost" not in findings(run)
    assert footer_of(run)[name_of(late)].lost == 0
    assert sum(i.counters["requests"] for i in run.intervals if i.process == name_of(late)) > 0


@pytest.mark.long
def test_a_worker_that_comes_late_to_a_server_of_others_waits(tmp_path: Path, url: URL) -> None:
    with cluster(tmp_path, url) as one:
        master = one.master(1)
        first = one.worker("first")
        master.until(lambda: one.seconds(first) >= 1, "a second of the first")
        late = one.worker("late")
        master.until(lambda: "must wait for the next run" in master.output, "the late one")
        seen = one.seconds(first)
        master.until(lambda: one.seconds(first) >= seen + 1, "a second more")
        end(master)

    assert one.seconds(late) == 0
    assert set(footer_of(read_run(one.path))) == {name_of(first)}
    assert "at most 4 connections at once (3 in the pool, 1 to read" in master.output


@pytest.mark.long
def test_a_worker_that_is_told_to_start_before_it_is_ready_measures_all_the_same(
    tmp_path: Path, url: URL
) -> None:
    with cluster(tmp_path, url) as one:
        master = one.master(1, ALONE)
        first = one.worker("first")
        master.until(lambda: one.seconds(first) >= 2, "seconds of the first")
        slow = one.worker("slow", LAUNCHERS / "slow_start.py")
        master.until(lambda: one.seconds(slow) >= 2, "seconds of the slow one")
        end(master)
        assert "Traceback" not in slow.output


@pytest.mark.long
def test_a_wrong_clock_is_named_and_its_seconds_are_put_right(tmp_path: Path, url: URL) -> None:
    shift = 3.3
    with cluster(tmp_path, url) as one:
        master = one.master(2)
        right = one.worker("right")
        wrong = one.worker("wrong", LAUNCHERS / "shifted_clock.py", shift)
        started = time.time()
        master.until(lambda: one.seconds(wrong) >= 3, "seconds of it")
        end(master)
        ended = time.time()

    run = read_run(one.path)
    facts = footer_of(run)[name_of(wrong)]
    assert abs((facts.clock_ahead_seconds or 0) - shift) <= (facts.round_trip_seconds or 0) + 0.001
    found = findings(run)["clock_offset"]
    assert list(found.evidence["workers"]) == [name_of(wrong)]
    assert name_of(right) not in found.message
    both = [_seconds(run, name_of(process)) for process in (right, wrong)]
    # Uncorrected, those of the wrong one would lie three seconds later.
    assert all(started - 1 < second < ended for seconds in both for second in seconds)
    assert all(seconds == sorted(seconds) for seconds in both)
    assert {"worker_lost", "clock_steps"}.isdisjoint(findings(run))


def _seconds(run: Run, process: str) -> list[int]:
    return [i.second for i in run.intervals if i.process == process]
