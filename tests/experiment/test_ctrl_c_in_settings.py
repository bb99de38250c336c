"""Ctrl-C while pydantic turns settings into JSON stays Ctrl-C."""

from __future__ import annotations

from pathlib import Path, PosixPath

import pytest
from pydantic import BaseModel

from loadtest.experiment.rounds import write_down
from loadtest.experiment.run_plan import RunSettings
from loadtest.model.json_types import json_types
from tests.experiment.test_single_run import plan


class Interrupted(PosixPath):
    """A path during whose first conversion Ctrl-C arrives."""

    arrived = False

    def __str__(self) -> str:
        if not self.arrived:
            self.arrived = True
            raise KeyboardInterrupt
        return super().__str__()


def test_in_the_settings_of_a_run() -> None:
    with pytest.raises(KeyboardInterrupt):
        RunSettings(plan(), Interrupted("run.jsonl")).environment()


def test_in_the_scenario_of_a_run() -> None:
    planned = plan()
    scenario = {"scenario": Interrupted("hot_row.py")}
    object.__setattr__(planned, "experiment", planned.experiment.model_copy(update=scenario))
    with pytest.raises(KeyboardInterrupt):
        RunSettings(planned, Path("run.jsonl")).environment()


def test_in_the_plan_of_an_experiment(tmp_path: Path) -> None:
    experiment = plan().experiment.model_copy(update={"scenario": Interrupted("hot_row.py")})
    with pytest.raises(KeyboardInterrupt):
        write_down(experiment, (), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_another_error_stays_as_well() -> None:
    class Wrong(PosixPath):
        def __str__(self) -> str:
            raise OSError("gone")

    class Model(BaseModel):
        path: Path

    with pytest.raises(ValueError, match="OSError: gone"):
        json_types(Model(path=Wrong("x")).model_dump)
