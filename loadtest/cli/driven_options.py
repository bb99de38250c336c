"""The options of an application behind HTTP that a command starts and drives."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from loadtest.cli.option_mistakes import validated_options
from loadtest.model.errors import UsageError

if TYPE_CHECKING:
    from loadtest.model.experiment import Experiment


@dataclass(eq=False, repr=False)
class DrivenOptions:
    """The application that the users drive over HTTP, if any, and its database."""

    app: Annotated[
        str,
        typer.Option(
            "--app",
            help="The command of your application, which is started for each run, recorded, driven "
            'by any Locust users, and stopped: "uvicorn shop.web:app --port 8800".',
        ),
    ] = ""
    ready: Annotated[
        str,
        typer.Option(
            "--ready",
            help="A URL of this application that answers as soon as it is ready: "
            "http://127.0.0.1:8800/health.",
        ),
    ] = ""

    app_env: Annotated[
        list[str] | None,
        typer.Option(
            "--app-env",
            help="An environment variable of the application, NAME=VALUE; repeatable. In a value, "
            "{database_url} stands for the URL of the private server or of --database-url, and "
            "{database_url:mysql+aiomysql} for the same with another driver.",
        ),
    ] = None
    app_cwd: Annotated[
        Path | None, typer.Option("--app-cwd", help="The working directory of the application.")
    ] = None
    app_prepare: Annotated[
        str,
        typer.Option(
            "--app-prepare",
            help="A command that runs before each start of the application, in its environment. It "
            "must be repeatable: for example, it creates and fills the tables.",
        ),
    ] = ""
    app_engine: Annotated[
        str,
        typer.Option(
            "--app-engine",
            help="The engine that gets the pool, if the application makes several: its name, or "
            "the code that makes it, like shop/db.py:9.",
        ),
    ] = ""
    app_processes: Annotated[
        str | None,
        typer.Option(
            "--app-processes",
            help="The number of processes of the application, which {app_processes} in --app or "
            '--app-env stands for: "gunicorn -w {app_processes} shop.web:app". tune takes several, '
            "like 1,2,4.",
        ),
    ] = None
    app_stop_timeout: Annotated[
        str | None,
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
        from loadtest.model.driven_application import DrivenApplication

        data: dict[str, Any] = {"command": self.app, "ready": self.ready}
        data |= {name.removeprefix("app_"): value for name, value in more.items()}
        if self.app_env:
            data["env"] = _variables(self.app_env)
        made = validated_options(DrivenApplication, data, {"processes": "--app-processes"})
        return {"application": (made,)}


def refuse_several_processes(plan: Experiment, command: str) -> None:
    """Raise UsageError if an application has several numbers of processes; command: `a run`."""
    for one in plan.application:
        if len(one.processes) > 1:
            raise UsageError(
                f"--app-processes {','.join(map(str, one.processes))}: {command} has one number of "
                "processes; loadtest tune takes several"
            )


def _variables(texts: list[str]) -> dict[str, str]:
    """Environment variables by name; UsageError, without a value, for one that is given twice."""
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise UsageError("--app-env: write NAME=VALUE")
        if name in found:
            raise UsageError(f"--app-env {name} is given twice; give it once")
        found[name] = value
    return found
