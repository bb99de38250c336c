"""The errors that you see: one clear message, one exit code, no traceback."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from loadtest.model.end_reason import End, EndReason


class LoadtestError(Exception):
    """A failure of the tool or of something it needs; ends the command with exit code 1."""

    exit_code = 1
    reason = EndReason.FAILED

    @property
    def end(self) -> End:
        """The end of a run that this error ended, for its result file."""
        return End(self.reason, str(self))


class UsageError(LoadtestError):
    """A wrong option, file or address, which you can correct; exit code 2.

    Several problems are shown together, one per line.
    """

    exit_code = 2

    def __init__(self, *problems: str) -> None:
        self.problems: Sequence[str] = problems
        super().__init__("\n".join(problems))


class CannotGoOn(LoadtestError):
    """A failure after which no further run is possible; exit code 1."""


class RefusedRun(UsageError, CannotGoOn):
    """A run in which the application does not do what was asked; so would all others."""


class Ended(LoadtestError):
    """A failure during the runs; `folder` has the results until then."""

    def __init__(self, error: LoadtestError, folder: Path) -> None:
        self.exit_code = error.exit_code
        self.folder = folder
        super().__init__(str(error))


class InvalidMeasurement(LoadtestError):
    """A measurement that cannot answer the question; exit code 4."""

    exit_code = 4


class Overdue(InvalidMeasurement):
    """A step that was ended at its time limit; message: the time, and its place in the code."""

    reason = EndReason.OVERDUE

    def __init__(self, message: str = "") -> None:
        self.message = message
        super().__init__(str(self.end))

    @property
    def end(self) -> End:
        """The end of the run that was overdue."""
        return End(self.reason, self.message)


class EndedForOthers(CannotGoOn):
    """A run that was ended to protect a server that the tool did not start; exit code 4."""

    exit_code = 4

    @staticmethod
    def of(end: End) -> EndedForOthers | None:
        """The error that ended a run; None for an end of any other kind."""
        kinds = (ServerInTrouble, MoreThanAnnounced)
        return next((kind(end.message) for kind in kinds if kind.reason == end.reason), None)


class ServerInTrouble(EndedForOthers):
    """The server refused other clients, or its status could not be read any more."""

    reason = EndReason.SERVER_IN_TROUBLE


class MoreThanAnnounced(EndedForOthers):
    """The run needed more users or connections than it had announced."""

    reason = EndReason.MORE_THAN_ANNOUNCED
