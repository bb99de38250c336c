"""Tries each task of a scenario once, so that a mistake ends the command before any load."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from loadtest.database.application import environment_with
from loadtest.database.preflight.situation import Demand
from loadtest.experiment import deadlines
from loadtest.experiment.rounds import child_answer
from loadtest.experiment.run_plan import RunPlan, RunSettings
from loadtest.experiment.single_run import Database, Databases
from loadtest.experiment.trial.trial_answer import TrialAnswer
from loadtest.model.errors import UsageError
from loadtest.model.experiment import Experiment
from loadtest.model.load import USER_MODELS
from loadtest.model.pool import PoolConfig
from loadtest.runfile.folders import as_typed

_NO_POOL = PoolConfig(poolclass="NullPool")


def try_tasks(experiment: Experiment, at: Databases, demand: Demand) -> TrialAnswer:
    """Run each task once on each of the databases.

    demand: as announced. Raises UsageError with the mistakes in the scenario, if the database
    cannot be used, or if a user holds more connections than were announced for each.
    """
    tried = (_tried(experiment, server, database, demand) for server, database in at.items())
    return sum(tried, TrialAnswer())


def _tried(experiment: Experiment, server: str, database: Database, demand: Demand) -> TrialAnswer:
    """The answer of the trial on one database; raises UsageError with the mistakes."""
    scenario = as_typed(experiment.scenario)
    answer = _asked(experiment, server, database, demand.most)
    if answer.refused:
        raise UsageError(answer.refused)
    if answer.mistakes:
        raise UsageError(*answer.mistakes)
    if not database.private:
        _check_announced(scenario, demand, answer.held)
    return answer


def _asked(experiment: Experiment, server: str, database: Database, most: int) -> TrialAnswer:
    """The answer of the trial's process, which opens at most this number of connections."""
    scenario, limit = as_typed(experiment.scenario), deadlines.TRIAL_LIMIT_SECONDS
    settings = _settings(experiment, server, database)
    address = database.url.render_as_string(False) if database.url else ""
    command = deadlines.watched_command(
        "loadtest.experiment.trial.trial_process", USER_MODELS[settings.plan.model], str(most)
    )

    def late(place: str) -> UsageError:
        return UsageError(f"{scenario}: the trial of its tasks lasted for {limit:g} s: {place}")

    environment = environment_with(address) | settings.environment()
    ended = f"{scenario} ends the process of its trial."
    return TrialAnswer(**child_answer(command, environment, limit, late, ended))


def _settings(experiment: Experiment, server: str, database: Database) -> RunSettings:
    """The settings of a run with NullPool; the isolation level is the engine's, not the pool's."""
    level = experiment.pool[0].isolation_level
    pool = _NO_POOL.model_copy(update={"isolation_level": level})
    plan = RunPlan(experiment, pool, 1, experiment.load.models[0], server)
    return RunSettings(plan, Path("trial"), database.private, database.allowed)


def _check_announced(scenario: str, demand: Demand, held: int) -> None:
    """Raise UsageError if users that hold this many connections can exceed the announced number."""
    wanted = replace(demand, per_user=max(held, demand.per_user))
    if wanted.most > demand.most:
        raise UsageError(
            f"{scenario}: a user held {held} connections at once, and the announced number counts "
            f"{demand.per_user} for each. Give --connections-per-user {held} to allow "
            f"{wanted.most} connections"
        )
