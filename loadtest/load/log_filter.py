"""Keeps Locust's log readable: what failed the first time, a count after that."""

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
    """Lets the first failed task of each kind into the log; the rest are counted and summed up.

    Locust writes a traceback for every failed task, and under load there are hundreds a second.
    What a database does under load needs none: its own words say it. Anything else keeps its one.
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
            record.msg, record.args = "a task failed (%s): %s", (kind, words_of(error))
        with self._lock:
            self._seen[kind] += 1
            return self._seen[kind] == 1

    def sum_up(self) -> None:
        """Say how many were left out, and begin anew."""
        with self._lock:
            seen, self._seen = self._seen, Counter()
        for kind, count in seen.items():
            if count > 1:
                logger.warning("%d more tasks failed like the one above (%s)", count - 1, kind)


class _WhenRead:
    """The traceback of the exception that is being handled, formatted once somebody reads it."""

    def __init__(self) -> None:
        self._error = sys.exception()

    def __str__(self) -> str:
        return "".join(traceback.format_exception(self._error))


# For each failed task Locust formats one, which takes a millisecond or two and is mostly left out.
format_tracebacks_with(_WhenRead)
