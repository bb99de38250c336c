"""The errors that reach a person: one clear message, one exit code, no traceback."""

from collections.abc import Sequence
from pathlib import Path

IN_TROUBLE = "the server got into trouble"


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


class ServerInTrouble(CannotGoOn):
    """A run was ended: the server refused others, or its status could not be read; exit code 4."""

    exit_code = 4

    @property
    def reason(self) -> str:
        """As the result file has it; reports know it by its beginning."""
        return f"{IN_TROUBLE}: {self}"
