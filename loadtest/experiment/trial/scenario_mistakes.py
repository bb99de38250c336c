"""Tells mistakes in a scenario from errors that depend on the database's rows, locks and limits."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy.exc import (
    ArgumentError,
    CompileError,
    DBAPIError,
    InvalidRequestError,
    MultipleResultsFound,
    NoResultFound,
    NotSupportedError,
    PendingRollbackError,
    ProgrammingError,
    StatementError,
)
from sqlalchemy.orm.exc import DetachedInstanceError, ObjectDeletedError

from loadtest.database.failure_kinds import STATEMENT_CODES, WRONG_SQL, error_code, kind_of

_MISTAKES = (
    *(ImportError, NameError, AttributeError, TypeError, SyntaxError),
    *(ArgumentError, CompileError, InvalidRequestError, StatementError, DetachedInstanceError),
)
# Special cases of InvalidRequestError.
_ABOUT_ROWS = (NoResultFound, MultipleResultsFound, ObjectDeletedError, PendingRollbackError)

# The kinds of errors that no other user, no lock and no limit explains.
_WITHOUT_CAUSE = ("other", "pending_rollback", WRONG_SQL)


def is_mistake(error: BaseException) -> bool:
    """Whether an error of a task comes from the scenario itself, whatever the database contains.

    Doubtful errors are no mistakes: a load may go on after them.
    """
    if _lacks_row(error):
        return False
    code = error_code(error)
    if code is not None:
        return code in STATEMENT_CODES
    if isinstance(error, DBAPIError):
        return isinstance(error, ProgrammingError | NotSupportedError)
    return isinstance(error, _MISTAKES)


def depends_on_state(error: BaseException) -> bool:
    """Whether an error may come from the database's rows, locks and limits, or a time limit."""
    return is_transient(error) or any(map(_lacks_row, _led_to(error)))


def is_transient(error: BaseException) -> bool:
    """Whether the next attempt may succeed: a lock, a duplicate key, a limit; no missing row."""
    return any(_of_server(one) for one in _led_to(error))


def _of_server(error: BaseException) -> bool:
    if is_mistake(error):
        return False
    known = isinstance(error, DBAPIError) or error_code(error) is not None
    return known or kind_of(error) not in _WITHOUT_CAUSE


def _lacks_row(error: BaseException) -> bool:
    """Whether an error tells that a row is missing, or that there are several."""
    return isinstance(error, _ABOUT_ROWS) or "NoneType" in str(error)


def _led_to(error: BaseException | None) -> Iterator[BaseException]:
    """An error, the error that it was raised from or after, and so on."""
    seen = set[int]()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
