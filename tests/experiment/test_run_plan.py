"""A run's settings reach its process as one value, and come out of it as they went in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from loadtest.database import supervisor
from loadtest.experiment import deadlines
from loadtest.experiment.run_plan import RUN, RunPlan, RunSettings
from loadtest.experiment.single_run import run_once
from loadtest.model.allowances import NO_ALLOWANCES, Allowances
from loadtest.model.fault import parse_fault
from loadtest.model.load import THREADS, LoadConfig, parse_stages
from loadtest.model.pool import PoolConfig
from tests.experiment.test_single_run import NOWHERE, PASSWORD, database, plan

RESULT = Path("reports/test/runs/20+0-1.jsonl")
PLANS = {
    "a plain pool": plan("20+0"),
    "a pool with a name": plan("small:3+inf", seed=7),
    "a pool of another class": plan("poolclass=NullPool,pool_pre_ping=true"),
    "an application's own pool": plan("as-is", engine="myapp.db:engine"),
    "a pool that was renamed": plan(PoolConfig(pool_size=3).renamed("3+10.threads")),
    "an open loop": plan(load=LoadConfig(arrival_rate=1234.5678, arrivals="even")),
    "stages": plan(load=LoadConfig(stage=parse_stages("calm=10s:50/s,5s:50-500/s+50"))),
    "faults": plan(fault=(parse_fault("freeze@4s+2s"),), load=LoadConfig(duration=10)),
    "options": plan(options={"rows": 5, "fast": True, "slow": False}, user_classes=("A", "B")),
    "threads": RunPlan(plan("1+0").experiment, PoolConfig(), 3, THREADS, "mysql"),
}


def set_in(monkeypatch: pytest.MonkeyPatch, environment: Mapping[str, str]) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("name", PLANS)
@pytest.mark.parametrize("allowed", [NO_ALLOWANCES, Allowances(True, False, True)])
def test_they_come_out_of_the_environment_as_they_went_in(
    monkeypatch: pytest.MonkeyPatch, name: str, allowed: Allowances
) -> None:
    given = RunSettings(PLANS[name], RESULT, private=True, allowed=allowed)
    set_in(monkeypatch, given.environment())
    taken = RunSettings.taken()
    assert taken == given
    assert taken.arguments() == given.arguments()


def test_a_program_that_the_scenario_starts_does_not_have_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    set_in(monkeypatch, RunSettings(plan(), RESULT).environment())
    assert RunSettings.taken()
    assert RunSettings.taken() is None


def test_locust_is_told_of_the_round_the_place_and_what_is_allowed() -> None:
    chosen = plan(fault=(parse_fault("freeze@4s+2s"),), load=LoadConfig(duration=10))
    told = RunSettings(chosen, RESULT, private=True, allowed=Allowances(overload=True))
    assert told.arguments()[len(chosen.arguments()) :] == [
        *("--results", str(RESULT), "--run-name", "test", "--round", "1", "--private-server"),
        *("--faults", "freeze@4s+2s", "--allow-overload"),
    ]


def test_its_process_has_them_in_its_environment_and_not_in_its_arguments(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    started: dict[str, Any] = {}

    def keep(command: list[str], **how: Any) -> None:
        started.update(how, command=command)
        raise KeyboardInterrupt

    monkeypatch.setattr(supervisor, "start_supervised", keep)
    (tmp_path / "runs").mkdir()
    with pytest.raises(KeyboardInterrupt):
        run_once(plan(), database(NOWHERE), tmp_path, print)
    assert started["command"] == deadlines.watched_command("locust")
    settings = RunSettings(plan(), plan().file_in(tmp_path)).environment()
    assert settings.items() <= started["environment"].items()
    assert PASSWORD not in settings[RUN]
