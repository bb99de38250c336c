"""Stands for a driver and its server: answers at once, with one row of a 1; SHOW has no rows."""

from typing import Any

ANSWERS: dict[str, Any] = {
    "SELECT VERSION()": "8.4.0",
    "SELECT DATABASE()": "nowhere",
    "SELECT @@sql_mode": "",
    "SELECT @@transaction_isolation": "REPEATABLE-READ",
}


class Cursor:
    """A cursor with at most one row after each statement."""

    description = (("value", 3, None, None, None, None, None),)
    rowcount = 1

    def execute(self, statement: str, _: object = None) -> None:
        """Provide the row."""
        self._rows = [] if statement.startswith("SHOW") else [(ANSWERS.get(statement, 1),)]

    def fetchone(self) -> tuple[Any, ...] | None:
        """The row, once."""
        return self._rows.pop() if self._rows else None

    def fetchall(self) -> list[tuple[Any, ...]]:
        """The row, if it was not fetched."""
        rows, self._rows = self._rows, []
        return rows

    def close(self) -> None:
        """Do nothing: there is nothing to close."""


class Connection:
    """A connection to no server, with PyMySQL's arguments."""

    def __init__(self, **_: object) -> None:
        self.commit = self.rollback = self.close = _nothing

    def cursor(self) -> Cursor:
        """A new cursor."""
        return Cursor()

    def character_set_name(self) -> None:
        """None, so that SQLAlchemy sets no other character set."""


def _nothing() -> None:
    """Do nothing."""
