"""Tells mistakes in a scenario from errors that depend on the database's rows, locks and limits."""

from __future__ import annotations

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

from loadtest.database.failure_kinds import error_code

# The server's errors about a statement that no row, lock or limit can make right.
_STATEMENT_CODES = frozenset(
    {
        *(1064, 1065, 1149),  # syntax
        *(1049, 1051, 1103, 1109, 1146, 1347),  # databases and tables
        *(1052, 1054, 1060, 1066, 1072, 1110, 1136, 1166, 1222, 1241, 1364),  # columns
        *(1055, 1056, 1111, 1140),  # groups
        *(1128, 1305, 1318, 1327, 1582, 1583, 1584, 1630, 4078, 4079),  # functions, procedures
        *(1115, 1191, 1193, 1231, 1232, 1267, 1271, 1273),  # indexes, variables, collations
        *(1093, 1221, 1235, 1248),  # what the server does not support
    }
)
_MISTAKES = (
    *(ImportError, NameError, AttributeError, TypeError, SyntaxError),
    *(ArgumentError, CompileError, InvalidRequestError, StatementError, DetachedInstanceError),
)
# Special cases of InvalidRequestError.
_ABOUT_ROWS = (NoResultFound, MultipleResultsFound, ObjectDeletedError, PendingRollbackError)


def is_mistake(error: BaseException) -> bool:
    """Whether an error of a task comes from the scenario itself, whatever the database contains.

    Doubtful errors are no mistakes: a load may go on after them.
    """
    if "NoneType" in str(error):
        return False  # mostly a row that is missing
    code = error_code(error)
    if code is not None:
        return code in _STATEMENT_CODES
    if isinstance(error, DBAPIError):
        return isinstance(error, ProgrammingError | NotSupportedError)
    return isinstance(error, _MISTAKES) and not isinstance(error, _ABOUT_ROWS)
