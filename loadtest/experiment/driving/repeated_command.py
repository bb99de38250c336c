"""The command line that repeats a run of a driven application by hand."""

from __future__ import annotations

from collections.abc import Iterator

from loadtest.database.redaction import without_passwords
from loadtest.model.command_words import pool_text, value_text
from loadtest.model.driven_application import DrivenApplication
from loadtest.model.experiment import Experiment
from loadtest.model.load import LoadConfig
from loadtest.model.pool import PoolConfig
from loadtest.runfile.folders import as_typed


def repeated_command(experiment: Experiment, pool: PoolConfig, seed: int) -> list[str]:
    """The words of `loadtest run` for one run.

    Values of environment variables, and passwords in the URLs of commands, are hidden.
    """
    (application,) = experiment.application
    words = ["loadtest", "run", as_typed(experiment.scenario), *_of_application(application)]
    words += ["--pool", pool_text(pool), *_of_load(experiment.load), "--seed", str(seed)]
    for name, value in experiment.options.items():
        words += ["--option", f"{name}={value_text(value)}"]
    for fault in experiment.fault:
        words += ["--fault", str(fault)]
    for server in experiment.server:
        words += ["--server", server]
    return words


def _of_application(application: DrivenApplication) -> Iterator[str]:
    name = f"{application.name}:" if application.name else ""
    yield from ("--app", f"{name}{without_passwords(application.command)}")
    yield from ("--ready", without_passwords(application.ready))
    for name, value in application.shown_env.items():
        yield from ("--app-env", f"{name}={value}")
    given = {
        "--app-processes": ",".join(map(str, application.processes)),
        "--app-cwd": application.cwd and as_typed(application.cwd),
        "--app-prepare": without_passwords(application.prepare),
        "--app-engine": application.engine,
    }
    for option, text in given.items():
        if text:
            yield from (option, text)
    if "stop_timeout" in application.model_fields_set:
        yield from ("--app-stop-timeout", f"{application.stop_timeout:g}s")


def _of_load(load: LoadConfig) -> Iterator[str]:
    stages = ",".join(map(str, load.stage))
    options = {
        "-u": str(load.users),
        "--spawn-rate": f"{load.users_per_second:g}",
        "--arrival-rate": f"{load.arrival_rate:g}" if load.arrival_rate else "",
        "--arrivals": load.arrivals or "",
        "--stages": stages,
        "-t": "" if stages else f"{load.duration:g}s",
        "--warmup": f"{load.warmup:g}s",
        "--processes": str(load.processes) if load.processes > 1 else "",
    }
    for option, text in options.items():
        if text:
            yield from (option, text)
