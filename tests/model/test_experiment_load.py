"""Loads and faults are as strict as all configuration."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from loadtest.experiment.run_plan import RunPlan, RunSettings
from loadtest.model.errors import UsageError
from loadtest.model.experiment import Experiment, read_experiment
from loadtest.model.fault import Fault, parse_fault
from loadtest.model.field_types import validated
from loadtest.model.load import DROP_AFTER_SECONDS, LEAST_USERS, MOST_USERS, LoadConfig, users_for
from loadtest.model.objective import parse_objective
from loadtest.model.pool import parse_pool

HOW = "write freeze@10s+2s, kill:50%@5s or connect-delay:150ms"
OPEN = """
name = "point-select"
scenario = "point_select.py"
[load]
arrival_rate = 200
arrivals = "even"
drop_after = "500ms"
duration = "10s"
[[fault]]
kind = "freeze"
at = "4s"
length = 2
[[pool]]
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "point_select.py").touch()
    path = tmp_path / "open.toml"
    path.write_text(OPEN)
    return path


def problems(**load: Any) -> list[str]:
    with pytest.raises(UsageError) as refused:
        validated(LoadConfig, load, "load")
    return list(refused.value.problems)


@pytest.mark.parametrize(
    ("rate", "users"),
    [(0.5, LEAST_USERS), (10, 100), (10.01, 101), (200, 2000), (5000, MOST_USERS)],
)
def test_an_open_loop_has_users_for_the_work_of_ten_seconds(rate: float, users: int) -> None:
    assert users_for(rate) == LoadConfig(arrival_rate=rate).users == users


def test_users_that_are_given_stay_as_they_are() -> None:
    assert LoadConfig(arrival_rate=200, users=3).users == 3
    assert LoadConfig().users == 50
    assert LoadConfig(arrival_rate=200).users_per_second == 2000


def test_what_an_open_loop_has_is_refused_in_a_closed_one() -> None:
    assert problems(arrivals="even") == ["load: arrivals: requires an arrival_rate"]
    assert problems(drop_after=1) == ["load: drop_after: requires an arrival_rate"]


@pytest.mark.parametrize("rate", [0, -1, True, float("inf"), "many"])
def test_a_rate_is_a_number_above_zero(rate: object) -> None:
    (problem,) = problems(arrival_rate=rate)
    assert problem.startswith("load: arrival_rate: ")


def test_an_experiment_in_an_open_loop_is_read(path: Path) -> None:
    experiment = read_experiment(path)

    load = experiment.load
    assert (load.arrival_rate, load.arrivals, load.drop_after) == (200, "even", 0.5)
    assert experiment.fault == (Fault(kind="freeze", at=4, length=2),)


def test_locust_is_told_of_the_load_and_of_the_faults(path: Path) -> None:
    experiment = read_experiment(path)

    plan = RunPlan(experiment, experiment.pool[0], 1)
    told = dict(pairwise(plan.arguments()))
    assert told["--arrival-rate"] == "200"
    assert told["--arrivals"] == "even"
    assert told["--drop-after"] == "0.5"
    # Pasted, the command provokes nothing, so it must not claim to.
    noted = RunSettings(plan, Path("run.jsonl")).arguments()
    assert noted[-2:] == ["--faults", "freeze@4s+2s"]
    assert "freeze" not in plan.command()
    assert told["-u"] == told["-r"] == "2000"


def test_what_is_left_open_is_left_to_locust(path: Path) -> None:
    pool = parse_pool("5+10")
    load = LoadConfig(arrival_rate=5, duration=10)
    experiment = Experiment(name="x", scenario=path, load=load, pool=(pool,))

    arguments = RunPlan(experiment, pool, 1).arguments()
    assert "--arrival-rate" in arguments
    assert not {"--arrivals", "--drop-after"} & set(arguments)
    assert (
        "--faults" not in RunSettings(RunPlan(experiment, pool, 1), Path("run.jsonl")).arguments()
    )
    closed = experiment.model_copy(update={"load": LoadConfig()})
    assert "--arrival-rate" not in RunPlan(closed, pool, 1).arguments()
    assert DROP_AFTER_SECONDS == 1


