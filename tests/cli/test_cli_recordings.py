"""`loadtest whatif`, `diff` and `capacity` with recordings, as a person meets them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from loadtest.model.pool import PoolConfig
from tests.analysis.recorded_pools import write_recording
from tests.analysis.recorded_queues import exponential, poisson, recorded_queue
from tests.analysis.test_observed_workload import measured
from tests.analysis.test_recording_diff import SHOP, minutes_of, noisy

Loadtest = Callable[..., "subprocess.CompletedProcess[str]"]
QUEUE = {"name": "shop", "poolclass": "QueuePool", "pool_timeout": 1.0}


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Twenty seconds of a pool 4+2 in two processes on one host."""
    folder = tmp_path / "recording"
    (folder / "runs").mkdir(parents=True)
    pool = PoolConfig(pool_size=4, max_overflow=2, pool_timeout=1.0)
    for number in (1, 2):
        arrivals = poisson(20, 20, number)
        holds = exponential(len(arrivals), 0.2, number)
        intervals = recorded_queue(pool, arrivals, holds, f"web-{number}")
        sizes = {"pool_size": 4, "max_overflow": 2}
        write_recording(folder / "runs", intervals, f"web-{number}", pool={**QUEUE, **sizes})
    return folder


@pytest.mark.usefixtures("few_checkouts")
class TestWhatif:
    """Other pools, predicted from a recording."""

    def test_half_the_connections_the_same_and_twice_as_many(
        self, loadtest: Loadtest, recording: Path
    ) -> None:
        ended = loadtest("whatif", recording)
        assert ended.returncode == 0, ended.stderr
        lines = ended.stdout.splitlines()
        assert [line.split()[0] for line in lines[1:8]] == [
            *("recorded", "3+0", "2+1", "6+0", "4+2", "12+0", "8+4"),
        ]
        assert max(map(len, lines[:-1])) <= 80
        assert {path.name for path in recording.iterdir()} == {
            *("runs", "whatif.html", "whatif.json"),
        }
        assert "<svg" not in (recording / "whatif.html").read_text()
        page = (recording / "whatif.html").read_text()
        assert "predicted from a recording" in page
        assert page.index("All settings") < page.index("Assumptions")

    def test_named_pools_keep_the_other_settings(self, loadtest: Loadtest, recording: Path) -> None:
        pools = ("--pool", "20+0", "--pool", "pool_size=5,max_overflow=0,pool_timeout=3")
        ended = loadtest("whatif", recording, *pools, "--json")
        assert ended.returncode == 0, ended.stderr
        told = json.loads(ended.stdout)
        assert told == json.loads((recording / "whatif.json").read_text())
        cells = told["cells"]
        assert [(one["pool_size"], one["pool_timeout"]) for one in cells] == [(20, 1.0), (5, 3.0)]
        assert all(low <= high for one in cells for low, high in [one["wait_mean_seconds"]["ci95"]])
        assert told["recording"]["processes"] == 2
        assert told["recorded"]["wait_mean_seconds"] > 0
        assert told["command"].endswith(
            "--pool 20+0 --pool pool_size=5,max_overflow=0,pool_timeout=3"
        )

    def test_sizes_and_overflows_make_a_grid(self, loadtest: Loadtest, recording: Path) -> None:
        ended = loadtest(
            "whatif", recording, "--pool-size", "3,4", "--pool-timeout", "2s", "--json"
        )
        cells = json.loads(ended.stdout)["cells"]
        assert [(one["pool_size"], one["max_overflow"]) for one in cells] == [(3, 2), (4, 2)]
        assert {one["pool_timeout"] for one in cells} == {2.0}

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("--validate",), "--validate repeats a load test"),
            (("--pool", "nullpool"), "--pool nullpool"),
            (("--pool", "poolclass=NullPool"), "only a QueuePool can be predicted"),
            (("--pool", "5+0", "--pool-size", "5"), "leave out --pool-size and --max-overflow"),
        ],
    )
    def test_options_that_do_not_fit(
        self, loadtest: Loadtest, recording: Path, arguments: tuple[str, ...], message: str
    ) -> None:
        ended = loadtest("whatif", recording, *arguments)
        assert (ended.returncode, ended.stdout) == (2, "")
        assert message in ended.stderr

    def test_a_part_of_the_time_is_replayed(self, loadtest: Loadtest, recording: Path) -> None:
        for part in (("--busiest", "10s"), ("--since", "10s")):
            ended = loadtest("whatif", recording, "--pool", "6+0", *part, "--json")
            assert ended.returncode == 0, ended.stderr
            told = json.loads(ended.stdout)
            assert told["recording"]["seconds"] == 10
            assert told["command"].endswith(" ".join(part))

    def test_a_result_of_a_load_test_has_no_part_of_its_time(
        self, loadtest: Loadtest, tmp_path: Path
    ) -> None:
        measured(tmp_path)
        ended = loadtest("whatif", tmp_path, "--since", "10s")
        assert ended.returncode == 2
        assert ended.stderr == "--since is for recordings; this is a result of a load test\n"

    def test_one_of_several_pools_and_applications(
        self, loadtest: Loadtest, recording: Path
    ) -> None:
        audit = {**QUEUE, "name": "audit", "pool_size": 1, "max_overflow": 0}
        intervals = recorded_queue(PoolConfig(pool_size=1), np.arange(0.5, 9), np.full(9, 0.1))
        write_recording(recording / "runs", intervals, "web-1", pool=audit)
        first = loadtest("whatif", recording, "--pool", "2+0")
        assert "The prediction is of the pool shop; --recorded takes audit." in first.stdout
        second = loadtest("whatif", recording, "--recorded", "audit", "--pool", "2+0", "--json")
        told = json.loads(second.stdout)
        assert told["recording"]["checkouts"] == 9
        assert "--recorded audit" in told["command"]
        write_recording(recording / "runs", intervals, "web-3", name="blog", pool=audit)
        assert "choose one with --application" in loadtest("whatif", recording).stderr
        for command in ("whatif", "capacity"):
            place = [recording] if command == "whatif" else ["--from", recording]
            limit = [] if command == "whatif" else ["--max-connections", 100]
            ended = loadtest(command, *place, "--application", "blog", *limit)
            assert ended.returncode == 0, ended.stderr

    def test_a_result_of_a_load_test_takes_named_pools_too(
        self, loadtest: Loadtest, tmp_path: Path
    ) -> None:
        measured(tmp_path / "result", "10+0")
        ended = loadtest("whatif", tmp_path / "result", "--pool", "7+1", "--json")
        cells = json.loads(ended.stdout)["cells"]
        assert [(one["pool_size"], one["max_overflow"]) for one in cells] == [(7, 1)]
        refused = loadtest("whatif", tmp_path / "result", "--recorded", "shop")
        assert (refused.returncode, refused.stdout) == (2, "")
        assert "--recorded is for recordings" in refused.stderr


