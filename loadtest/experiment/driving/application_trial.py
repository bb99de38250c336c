"""Tries the tasks of the users that drive an application, while the application runs."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from loadtest.database.preflight.situation import Demand
from loadtest.experiment.driving.driven_run import application_beside
from loadtest.experiment.single_run import Databases
from loadtest.experiment.trial.task_trial import try_tasks
from loadtest.experiment.trial.trial_answer import TrialAnswer
from loadtest.model.errors import UsageError
from loadtest.model.experiment import Experiment


def try_visitors(experiment: Experiment, at: Databases, demand: Demand) -> TrialAnswer:
    """Run each task once on the application, which is started for this and stopped again.

    Nothing is kept of its recording and its output. Raises what `try_tasks` raises; LoadtestError
    if the application ends meanwhile, UsageError if it does not become ready.
    """
    with (
        TemporaryDirectory(prefix="loadtest-trial-") as folder,
        application_beside(experiment, Path(folder) / "trial.jsonl") as check,
    ):
        try:
            answer = try_tasks(experiment, at, demand)
        except UsageError:
            check()  # if it has ended, all requests have failed
            raise
        check()
    return answer