@pytest.mark.parametrize(
    ("text", "at", "length"),
    [
        ("freeze@10s+2s", 10, 2),
        (" freeze@0+500ms ", 0, 0.5),
        ("freeze@1m+0.25s", 60, 0.25),
    ],
)
def test_a_fault_on_the_command_line(text: str, at: float, length: float) -> None:
    fault = parse_fault(text)

    assert fault == Fault(kind="freeze", at=at, length=length)
    assert parse_fault(str(fault)) == fault


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", HOW),
        ("freeze", "freeze needs a length"),
        ("freeze@10s", "freeze needs a length"),
        ("freeze+2s@10s", HOW),
        (
            "thaw@1s+1s",
            "kind: unknown fault 'thaw'; the faults are kill, restart, freeze, refuse, "
            "connect-delay, latency, idle-drop, max-connections",
        ),
        ("freeze@-1s+1s", "at: '-1s' is not a duration; write 30s, 500ms or 2m"),
        ("freeze@1s+0s", "length: must be above 0 (got '0s')"),
    ],
)
def test_what_is_no_fault_is_refused(text: str, problem: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_fault(text)

    assert list(refused.value.problems) == [f"--fault {text}: {problem}"]


@pytest.mark.parametrize(("length", "fits"), [("6s", True), ("6.1s", False)])
def test_a_fault_ends_while_it_is_measured(path: Path, length: str, fits: bool) -> None:
    path.write_text(OPEN.replace("length = 2", f'length = "{length}"'))
    if fits:
        assert read_experiment(path).fault[0].length == 6
        return
    with pytest.raises(UsageError, match=r"freeze@4s\+6.1s ends after the measured time of 10 s"):
        read_experiment(path)


def test_an_unknown_key_of_a_fault_is_answered_with_the_known_ones(path: Path) -> None:
    path.write_text(OPEN.replace("length = 2", "lenght = 2"))
    with pytest.raises(UsageError) as refused:
        read_experiment(path)

    assert sorted(refused.value.problems) == [
        f"{path}: fault.1.lenght: unknown key; the keys are kind, at, length, delay, "
        "idle, share, connections; did you mean length?"
    ]


@pytest.mark.parametrize("name", ["rush", "v1-2", "x_1", "50+100", "7"])
def test_whatever_a_stage_may_be_called_an_objective_can_name(tmp_path: Path, name: str) -> None:
    (tmp_path / "x.py").touch()
    path = tmp_path / "x.toml"
    stage = f"[[load.stage]]\nname = '{name}'\nduration = '5s'\nusers = 9\n[[pool]]\n"
    objective = f"stages.{name}.error_rate <= 1%"
    path.write_text(f"name = 'x'\nscenario = 'x.py'\nobjective = '{objective}'\n{stage}")
    (bound,) = parse_objective(read_experiment(path).objective)
    assert bound.path == f"stages.{name}.error_rate"


def test_a_stage_whose_name_no_objective_could_have_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    stage = "[[load.stage]]\nname = 'v1.2'\nduration = '5s'\nusers = 9\n[[pool]]\n"
    path.write_text(f"name = 'x'\nscenario = 'x.py'\n{stage}")
    with pytest.raises(
        UsageError, match=r"load\.stage\.1\.name: the name of a stage must have no dots"
    ):
        read_experiment(path)


def test_an_objective_is_about_stages_that_there_are(tmp_path: Path) -> None:
    (tmp_path / "x.py").touch()
    path = tmp_path / "x.toml"
    stages = "[[load.stage]]\nname = 'rush'\nduration = '5s'\nusers = 9\n[[pool]]\n"
    text = 'name = "x"\nscenario = "x.py"\nobjective = "stages.{}.error_rate <= 1%"\n' + stages
    path.write_text(text.format("rush"))
    assert read_experiment(path).objective == "stages.rush.error_rate <= 1%"
    path.write_text(text.format("rest"))
    with pytest.raises(UsageError, match=r"unknown stage; this load has: rush"):
        read_experiment(path)
