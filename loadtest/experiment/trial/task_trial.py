"""Tries each task of a scenario once, so that a mistake ends the command before any load."""

from __future__ import annotations

from pathlib import Path

from loadtest.database.application import environment_with
from loadtest.experiment import deadlines
from loadtest.experiment.rounds import child_answer
from loadtest.experiment.run_plan import RunPlan, RunSettings
from loadtest.experiment.single_run import Database, Databases
from loadtest.model.errors import UsageError
from loadtest.model.experiment import Experiment
from loadtest.model.load import USER_MODELS
from loadtest.model.pool import PoolConfig
from loadtest.runfile.folders import as_typed

_NO_POOL = PoolConfig(poolclass="NullPool")
_WHY = "Nothing was measured: each task is tried once before the load (--no-try leaves this out)"


def try_tasks(experiment: Experiment, at: Databases, most: int) -> list[str]:
    """Run each task once on each of the databases; returns the warnings.

    most: the most connections that were announced. Raises UsageError with the mistakes in the
    scenario, or if the database cannot be used.
    """
    said = [_tried(experiment, server, database, most) for server, database in at.items()]
    return list(dict.fromkeys(warning for warnings in said for warning in warnings))


def _tried(experiment: Experiment, server: str, database: Database, most: int) -> list[str]:
    scenario, model = as_typed(experiment.scenario), experiment.load.models[0]
    # The isolation level is the engine's, not the pool's.
    level = experiment.pool[0].isolation_level
    pool = _NO_POOL.model_copy(update={"isolation_level": level})
    plan = RunPlan(experiment, pool, 1, model, server)
    settings = RunSettings(plan, Path("trial"), database.private, database.allowed)
    address = database.url.render_as_string(False) if database.url else ""
    command = deadlines.watched_command(
        "loadtest.experiment.trial.trial_process", USER_MODELS[model], str(most)
    )

    def late(place: str) -> UsageError:
        limit = deadlines.TRIAL_LIMIT_SECONDS
        return UsageError(f"{scenario}: the trial of its tasks lasted for {limit:g} s: {place}")

    environment = environment_with(address) | settings.environment()
    ended = f"{scenario} ends the process of its trial."
    answer = child_answer(command, environment, deadlines.TRIAL_LIMIT_SECONDS, late, ended)
    mistakes, warnings, refused = answer
    if refused:
        raise UsageError(refused)
    if mistakes:
        raise UsageError(*mistakes, _WHY)
    return list(warnings)
