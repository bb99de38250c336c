"""Passwords in the commands of a driven application, which other users of the machine can see."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from loadtest.database.redaction import without_passwords
from loadtest.model.driven_application import DrivenApplication

_OPTIONS = {"command": "--app", "ready": "--ready", "prepare": "--app-prepare"}


def exposed_passwords(applications: Iterable[DrivenApplication]) -> Iterator[str]:
    """A warning for each text of an application with a password in a URL."""
    for application in applications:
        for name, option in _OPTIONS.items():
            text = getattr(application, name)
            if without_passwords(text) != text:
                yield (
                    f"{option} contains a password, and other users of this machine can see the "
                    "arguments of processes: let the application read it from its environment"
                )


def shown_application(planned: Mapping[str, Any], application: DrivenApplication) -> dict[str, Any]:
    """An application in JSON's types for results: without passwords and values of variables."""
    texts = {name: without_passwords(planned[name]) for name in _OPTIONS}
    return {**planned, **texts, "env": application.shown_env}
