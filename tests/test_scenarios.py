"""The scenarios that come with the tool, and their experiments."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

from loadtest.experiment.rounds import plans
from loadtest.model.experiment import read_experiment
from loadtest.model.interval import total
from loadtest.runfile.reader import read_run
from tests.conftest import ROOT
from tests.processes import run_locust

SCENARIOS = sorted((ROOT / "scenarios").glob("*.py"))
EXPERIMENTS = sorted((ROOT / "scenarios").glob("*.toml"))
# What a scenario fails of by nature.
EXPECTED_ERRORS = {
    "hot_row": {"errors.deadlock"},
    "_idle_connection": {"errors.gone_away", "errors.lost_during_query"},
}
# What keeps scenarios that break pools from it; see tests/findings for what they do without.
HARMLESS = {
    "_forgotten_session": ("--forgotten-share", 0),
    # It takes one connection more than there are users: of a server with others that is refused.
    "_nested_checkout": ("--pool-size", 11, "--private-server"),
}
# Run apart: the classes of a scenario would add their options to those of the tests. For the same
# reason, each experiment is checked in a fork. Then all scenarios are imported, as by Locust from a
# folder.
LOOK = """
import json, os, sys
from pathlib import Path
from importlib.util import module_from_spec, spec_from_file_location
from loadtest.load import PoolUser
from loadtest.model.experiment import read_experiment
from loadtest.experiment.scenario_check import inspect_scenario
for path in json.loads(sys.argv[1]):
    child = os.fork()
    if not child:
        wrong, known, tables, place, *_ = inspect_scenario(read_experiment(Path(path)))
        print(json.dumps({"experiment": Path(path).stem, "wrong": wrong}), flush=True)
        os._exit(0)
    os.waitpid(child, 0)
for number, path in enumerate(sys.argv[2:]):
    spec = spec_from_file_location(f"scenario{number}", path)
    module = sys.modules[spec.name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    users = [c for c in vars(module).values() if isinstance(c, type) and issubclass(c, PoolUser)]
    users.remove(PoolUser)
    tables = [name for user in users for name in user.metadata.tables]
    print(json.dumps({"path": path, "users": [u.__name__ for u in users], "tables": tables}))
"""


def each(paths: list[Path]) -> Any:
    return pytest.mark.parametrize("path", paths, ids=lambda path: path.stem)


@pytest.fixture(scope="module")
def looked() -> list[dict[str, Any]]:
    """What is wrong with each experiment, and the user classes and tables of each scenario."""
    experiments = json.dumps([*map(str, EXPERIMENTS)])
    command = [sys.executable, "-c", LOOK, experiments, *map(str, SCENARIOS)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in ended.stdout.splitlines()]


@pytest.fixture
def facts(looked: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of each scenario its user classes and tables."""
    found = [one for one in looked if "users" in one]
    assert len(found) == len(SCENARIOS)
    return found


def test_there_are_scenarios_and_each_has_an_experiment() -> None:
    assert len(SCENARIOS) >= 4
    assert {path.stem for path in SCENARIOS} <= {path.stem for path in EXPERIMENTS}


def test_user_classes_have_different_names(facts: list[dict[str, Any]]) -> None:
    names = [name for fact in facts for name in fact["users"]]
    assert all(fact["users"] for fact in facts)
    assert len(names) == len(set(names))


def test_scenarios_have_tables_of_their_own(facts: list[dict[str, Any]]) -> None:
    tables = [name for fact in facts for name in fact["tables"]]
    assert all(name.startswith("loadtest_") for name in tables)
    assert len(tables) == len(set(tables))


@pytest.mark.database
@each(SCENARIOS)
def test_a_scenario_runs_without_failures(path: Path, tmp_path: Path, url: URL) -> None:
    result = tmp_path / "run.jsonl"
    arguments = ("-f", path, "--headless", "-u", 10, "-r", 10, "-t", "1s", "--only-summary")

    ended = run_locust(
        tmp_path / "log",
        *(*arguments, "--pool-size", 10, "--max-overflow", 0, "--results", result),
        *HARMLESS.get(path.stem, ()),
        env={"LOADTEST_DATABASE_URL": url.render_as_string(hide_password=False)},
    )

    assert ended.wait() == 0, ended.output
    run = read_run(result)
    counters = total(run.intervals).counters
    assert list(run.problems) == []
    assert counters["requests"] - counters["failures"] > 0
    errors = {name for name, n in counters.items() if name.startswith("errors.") and n}
    assert errors <= EXPECTED_ERRORS.get(path.stem, set()), ended.output
    assert run.intervals[-1].gauges["in_use"].last == 0


@each(EXPERIMENTS)
def test_an_experiment_is_sound(path: Path) -> None:
    experiment = read_experiment(path)

    assert experiment.scenario.resolve() in [p.resolve() for p in SCENARIOS]
    assert len(experiment.pool) >= 2
    assert len(plans(experiment)) == len(experiment.pool) * experiment.rounds


def test_experiments_have_options_and_users_that_their_scenarios_have(
    looked: list[dict[str, Any]],
) -> None:
    wrong = {one["experiment"]: one["wrong"] for one in looked if "experiment" in one}
    assert wrong == {path.stem: [] for path in EXPERIMENTS}


def test_the_plan_of_an_experiment_is_shown(
    loadtest: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    path = ROOT / "scenarios" / "hot_row.toml"
    shown = loadtest("compare", path, "--dry-run")

    assert shown.returncode == 0, shown.stderr
    *runs, summary = shown.stdout.splitlines()
    experiment = read_experiment(path)
    expected = plans(experiment)
    assert len(runs) == len(expected)
    for line, plan in zip(runs, expected, strict=True):
        assert line.startswith(f"round {plan.round}  {plan.pool.name} ")
        assert line.endswith(plan.command())
    assert summary.startswith(f"{len(runs)} runs, about ")
