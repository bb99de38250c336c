"""The result of the trial of a scenario, as its process reports it to the command."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class TrialAnswer:
    """The mistakes in a scenario and the warnings, as lines, and the numbers beside them.

    held: the most connections that a user held at once, without those that tasks kept. tasks: the
    tasks that were called. failed: those of them that raised an error or did not end in time.
    unexplained: the errors that the database's state does not explain, also of `on_start` and
    `on_stop`. refused: the error because of which no task was tried; empty if there was none.
    requests: the names of the requests to an application that users drive.
    """

    mistakes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    held: int = 0
    tasks: int = 0
    failed: int = 0
    unexplained: int = 0
    refused: str = ""
    requests: list[str] = field(default_factory=list)

    def __add__(self, other: TrialAnswer) -> TrialAnswer:
        """The trials on two databases; a line of both is kept once."""
        return TrialAnswer(
            list(dict.fromkeys(self.mistakes + other.mistakes)),
            list(dict.fromkeys(self.warnings + other.warnings)),
            max(self.held, other.held),
            self.tasks + other.tasks,
            self.failed + other.failed,
            self.unexplained + other.unexplained,
            self.refused or other.refused,
            list(dict.fromkeys(self.requests + other.requests)),
        )

    def __str__(self) -> str:
        """What failed, for the end of a sentence; empty if nothing did."""
        if self.failed:
            return f"{self.failed} of {self.tasks} tasks failed"
        return "on_start or on_stop failed" if self.unexplained else ""
