"""Options of the commands that read recordings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from loadtest.analysis.recordings.time_window import MOMENT_FORMS
from loadtest.model.errors import UsageError

if TYPE_CHECKING:
    from loadtest.analysis.recordings.part_of_recording import ReportedTime

ApplicationName = Annotated[
    str,
    typer.Option(
        "--application",
        help="One of several applications with recordings in the same folder.",
    ),
]


@dataclass(eq=False, repr=False)
class PartOptions:
    """The part of a recording to read."""

    since: Annotated[
        str, typer.Option("--since", help=f"Begin of the part of a recording: {MOMENT_FORMS}.")
    ] = ""
    until: Annotated[
        str, typer.Option("--until", help=f"End of the part of a recording: {MOMENT_FORMS}.")
    ] = ""
    busiest: Annotated[
        str,
        typer.Option(
            "--busiest", help="Only the busiest time of a recording, of this length: 60s."
        ),
    ] = ""
    application: ApplicationName = ""

    @property
    def time(self) -> ReportedTime:
        """The requested time; raises UsageError for a length that is none."""
        from loadtest.analysis.recordings.part_of_recording import ReportedTime
        from loadtest.model.field_types import parse_duration

        try:
            length = parse_duration(self.busiest) if self.busiest else None
        except ValueError as error:
            raise UsageError(f"--busiest: {error}") from None
        if length is not None and length <= 0:
            raise UsageError(f"--busiest: {self.busiest} has no length; write 60s")
        return ReportedTime(self.since, self.until, length)


def only_for_recordings(**given: str) -> None:
    """Raise UsageError if an option was given that a result of a load test does not have."""
    for name, value in given.items():
        if value:
            raise UsageError(f"--{name} is for recordings; this is a result of a load test")
