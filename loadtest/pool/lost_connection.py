"""A connection that an error has ended: how long it had been open and held."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

_ATTRIBUTE = "loadtest_lost_connection"


@dataclass(frozen=True)
class LostConnection:
    """The times (s) of a lost connection before the statement that failed.

    open: its age at the checkout. held: from the checkout to the statement. pinged: whether the
    pool pings at the checkout. wait_timeout: the limit of its session; infinite if unknown.
    """

    open: float
    held: float
    pinged: bool
    wait_timeout: float

    @property
    def idle_in(self) -> Literal["task", "pool", ""]:
        """Where it can have been idle for longer than wait_timeout; empty if nowhere.

        Earlier statements of the same hold are not known: `held` is an upper bound of the idle
        time, and so is `open`. A ping at the checkout excludes the pool.
        """
        if self.held >= self.wait_timeout:
            return "task"
        return "pool" if self.open >= self.wait_timeout and not self.pinged else ""


def attach(error: BaseException, lost: LostConnection) -> Iterator[BaseException]:
    """Keep the facts about a lost connection with the error that ended it; yields each such error.

    Also with the errors that were handled then: mysql-connector-python fails first without ending
    the connection, which only the ROLLBACK afterwards does.
    """
    known: BaseException | None = error
    while known is not None and not hasattr(known, _ATTRIBUTE):
        vars(known)[_ATTRIBUTE] = lost  # the class may refuse `setattr`, as frozen ones do
        yield known
        known = known.__context__


def lost_connection(error: BaseException) -> LostConnection | None:
    """The facts about the connection that an error has ended; None without one."""
    found = getattr(error, _ATTRIBUTE, None)
    return found if isinstance(found, LostConnection) else None
