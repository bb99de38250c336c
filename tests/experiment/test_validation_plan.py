"""A result's experiment once more, with other pools."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from loadtest.experiment.driving.exposed_passwords import shown_application
from loadtest.experiment.validation_plan import experiment_again
from loadtest.model.driven_application import DrivenApplication
from loadtest.model.errors import UsageError
from loadtest.model.experiment import Experiment
from loadtest.model.pool import parse_pool
from loadtest.runfile.decoding import plan_of
from loadtest.runfile.reader import Run
from tests.analysis.builders import interval, run
from tests.conftest import ROOT

POOLS = [parse_pool("7+0"), parse_pool("9+1")]
EXAMPLE = json.loads((ROOT / "reports" / "example" / "experiment.json").read_text())


@pytest.fixture(autouse=True)
def _in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def made(folder: Path, **more: Any) -> Run:
    """A run of the hot row."""
    return run(folder, [interval(0, counters={"requests": 1})], **more)


class TestAgain:
    """What is kept, and what is not."""

    def test_from_what_was_planned(self, tmp_path: Path) -> None:
        again = experiment_again(plan_of(EXAMPLE), made(tmp_path), POOLS)

        assert [pool.name for pool in again.pool] == ["7+0", "9+1"]
        assert (again.rounds, again.seed, again.options) == (1, 1, EXAMPLE["options"])
        assert again.scenario == Path("scenarios/hot_row.py")
        assert (again.load.users, again.load.warmup, again.load.duration) == (300, 1.0, 5.0)

    def test_from_a_run_file_alone(self, tmp_path: Path) -> None:
        load = {"users": 300, "duration": 5.0, "warmup": 1.0, "seed": 1}
        again = experiment_again(None, made(tmp_path, load=load), POOLS)

        assert again.scenario == Path("scenarios/hot_row.py")
        assert again.user_classes == ("HotRow",)
        assert again.options == {"hot_rows": 50}
        assert (again.load.users, again.load.duration) == (300, 5.0)

    def test_long_runs_are_cut_to_ten_seconds(self, tmp_path: Path) -> None:
        load = {"users": 9, "duration": 60.5, "warmup": 7.5, "seed": 4}
        again = experiment_again(None, made(tmp_path, load=load), POOLS)

        assert (again.load.warmup, again.load.duration) == (5.0, 10.0)
        assert again.seed == 4

    def test_an_open_loop_stays_one(self, tmp_path: Path) -> None:
        load = {"users": 900, "arrival_rate": 40.0, "arrivals": "even", "drop_after": 2.0}
        again = experiment_again(
            None, made(tmp_path, load=load | {"duration": 8.0, "warmup": 0.5}), POOLS
        )

        assert (again.load.arrival_rate, again.load.arrivals) == (40.0, "even")
        assert (again.load.warmup, again.load.duration) == (0.5, 7.5)  # whole seconds together

    def test_a_scenario_that_is_not_here_is_named(self, tmp_path: Path) -> None:
        elsewhere = EXAMPLE | {"scenario": "nowhere.py"}
        with pytest.raises(UsageError, match="no scenario nowhere"):
            experiment_again(plan_of(elsewhere), made(tmp_path), POOLS)

    def test_several_scenarios_at_once_are_no_experiment(self, tmp_path: Path) -> None:
        several = {"files": ["scenarios/hot_row.py", "scenarios/order_flow.py"]}
        with pytest.raises(UsageError, match="does not name exactly one scenario"):
            experiment_again(None, made(tmp_path, scenario=several), POOLS)


SHOP = DrivenApplication(
    command="gunicorn -w {app_processes} shop.web:app",
    ready="http://127.0.0.1:8800/health",
    env={"URL": "{database_url}"},
    cwd=Path("shop"),
    prepare="python -m shop.tables",
    engine="shop",
    stop_timeout=0.0,
    processes=(2,),
)


class TestDrivenAgain:
    """An application behind HTTP is started again as it was."""

    def again(
        self, folder: Path, *applications: DrivenApplication, name: str = "hot-row", **given: str
    ) -> Experiment:
        driven = [shown_application(one.model_dump(mode="json"), one) for one in applications]
        plan = EXAMPLE | {"driven": driven, "load": EXAMPLE["load"] | {"processes": 2}}
        of_run = made(folder, driven={"name": name}, application=name)
        return experiment_again(plan_of(plan), of_run, POOLS, given)

    def test_with_its_settings_and_its_load(self, tmp_path: Path) -> None:
        again = self.again(tmp_path, SHOP)
        assert again.application == (SHOP,)
        assert again.load.processes == 2
        assert [pool.name for pool in again.pool] == ["7+0", "9+1"]

    def test_the_one_that_the_run_drove(self, tmp_path: Path) -> None:
        few, many = (SHOP.model_copy(update={"name": name}) for name in ("few", "many"))
        assert self.again(tmp_path, few, many, name="many").application == (many,)

    def test_hidden_variables_are_given_again(self, tmp_path: Path) -> None:
        secret = SHOP.model_copy(update={"env": {"KEY": "s3cret", "URL": "{database_url}"}})
        with pytest.raises(UsageError) as refused:
            self.again(tmp_path, secret)
        assert str(refused.value) == (
            "--validate: results have no values of variables; add --app-env KEY=VALUE"
        )
        (found,) = self.again(tmp_path, secret, KEY="s3cret").application
        assert found == secret

    def test_a_hidden_password_and_several_numbers_are_refused(self, tmp_path: Path) -> None:
        exposed = SHOP.model_copy(update={"command": "shop mysql://u:s3cret@db/shop"})
        with pytest.raises(UsageError, match="the result hides a password in --app; measure the"):
            self.again(tmp_path / "exposed", exposed)
        searched = SHOP.model_copy(update={"processes": (1, 2, 4)})
        with pytest.raises(UsageError, match="the result has 1, 2 and 4 processes; measure the"):
            self.again(tmp_path / "searched", searched)

    def test_variables_are_for_applications(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="--app-env: this result drove no application"):
            experiment_again(plan_of(EXAMPLE), made(tmp_path), POOLS, {"KEY": "1"})
