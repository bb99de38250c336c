"""The errors that reach a person: one clear message, one exit code, no traceback."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

IN_TROUBLE = "the server got into trouble"
BEYOND_ANNOUNCED = "more than announced"
OVERDUE = "ended at its deadline"


class LoadtestError(Exception):
    """A failure of the tool or of something it needs; ends the command with exit code 1."""

    exit_code = 1

    @property
    def reason(self) -> str:
        """Why a run ended, as its result file has it."""
        return f"failed: {self}"


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
    """Something took longer than its limit and was ended; its text says where it was."""


class EndedForOthers(CannotGoOn):
    """A run was ended for the sake of a server that others use, too; exit code 4.

    beginning: of the reason in the result file, by which reports know it.
    """

    exit_code = 4
    beginning = ""

    @property
    def reason(self) -> str:
        """Why the run ended, as its result file has it."""
        return f"{self.beginning}: {self}"

    @staticmethod
    def of(reason: str) -> EndedForOthers | None:
        """The error that a result file's reason tells of; None for any other reason."""
        for kind in (ServerInTrouble, MoreThanAnnounced):
            if reason.startswith(kind.beginning):
                return kind(reason.removeprefix(f"{kind.beginning}: "))
        return None


class ServerInTrouble(EndedForOthers):
    """The server refused others, or its status could not be read any more."""

    beginning = IN_TROUBLE


class MoreThanAnnounced(EndedForOthers):
    """The run wanted more users or connections than were announced before it began."""

    beginning = BEYOND_ANNOUNCED
