"""Tries the tasks of the users that drive an application, while the application runs."""

from __future__ import annotations

from dataclasses import replace

from loadtest.database.preflight.situation import Demand
from loadtest.experiment.driving.driven_run import driven, naming_application
from loadtest.experiment.driving.look import smallest_pool
from loadtest.experiment.single_run import Database, Databases
from loadtest.experiment.trial.task_trial import try_tasks
from loadtest.experiment.trial.trial_answer import TrialAnswer
from loadtest.model.errors import UsageError
from loadtest.model.experiment import Experiment


def try_visitors(experiment: Experiment, at: Databases, demand: Demand) -> TrialAnswer:
    """Run each task once on each application, which is started for this and stopped again.

    Nothing is kept of its recording and its output. Raises what `try_tasks` raises; LoadtestError
    if the application ends meanwhile, UsageError if it does not become ready, RefusedRun if its
    engine is not the requested one.
    """
    parts = zip(experiment.by_application.items(), at.values(), strict=True)
    several = len(at) > 1
    tried = (
        _tried(name if several else "", one, database, demand) for (name, one), database in parts
    )
    return sum(tried, TrialAnswer())


def _tried(name: str, experiment: Experiment, database: Database, demand: Demand) -> TrialAnswer:
    """The answer of the trial on the only application; name: before its warnings, if given."""
    with naming_application(name):
        answer = _asked(experiment, database, demand)
    warnings = [f"{name}: {text}" if name else text for text in answer.warnings]
    return replace(answer, warnings=warnings)


def _asked(experiment: Experiment, database: Database, demand: Demand) -> TrialAnswer:
    (application,) = experiment.application
    pool, (program,) = smallest_pool(experiment), experiment.servers
    with driven(application, pool, database.driven, experiment.name) as watch:
        try:
            answer = try_tasks(experiment, {program: database}, demand)
        except UsageError:
            watch.check()  # if it has ended, all requests have failed
            raise
        watch.conclude()
    return answer
