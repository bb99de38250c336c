"""Tries the tasks of the users that drive an application, while the application runs."""

from __future__ import annotations

from loadtest.database.preflight.situation import Demand
from loadtest.experiment.driving.driven_run import driven
from loadtest.experiment.driving.look import smallest_pool
from loadtest.experiment.single_run import Databases
from loadtest.experiment.trial.task_trial import try_tasks
from loadtest.experiment.trial.trial_answer import TrialAnswer
from loadtest.model.errors import UsageError
from loadtest.model.experiment import Experiment


def try_visitors(experiment: Experiment, at: Databases, demand: Demand) -> TrialAnswer:
    """Run each task once on the application, which is started for this and stopped again.

    Nothing is kept of its recording and its output. Raises what `try_tasks` raises; LoadtestError
    if the application ends meanwhile, UsageError if it does not become ready, RefusedRun if its
    engine is not the requested one.
    """
    (application,), (database,) = experiment.application, at.values()
    pool = smallest_pool(experiment)
    with driven(application, pool, database.driven, experiment.name) as watch:
        try:
            answer = try_tasks(experiment, at, demand)
        except UsageError:
            watch.check()  # if it has ended, all requests have failed
            raise
        watch.conclude()
    return answer
