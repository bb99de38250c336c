"""Experiments whose users are greenlets, threads or both."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

from loadtest.experiment import rounds
from loadtest.model.errors import UsageError
from loadtest.model.experiment import Experiment
from loadtest.model.load import LoadConfig
from loadtest.model.pool import PoolConfig, parse_pool
from loadtest.runfile.reader import read_run
from tests.conftest import ROOT
from tests.processes import loadtest_command, running

POINT_SELECT = ROOT / "scenarios" / "point_select.py"
BOTH = "greenlets,threads"


def experiment(*pools: str, model: str = BOTH, rounds: int = 2, baseline: str = "") -> Experiment:
    return Experiment(
        name="test",
        scenario=POINT_SELECT,
        rounds=rounds,
        baseline=baseline,
        load=LoadConfig(users=6, warmup=1, duration=1, model=model),
        pool=tuple(parse_pool(pool) for pool in pools),
    )


def test_every_pool_runs_with_every_model_once_a_round() -> None:
    plans = rounds.plans(experiment("2+0", "8+0"))

    assert [(plan.round, plan.pool.name, plan.model) for plan in plans] == [
        (1, "2+0", "greenlets"),
        (1, "2+0.threads", "threads"),
        (1, "8+0", "greenlets"),
        (1, "8+0.threads", "threads"),
        (2, "8+0.threads", "threads"),
        (2, "2+0", "greenlets"),
        (2, "2+0.threads", "threads"),
        (2, "8+0", "greenlets"),
    ]
    assert plans[0].command().startswith("locust -f ")
    assert plans[1].command().startswith("python -m loadtest.threads -f ")
    assert plans[1].pool.arguments() == PoolConfig(pool_size=2, max_overflow=0).arguments()


def test_with_one_model_pools_keep_their_names() -> None:
    plans = rounds.plans(experiment("2+0", model="threads", rounds=1))

    assert [(plan.pool.name, plan.model) for plan in plans] == [("2+0", "threads")]


@pytest.mark.parametrize("model", ["fibers", "threads,threads", "greenlets,", ""])
def test_a_model_that_there_is_not_is_refused(model: str) -> None:
    with pytest.raises(ValueError, match="write greenlets, threads, or greenlets,threads"):
        LoadConfig(model=model)


def test_names_and_baseline_must_fit() -> None:
    with pytest.raises(ValueError, match=r"two pools have the name 'a\.threads'"):
        experiment("a:1+0", "a.threads:2+0")
    with pytest.raises(ValueError, match="is not one of the pools"):
        experiment("a:1+0", "b:2+0", baseline="a.threads")


def test_an_experiment_can_be_done_with_another_model() -> None:
    changed = experiment("2+0", "8+0", model="greenlets").with_model(BOTH)

    assert changed.load.models == ("greenlets", "threads")
    assert changed.load.users == 6
    with pytest.raises(UsageError, match="--model fibers"):
        changed.with_model("fibers")


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (BOTH, "a run has one model; loadtest compare takes both"),
        ("fibers", "--model: write greenlets, threads, or"),
    ],
)
def test_a_command_says_what_is_wrong(loadtest: Any, model: str, message: str) -> None:
    ended = loadtest("run", POINT_SELECT, "--model", model)
    assert ended.returncode == 2
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_plan_of_an_experiment_with_both(loadtest: Any) -> None:
    planned = loadtest("compare", POINT_SELECT.with_suffix(".toml"), "--model", BOTH, "--dry-run")
    assert planned.returncode == 0, planned.stderr

    lines = [line for line in planned.stdout.splitlines() if line.startswith("round ")]
    assert len(lines) == 2 * len([line for line in lines if " locust -f " in line])


@pytest.mark.server
@pytest.mark.long
def test_a_comparison_of_both_says_whether_the_conclusion_carries_over(
    tmp_path: Path, url: URL
) -> None:
    load = ("-u", 6, "-t", "2s", "--warmup", "0s", "--rounds", 2)
    arguments = ("compare", POINT_SELECT, "--pool", "2+0", "--pool", "8+0", *load, "--model", BOTH)
    environment = {"LOADTEST_DATABASE_URL": url.render_as_string(hide_password=False)}
    command = loadtest_command(*arguments, "--results", tmp_path)
    with running(tmp_path / "log", *command, env=environment) as process:
        # Where the machine is busy, each pool has a round once more.
        assert process.wait(300) in (0, 4, 5), process.output

    folder = tmp_path / "latest"
    runs = {path.stem: read_run(path) for path in folder.glob("runs/*.jsonl")}
    models = {name: run.header.load.model for name, run in runs.items()}
    assert models == {
        f"{pool}{ending}-{number}": model
        for pool in ("2+0", "8+0")
        for number in (1, 2)
        for ending, model in (("", "greenlets"), (".threads", "threads"))
    }
    summary = json.loads((folder / "summary.json").read_text())
    assert [pool["name"] for pool in summary["pools"]] == [
        *("2+0", "2+0.threads", "8+0", "8+0.threads"),
    ]
    first = summary["verdict"]["text"].splitlines()[0]
    assert "carries over" in first or "does not carry over" in first
    assert first in process.output
    report = (folder / "report.html").read_text()
    assert "with greenlets and threads" in report
