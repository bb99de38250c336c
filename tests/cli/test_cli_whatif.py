"""`loadtest whatif` as a person meets it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from loadtest.analysis.prediction.observed_workload import observe
from loadtest.analysis.prediction.whatif import predict_pool
from loadtest.model.experiment import Experiment
from loadtest.model.pool import PoolConfig
from loadtest.report.render import read_measurements
from tests.analysis.builders import change_header
from tests.analysis.test_observed_workload import measured
from tests.conftest import ROOT, without_database

Loadtest = Callable[..., "subprocess.CompletedProcess[str]"]
EXAMPLE = ROOT / "reports" / "example"
FEW = ("--pool-size", "10,20", "--max-overflow", "0")


@pytest.fixture
def result(tmp_path: Path) -> Path:
    """A folder with one measured pool, 10+0."""
    measured(tmp_path / "result", "10+0")
    return tmp_path / "result"


@pytest.mark.usefixtures("few_checkouts")
class TestPrediction:
    """From a result to a table, a page and JSON."""

    def test_the_shipped_example(self, loadtest: Loadtest, tmp_path: Path) -> None:
        before = sorted(EXAMPLE.iterdir())
        ended = loadtest("whatif", EXAMPLE, "--pool-size", "20,50", "-o", tmp_path, cwd=ROOT)

        assert ended.returncode == 0, ended.stderr
        assert "Hold was measured at 15, 40 and 300 connections in use" in " ".join(
            ended.stdout.split()
        )
        assert max(map(len, ended.stdout.splitlines()[:-1])) <= 80
        assert [line.split()[0] for line in ended.stdout.splitlines()[1:5]] == [
            *("20+0", "50+0", "20+10", "50+10"),
        ]
        assert {path.name for path in tmp_path.iterdir()} == {"whatif.html", "whatif.json"}
        assert sorted(EXAMPLE.iterdir()) == before

    def test_json_is_what_the_file_has(self, loadtest: Loadtest, result: Path) -> None:
        ended = loadtest("whatif", result, *FEW, "--pool-timeout", "500ms", "--json")

        assert ended.returncode == 0, ended.stderr
        said = json.loads(ended.stdout)
        assert said == json.loads((result / "whatif.json").read_text())
        assert [(one["pool_size"], one["pool_timeout"]) for one in said["cells"]] == [
            *((10, 0.5), (20, 0.5)),
        ]

    def test_a_run_file_alone_is_enough(self, loadtest: Loadtest, result: Path) -> None:
        ended = loadtest("whatif", result / "runs" / "10+0-1.jsonl", *FEW)

        assert ended.returncode == 0, ended.stderr
        assert (result / "whatif.html").exists()

    def test_a_wide_map_without_options(self, loadtest: Loadtest, result: Path) -> None:
        ended = loadtest("whatif", result, "--json")

        cells = json.loads(ended.stdout)["cells"]
        sizes = [one["pool_size"] for one in cells if one["max_overflow"] == 0]
        assert (sizes[0], sizes[-1]) == (5, 100)
        assert 15 < len(sizes) <= 21


def test_a_map_is_computed_in_several_processes(loadtest: Loadtest, result: Path) -> None:
    ended = loadtest("whatif", result, "--pool-size", "5,10", "--max-overflow", "0,10", "--json")

    cells = json.loads(ended.stdout)["cells"]
    observed = observe(read_measurements([result]))
    alone = predict_pool(observed, PoolConfig(pool_size=5, max_overflow=10))
    found = next(one for one in cells if (one["pool_size"], one["max_overflow"]) == (5, 10))
    assert found["throughput"] == alone.throughput
    assert found["wait_seconds"]["p95"] == alone.wait.p95


class TestWrongUsage:
    """Mistakes end with one message and the documented exit code."""

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("--pool-size", "0..5"), "--pool-size 0..5: use 5..100"),
            (("--max-overflow", "-2"), "--max-overflow -2: use 0,10"),
            (("--pool-timeout", "soon"), "--pool-timeout: 'soon' is not a duration"),
        ],
    )
    def test_settings_that_are_none(
        self, loadtest: Loadtest, result: Path, arguments: tuple[str, ...], message: str
    ) -> None:
        ended = loadtest("whatif", result, *arguments)

        assert ended.returncode == 2
        assert message in ended.stderr
        assert len(ended.stderr.splitlines()) == 1
        assert ended.stdout == ""

    def test_a_folder_without_runs(self, loadtest: Loadtest, tmp_path: Path) -> None:
        ended = loadtest("whatif", tmp_path)

        assert ended.returncode == 2
        assert "contains no run files" in ended.stderr

    def test_what_was_not_measured_properly_is_no_basis(
        self, loadtest: Loadtest, tmp_path: Path
    ) -> None:
        measured(tmp_path / "busy", counters={"cpu": 10**9})
        ended = loadtest("whatif", tmp_path / "busy")

        assert ended.returncode == 4
        assert "nothing can be predicted" in ended.stderr

    def test_a_database_of_ones_own_has_to_be_named_again(
        self, loadtest: Loadtest, tmp_path: Path
    ) -> None:
        one = measured(tmp_path / "result")
        change_header(one, lambda header: header["server"].update(private=False))
        ended = loadtest("whatif", tmp_path / "result", *FEW, "--validate")

        assert ended.returncode == 2
        assert "give it with --database-url" in ended.stderr


class TestValidate:
    """Predicted first, measured then."""

    @pytest.mark.usefixtures("few_checkouts")
    def test_three_settings_and_the_measured_one_again_are_compared(
        self, loadtest: Loadtest, result: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where the runs are made by hand: each pool does ten requests a connection."""
        asked: list[Experiment] = []

        def conduct(
            again: Experiment, at: str, folder: Path, *_: object, **__: object
        ) -> tuple[Path, bool]:
            asked.append(again)
            for pool in again.pool:
                measured(folder, pool.name, rate=10 * pool.pool_size, in_use=pool.pool_size)
            return folder, True

        monkeypatch.setattr("loadtest.experiment.conduct.conduct", conduct)
        sizes = ("--pool-size", "1,10,20,40", "--max-overflow", "0")
        ended = loadtest("whatif", result, *sizes, "--validate", "--json", "-q", cwd=ROOT)

        assert ended.returncode == 0, ended.stderr
        assert [pool.name for pool in asked[0].pool] == ["10+0", "1+0", "20+0", "40+0"]
        again, *said = json.loads(ended.stdout)["validation"]
        assert again["predicted"]["measured"] == "10+0"
        assert again["before"]["throughput"] == again["measured"]["throughput"] == 100
        assert [one["measured"]["throughput"] for one in said] == [10, 200, 400]
        assert not any(one["before"] for one in said)
        both = said[0]["predicted"]["throughput"] / 10
        assert said[0]["throughput_error"] == pytest.approx(both - 1)
        table = loadtest("whatif", result, *sizes, "--validate", cwd=ROOT).stdout
        assert "Throughput and wait, predicted and then measured" in table

    @pytest.mark.long
    @pytest.mark.alone
    @pytest.mark.server
    def test_other_settings_are_measured(self, loadtest: Loadtest, tmp_path: Path) -> None:
        scenario = ROOT / "scenarios" / "held_connection.py"
        options = ("-u", 12, "-t", "3s", "--warmup", "1s", "--pool", "4+0")
        where = ("--results", tmp_path, "-q")
        ran = loadtest("run", scenario, *options, *where, cwd=ROOT, repeats=True)
        assert ran.returncode == 0, ran.stderr
        folder = (tmp_path / "latest").resolve()

        ended = loadtest(
            *("whatif", folder, "--pool-size", "1,4,8,12", "--max-overflow", "0"),
            *("--validate", "--json", "-q"),
            cwd=ROOT,
            env=without_database(),
            repeats=True,
        )

        assert ended.returncode == 0, ended.stderr
        said = json.loads(ended.stdout)["validation"]
        again, *said = said
        assert again["predicted"]["measured"] == "4+0"
        assert again["before"]["throughput"] > 0
        assert [one["predicted"]["pool_size"] for one in said] == [1, 8, 12]
        assert not any(one["before"] for one in said)
        for side in ("predicted", "measured"):
            rates = [one[side]["throughput"] for one in said]
            assert 0 < rates[0] < rates[1] < rates[2]
        first = said[0]
        both = first["predicted"]["throughput"] / first["measured"]["throughput"]
        assert first["throughput_error"] == pytest.approx(both - 1)
        runs = sorted(path.name for path in folder.glob("whatif-validation/held*/runs/*.jsonl"))
        assert runs == ["1+0-1.jsonl", "12+0-1.jsonl", "4+0-1.jsonl", "8+0-1.jsonl"]
