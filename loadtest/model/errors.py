"""The errors that reach a person: one clear message, one exit code, no traceback."""

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
        """The end of a run that this error ended, as its result file has it."""
        return End(self.reason, str(self))


class UsageError(LoadtestError):
    """A wrong option, file or address: the person can put it right; exit code 2.

    Several problems are shown together, one a line.
    """

    exit_code = 2

    def __init__(self, *problems: str) -> None:
        self.problems: Sequence[str] = problems
        super().__init__("\n".join(problems))


class CannotGoOn(LoadtestError):
    """Something happened after which no further run can be done; ends the command with 1."""


class Ended(LoadtestError):
    """A failure in the middle of the runs; `folder` has what was measured until then."""

    def __init__(self, error: LoadtestError, folder: Path) -> None:
        self.exit_code = error.exit_code
        self.folder = folder
        super().__init__(str(error))


class InvalidMeasurement(LoadtestError):
    """What was measured is no basis for what was asked of it; exit code 4."""

    exit_code = 4


class Overdue(InvalidMeasurement):
    """Something took longer than its limit and was ended; message: how long, and where it was."""

    reason = EndReason.OVERDUE

    def __init__(self, message: str = "") -> None:
        self.message = message
        super().__init__(str(self.end))

    @property
    def end(self) -> End:
        """The end of the run that was overdue."""
        return End(self.reason, self.message)


class EndedForOthers(CannotGoOn):
    """A run was ended for the sake of a server that others use, too; exit code 4."""

    exit_code = 4

    @staticmethod
    def of(end: End) -> EndedForOthers | None:
        """The error that ended a run; None for an end of any other kind."""
        kinds = (ServerInTrouble, MoreThanAnnounced)
        return next((kind(end.message) for kind in kinds if kind.reason == end.reason), None)


class ServerInTrouble(EndedForOthers):
    """The server refused others, or its status could not be read any more."""

    reason = EndReason.SERVER_IN_TROUBLE


class MoreThanAnnounced(EndedForOthers):
    """The run wanted more users or connections than were announced before it began."""

    reason = EndReason.MORE_THAN_ANNOUNCED
