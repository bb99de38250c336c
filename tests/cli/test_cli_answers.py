"""How the command answers: for machines, for pull requests, and by its exit code."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.analysis.builders import SECOND, experiment, header, interval, run, steady
from tests.cli.test_cli import Loadtest
from tests.conftest import ROOT

FAST, SLOW = [700, 705, 690, 702, 699], [600, 605, 592, 603, 598]


def test_a_summary_for_machines(loadtest: Loadtest, tmp_path: Path) -> None:
    folder = experiment(tmp_path)
    ended = loadtest("report", folder, "--json")
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout) == json.loads((folder / "summary.json").read_text())


def test_an_answer_for_a_pull_request(loadtest: Loadtest, tmp_path: Path) -> None:
    folder, answer = experiment(tmp_path), tmp_path / "answer.md"
    ended = loadtest("report", folder, "--quiet", "--markdown", answer)
    assert (ended.returncode, ended.stdout) == (0, "")
    assert answer.read_text().startswith("## hot-row\n\n**Set pool_size=20, max_overflow=0:")


def test_an_answer_that_cannot_be_written(loadtest: Loadtest, tmp_path: Path) -> None:
    ended = loadtest("report", experiment(tmp_path), "--markdown", tmp_path / "no" / "answer.md")
    assert ended.returncode == 2
    assert "cannot write" in ended.stderr


@pytest.mark.parametrize("more", [[], pytest.param(["--json"], marks=pytest.mark.long)])
def test_an_answer_that_has_no_room(tmp_path: Path, more: list[str]) -> None:
    folder = experiment(tmp_path)
    command = [sys.executable, "-m", "tests.undisturbed", "report", str(folder), *more]
    how: dict[str, Any] = {"stderr": subprocess.PIPE, "text": True, "cwd": ROOT}
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(command, check=False, stdout=full, **how)
    assert ended.returncode == 1
    assert ended.stderr == "cannot write the output: No space left on device\n"
    assert (folder / "report.html").exists()


@pytest.mark.parametrize(
    ("after", "code", "said"), [(SLOW, 3, "worse"), (FAST, 0, "equivalent"), (FAST[:2], 5, "more")]
)
def test_two_results_against_each_other(
    loadtest: Loadtest, tmp_path: Path, after: list[int], code: int, said: str
) -> None:
    steady(tmp_path / "before", "20+0", FAST)
    steady(tmp_path / "after", "20+0", after)
    answer = tmp_path / "answer.md"
    folders = tmp_path / "before", tmp_path / "after"
    ended = loadtest("diff", *folders, "--markdown", answer)
    assert ended.returncode == code, ended.stderr
    throughput = next(line for line in ended.stdout.splitlines() if "throughput" in line)
    assert "20+0 before" in throughput
    assert said in throughput
    assert said in answer.read_text()
    found = json.loads(loadtest("diff", *folders, "--json").stdout)
    assert found[0]["metric"] == "throughput.per_second"


def test_a_machine_that_was_slower_is_named_beside_the_table(
    loadtest: Loadtest, tmp_path: Path
) -> None:
    for name, cpu in (("before", 300_000_000), ("after", 390_000_000)):
        for number in range(1, 6):
            counters = {"requests": 500, "cpu": cpu + number * 1_000_000}
            run(tmp_path / name, [interval(counters=counters)], round_=number)
    answer = tmp_path / "answer.md"
    ended = loadtest("diff", tmp_path / "before", tmp_path / "after", "--markdown", answer)
    note = "20+0: the load generator spent 1.30 times the earlier CPU time on a request"
    assert (ended.returncode, note in ended.stderr) == (0, True)
    assert note in answer.read_text()


def test_results_that_cannot_be_compared(loadtest: Loadtest, tmp_path: Path) -> None:
    steady(tmp_path / "before", "20+0", FAST)
    steady(tmp_path / "after", "20+0", FAST, load={**header()["load"], "users": 10})
    for command in ("diff", "report"):
        ended = loadtest(command, tmp_path / "before", tmp_path / "after")
        assert ended.returncode == 2
        assert "cannot be compared: load.users is 300 in" in ended.stderr
    assert not (tmp_path / "before" / "report.html").exists()


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--objective", "wait.p95 <= 5ms", "is not a value of a pool"),
        ("--objective", "errors.rate <= 5ms", "errors.rate is not a time"),
        ("--rounds", "some", "'some' is not a number of rounds; write 5, or auto"),
        ("--rounds", "0", "'0' is not a number of rounds"),
        ("--margin", "1.5", "must be below 1"),
    ],
)
def test_what_is_asked_wrongly(loadtest: Loadtest, option: str, value: str, said: str) -> None:
    pools = ["--pool", "5+10", "--pool", "20+0"]
    ended = loadtest("compare", "scenarios/hot_row.py", *pools, option, value)
    assert ended.returncode == 2
    assert said in ended.stderr


def test_the_plan_of_as_many_rounds_as_it_takes(loadtest: Loadtest) -> None:
    pools = ["--pool", "5+10", "--pool", "20+0"]
    command = ["compare", "scenarios/hot_row.py", *pools, "--rounds", "auto", "-t", "5s"]
    ended = loadtest(*command, "--dry-run")
    assert "at most 40 runs, about" in ended.stdout


def test_an_objective_for_an_experiment_in_a_file(loadtest: Loadtest) -> None:
    command = ["compare", "scenarios/hot_row.toml", "--dry-run", "--objective"]
    assert loadtest(*command, "errors.rate <= 1%").returncode == 0
    wrong = loadtest(*command, "errors <= 1%")
    assert wrong.returncode == 2
    assert wrong.stderr.startswith("--objective: 'errors <= 1%': errors is not a value")


@pytest.mark.parametrize(("bound", "code"), [("10s", 0), ("1us", 3)])
def test_a_run_that_meets_or_misses_its_objective(
    loadtest: Loadtest, tmp_path: Path, bound: str, code: int
) -> None:
    objective = f"request_seconds.p95 <= {bound}"
    steady(tmp_path, "4+0", [100])
    (tmp_path / "experiment.json").write_text(json.dumps({"objective": objective}))
    ended = loadtest("report", tmp_path)
    assert ended.returncode == code, ended.stdout
    assert f"{objective}: {'missed' if code else 'met'} (" in ended.stdout.replace("\n", " ")


@pytest.mark.parametrize(("cpu", "code"), [(SECOND // 2, 0), (SECOND, 4)])
def test_a_report_has_the_exit_code_of_what_it_reports(
    loadtest: Loadtest, tmp_path: Path, cpu: int, code: int
) -> None:
    run(tmp_path, [interval(second, counters={"requests": 9, "cpu": cpu}) for second in range(3)])
    ended = loadtest("report", tmp_path)
    assert ended.returncode == code, ended.stderr
    assert (tmp_path / "report.html").exists()
