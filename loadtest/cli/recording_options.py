"""Options of the commands that read recordings."""

from __future__ import annotations

from typing import Annotated

import typer

from loadtest.model.errors import UsageError

ApplicationName = Annotated[
    str,
    typer.Option(
        "--application",
        help="One of several applications with recordings in the same folder.",
    ),
]


def only_for_recordings(**given: str) -> None:
    """Raise UsageError if an option was given that a result of a load test does not have."""
    for name, value in given.items():
        if value:
            raise UsageError(f"--{name} is for recordings; this is a result of a load test")