class TestDiff:
    """Two recordings of an application."""

    @pytest.fixture
    def before(self, tmp_path: Path) -> Path:
        """Waits of 200 ms."""
        write_recording(tmp_path / "before", minutes_of(noisy(200, 1)), pool=SHOP)
        return tmp_path / "before"

    @pytest.fixture
    def after(self, tmp_path: Path) -> Path:
        """Waits of 50 ms."""
        write_recording(tmp_path / "after", minutes_of(noisy(50, 2)), pool=SHOP)
        return tmp_path / "after"

    def test_a_fix_that_helped(self, loadtest: Loadtest, before: Path, after: Path) -> None:
        ended = loadtest("diff", before, after)
        assert ended.returncode == 0, ended.stderr
        answer, _, first, *_ = ended.stdout.splitlines()
        assert answer.startswith("Waits became shorter for shop: on average")
        assert "wait, mean (primary)" in first
        assert "12 pairs of blocks of 60 s with 10.0 to 10.0 checkouts per second" in ended.stderr
        assert "This is an observation, not an experiment" in ended.stderr

    def test_a_change_for_the_worse_is_exit_code_3(
        self, loadtest: Loadtest, before: Path, after: Path, tmp_path: Path
    ) -> None:
        markdown = tmp_path / "diff.md"
        ended = loadtest("diff", after, before, "--json", "--markdown", markdown)
        assert ended.returncode == 3
        (wait, *_) = json.loads(ended.stdout)
        assert (wait["metric"], wait["decision"]) == ("checkout.wait_seconds.mean", "worse")
        assert "Waits became longer" in markdown.read_text()

    def test_a_recording_and_a_load_test_are_not_compared(
        self, loadtest: Loadtest, before: Path, tmp_path: Path
    ) -> None:
        measured(tmp_path / "result", "10+0")
        for pair in ((before, tmp_path / "result"), (tmp_path / "result", before)):
            ended = loadtest("diff", *pair)
            assert ended.returncode == 2
            assert f"{before} is a recording and {tmp_path / 'result'} is not" in ended.stderr


class TestCapacity:
    """The fleet of a recording."""

    def test_processes_and_pools_come_from_the_recording(
        self, loadtest: Loadtest, recording: Path
    ) -> None:
        ended = loadtest("capacity", "--from", recording, "--max-connections", 100)
        assert ended.returncode == 0, ended.stderr
        assert "at most 12 connections (2 processes × (4 + 2))" in ended.stdout
        assert "at most 2 processes on each of 1 host at once" in ended.stdout
        assert "at most 6 connections were in use in a process" in ended.stdout

    def test_options_take_precedence(self, loadtest: Loadtest, recording: Path) -> None:
        given = ("--processes", 3, "--replicas", 4, "--pool", "10+0")
        ended = loadtest(
            "capacity", "--from", recording, *given, "--max-connections", 100, "--json"
        )
        assert ended.returncode == 3
        told = json.loads(ended.stdout)
        assert told["most_connections"] == 120
        peak = next(one for one in told["findings"] if one["code"] == "recorded_peak")
        assert peak["evidence"]["open"] == 12

    def test_a_pool_that_is_mostly_unused_and_several_hosts(
        self, loadtest: Loadtest, tmp_path: Path
    ) -> None:
        even = np.arange(0.25, 20, 0.5)
        pool = PoolConfig(pool_size=20, max_overflow=10)
        sizes = {"pool_size": 20, "max_overflow": 10}
        for host in ("a-1", "b-1", "b-2"):
            intervals = recorded_queue(pool, even, np.full(len(even), 0.1), host)
            write_recording(tmp_path, intervals, host, pool={**QUEUE, **sizes})
        ended = loadtest("capacity", "--from", tmp_path, "--max-connections", 500, "--json")
        told = json.loads(ended.stdout)
        assert (told["fleet"]["processes"], told["fleet"]["replicas"]) == (2, 2)
        codes = [one["code"] for one in told["findings"]]
        assert codes == ["recorded_peak", "larger_than_used"]
