"""The end of a run: a sequence of steps, each taken whatever the others raise."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from loadtest.database.redaction import words_with_type
from loadtest.model.errors import LoadtestError

logger = logging.getLogger("loadtest")


def take_each(
    steps: Iterable[Callable[[], object]], failed: Callable[[LoadtestError], None]
) -> None:
    """Take every step, in order; failed: told of each that raises, as an error for a person."""
    for step in steps:
        try:
            step()
        except LoadtestError as error:
            failed(error)
        except Exception as error:
            logger.exception("A step at the end of the run failed")
            what = words_with_type(error)
            failed(LoadtestError(f"the run did not end in good order: {what}"))
