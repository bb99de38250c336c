"""The comparisons that the live page starts: one at a time, and none beside a load test."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from loadtest.live.comparing.comparison_form import (
    RefusedForm,
    ServedSettings,
    comparison_words,
    form_values,
)
from loadtest.live.comparing.started_comparison import StartedComparison
from loadtest.model.errors import LoadtestError, UsageError

logger = logging.getLogger("loadtest")
_SECOND = "A comparison is running: wait until it has ended, or cancel it."
_BESIDE_RUN = (
    "A load test of this Locust is running, and both would measure each other: stop it, or wait "
    "until it has ended."
)
_BESIDE_COMPARISON = (
    "The live page (/pool) is running a comparison, and both would measure each other: wait until "
    "it has ended, or cancel it there"
)


class PageComparisons:
    """The newest comparison of this process, and the reports of the earlier ones."""

    def __init__(self) -> None:
        self._newest: StartedComparison | None = None
        self._begins, self._begun = False, 0
        self._reports: dict[int, Path] = {}
        self._held_off = False

    @property
    def under_way(self) -> bool:
        """Whether a comparison is running, or about to."""
        return self._begins or bool(self._newest and self._newest.running)

    def start(self, form: Mapping[str, str], served: ServedSettings) -> None:
        """Start the comparison that a form describes. Raises RefusedForm."""
        if self.under_way:
            raise RefusedForm({"": _SECOND})
        if self._held_off:
            raise RefusedForm({"": _BESIDE_RUN})
        if served.refusal:
            raise RefusedForm({"": served.refusal})
        words = comparison_words(form, served)
        self._begins = True  # other requests are answered while the process starts
        try:
            self._forget()
            self._begun += 1
            how = form_values(form), words, served.database_url
            self._newest = StartedComparison(self._begun, *how)
        except LoadtestError as error:
            raise RefusedForm({"": str(error)}) from None
        finally:
            self._begins = False

    def _forget(self) -> None:
        """Keep no more of the newest comparison than the path of its report, once it has ended."""
        ended, self._newest = self._newest, None
        if ended:
            ended.end()
            if report := ended.report:
                self._reports[ended.number] = report
            ended.close()

    def cancel(self) -> None:
        """Cancel the running comparison. Raises RefusedForm if none is running."""
        if not (self._newest and self._newest.running):
            raise RefusedForm({"": "No comparison is running."})
        self._newest.cancel()

    def report_of(self, number: int) -> Path | None:
        """The report of a comparison by its number; None if there is none."""
        newest = self._newest
        if newest and newest.number == number:
            return newest.report
        return self._reports.get(number)

    def shown(self, served: ServedSettings) -> dict[str, Any]:
        """The state of the form and of the newest comparison, for the page."""
        return {
            "scenarios": list(served.scenarios),
            "defaults": served.defaults,
            "warmup": served.load.get("warmup", ""),
            "comparison": self._newest.facts() if self._newest else None,
        }

    def refuse_run(self) -> None:
        """Raise UsageError if a load test would run beside a comparison."""
        if self.under_way:
            raise UsageError(_BESIDE_COMPARISON)

    def hold_off(self) -> None:
        """Let no comparison start until `let_start`. Raises UsageError if one is running."""
        self.refuse_run()
        self._held_off = True

    def let_start(self) -> None:
        """Let comparisons start again."""
        self._held_off = False

    def close(self) -> None:
        """End the running comparison, and wait until it has written its report."""
        if self.under_way:
            logger.info("Ending the comparison of the live page")
        self._forget()
