"""The end of a run: each step runs, even if others raise."""

from __future__ import annotations

import logging
from collections.abc import Callable

from loadtest.database.redaction import words_with_type
from loadtest.model.errors import LoadtestError

logger = logging.getLogger("loadtest")


def attempt(step: Callable[[], object], failed: Callable[[LoadtestError], None]) -> None:
    """Run a step; failed: called with a LoadtestError if the step raises."""
    try:
        step()
    except LoadtestError as error:
        failed(error)
    except Exception as error:
        logger.exception("A step at the end of the run failed")
        what = words_with_type(error)
        failed(LoadtestError(f"a step at the end of the run failed: {what}"))
