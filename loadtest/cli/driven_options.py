"""The options of an application behind HTTP that a command starts and drives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from loadtest.cli.named_applications import applications_of
from loadtest.model.errors import UsageError

if TYPE_CHECKING:
    from loadtest.model.experiment import Experiment

Texts = list[str] | None


@dataclass(eq=False, repr=False)
class DrivenOptions:
    """The applications that the users drive over HTTP, if any, and their database.

    Each option is for all of them, or for one, after its name and a colon.
    """

    app: Annotated[
        Texts,
        typer.Option(
            "--app",
            help="The command of your application, which is started for each run, recorded, driven "
            'by any Locust users, and stopped: "uvicorn shop.web:app --port 8800". In compare, '
            'repeat it, with names, to compare applications: "loop:uvicorn shop.web:app".',
        ),
    ] = None
    ready: Annotated[
        Texts,
        typer.Option(
            "--ready",
            help="A URL of this application that answers as soon as it is ready: "
            "http://127.0.0.1:8800/health. With several --app: one for all, one for each in the "
            "same order, or NAME:URL.",
        ),
    ] = None

    app_env: Annotated[
        Texts,
        typer.Option(
            "--app-env",
            help="An environment variable of the application, NAME=VALUE; repeatable. In a value, "
            "{database_url} stands for the URL of the private server or of --database-url, and "
            "{database_url:mysql+aiomysql} for the same with another driver. With several --app, "
            "this and the following options are for all, or for one: loop:NAME=VALUE.",
        ),
    ] = None
    app_cwd: Annotated[
        Texts, typer.Option("--app-cwd", help="The working directory of the application.")
    ] = None
    app_prepare: Annotated[
        Texts,
        typer.Option(
            "--app-prepare",
            help="A command that runs before each start of the application, in its environment. It "
            "must be repeatable: for example, it creates and fills the tables.",
        ),
    ] = None
    app_engine: Annotated[
        Texts,
        typer.Option(
            "--app-engine",
            help="The engine that gets the pool, if the application makes several: its name, or "
            "the code that makes it, like shop/db.py:9.",
        ),
    ] = None
    app_processes: Annotated[
        Texts,
        typer.Option(
            "--app-processes",
            help="The number of processes of the application, which {app_processes} in --app or "
            '--app-env stands for: "gunicorn -w {app_processes} shop.web:app". tune takes several, '
            "like 1,2,4.",
        ),
    ] = None
    app_stop_timeout: Annotated[
        Texts,
        typer.Option(
            "--app-stop-timeout",
            help="The time after which an application that does not stop is killed (default: 10s).",
        ),
    ] = None

    def settings(self) -> dict[str, Any]:
        """These options as settings of an experiment; raises UsageError."""
        more = {
            name: value for name, value in vars(self).items() if name.startswith("app_") and value
        }
        if bool(self.app) != bool(self.ready):
            missing, given = ("--ready", "--app") if self.app else ("--app", "--ready")
            raise UsageError(f"{missing} is missing: {given} requires it")
        if more and not self.app:
            first = next(iter(more)).replace("_", "-")
            raise UsageError(f"--app is missing: --{first} requires it")
        if not self.app:
            return {}
        options = {name.removeprefix("app_"): texts for name, texts in more.items()}
        return {"application": applications_of(self.app, self.ready or (), options)}

    def refuse_several(self, does: str) -> None:
        """Raise UsageError if several applications are given; does: the start of the sentence."""
        if len(self.app or ()) > 1:
            raise UsageError(
                f"--app is given {len(self.app or ())} times: {does} one application; loadtest "
                "compare takes several"
            )


def refuse_several_processes(plan: Experiment, command: str) -> None:
    """Raise UsageError if an application has several numbers of processes; command: `a run`."""
    for one in plan.application:
        if len(one.processes) > 1:
            raise UsageError(
                f"--app-processes {','.join(map(str, one.processes))}: {command} has one number of "
                "processes; loadtest tune takes several"
            )
