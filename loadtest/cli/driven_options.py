"""The options of an application behind HTTP that a command starts and drives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import typer

from loadtest.cli.option_mistakes import validated_options
from loadtest.model.errors import UsageError


@dataclass(eq=False, repr=False)
class DrivenOptions:
    """The application that the users drive over HTTP, if any."""

    app: Annotated[
        str,
        typer.Option(
            "--app",
            help="The command of your application, which is started for the run, recorded, driven "
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

    def settings(self) -> dict[str, Any]:
        """These options as settings of an experiment; raises UsageError."""
        if bool(self.app) != bool(self.ready):
            missing, given = ("--ready", "--app") if self.app else ("--app", "--ready")
            raise UsageError(f"{missing} is missing: {given} requires it")
        if not self.app:
            return {}
        from loadtest.model.driven_application import DrivenApplication

        data = {"command": self.app, "ready": self.ready}
        return {"application": (validated_options(DrivenApplication, data),)}
