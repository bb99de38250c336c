"""Keeps Locust's log readable: the first failure of each kind, and a count of the rest."""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from collections import Counter

from loadtest.database.failure_kinds import kind_of, words_of
from loadtest.load.locust_internals import TASK_LOG, format_tracebacks_with

logger = logging.getLogger("loadtest")


class FirstOfEachKind(logging.Filter):
    """Lets the first failed task of each kind into the log, and counts the rest.

    Locust writes a traceback for every failed task, hundreds per second under load. Database
    errors need none, their message is enough. Any other error keeps one traceback.
    """

    def __init__(self) -> None:
        super().__init__()
        self._seen: Counter[str] = Counter()
        self._lock = threading.Lock()
        logging.getLogger(TASK_LOG).addFilter(self)

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record of Locust's task runner goes into the log."""
        error = record.args[0] if isinstance(record.args, tuple) and record.args else None
        if not isinstance(error, BaseException):
            return True
        kind = kind_of(error)
        if kind == "other":
            kind = type(error).__name__
        else:
            record.msg, record.args = "a request failed (%s): %s", (kind, words_of(error))
        with self._lock:
            self._seen[kind] += 1
            return self._seen[kind] == 1

    def sum_up(self) -> None:
        """Log how many were left out, and start counting again."""
        with self._lock:
            seen, self._seen = self._seen, Counter()
        for kind, count in seen.items():
            if count > 1:
                logger.warning(
                    "%d more requests failed with the same kind of error (%s)", count - 1, kind
                )


class _WhenRead:
    """The traceback of the current exception, formatted when it is read."""

    def __init__(self) -> None:
        self._error = sys.exception()

    def __str__(self) -> str:
        return "".join(traceback.format_exception(self._error))


# Locust formats one for each failed task. That takes 1 to 2 ms, and most are left out.
format_tracebacks_with(_WhenRead)
