"""The end of a run: each step is taken, whatever the others raise."""

from __future__ import annotations

import logging
from collections.abc import Callable

from loadtest.database.redaction import words_with_type
from loadtest.model.errors import LoadtestError

logger = logging.getLogger("loadtest")


def attempt(step: Callable[[], object], failed: Callable[[LoadtestError], None]) -> None:
    """Take a step; failed: told if it raises, as an error for a person."""
    try:
        step()
    except LoadtestError as error:
        failed(error)
    except Exception as error:
        logger.exception("A step at the end of the run failed")
        what = words_with_type(error)
        failed(LoadtestError(f"the run did not end in good order: {what}"))
