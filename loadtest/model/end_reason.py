"""Why a run ended: a word from a fixed set, and the text beside it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class EndReason(StrEnum):
    """Why a run ended, as in the footer of its file."""

    FINISHED = "finished"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"
    ENOUGH = "enough"
    FAILED = "failed"
    SERVER_IN_TROUBLE = "server_in_trouble"
    MORE_THAN_ANNOUNCED = "more_than_announced"
    OVERDUE = "overdue"


# The beginning of the sentence for a reason, with the separator from the message.
_BEGINNINGS = {
    EndReason.SERVER_IN_TROUBLE: "the server got into trouble: ",
    EndReason.MORE_THAN_ANNOUNCED: "more than announced: ",
    EndReason.OVERDUE: "ended at its deadline, ",
}


@dataclass(frozen=True)
class End:
    """The end of a run: its reason and a message."""

    reason: EndReason
    message: str = ""

    @property
    def planned(self) -> bool:
        """Whether a person or the schedule ended the run."""
        return self.reason in (EndReason.FINISHED, EndReason.STOPPED, EndReason.INTERRUPTED)

    def to_json(self) -> dict[str, Any]:
        """The fields of a footer."""
        return {"reason": self.reason.value, **({"message": self.message} if self.message else {})}

    def __str__(self) -> str:
        beginning = _beginning(self.reason)
        return beginning + self.message if self.message else beginning.rstrip(":, ")


def end_of(sentence: str) -> End | None:
    """The end in a sentence of an older file, in which the message is not a separate field.

    None if the sentence begins with no known reason.
    """
    for reason in EndReason:
        beginning = _beginning(reason)
        if sentence == beginning.rstrip(":, "):
            return End(reason)
        if sentence.startswith(beginning):
            return End(reason, sentence.removeprefix(beginning))
    return None


def _beginning(reason: EndReason) -> str:
    return _BEGINNINGS.get(reason, f"{reason}: ")
