"""The requests that the users of a trial send to an application, and which of them fail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from loadtest.database.failure_kinds import words_of
from loadtest.experiment.trial.trial_answer import TrialAnswer
from loadtest.load.users.requests_in_progress import full_name
from loadtest.load.users.session_task import SESSION_REQUEST
from loadtest.runfile.folders import as_typed


class RequestWatch:
    """Hears the requests of a trial, except for those of a session."""

    def __init__(self) -> None:
        self._sent: Counter[str] = Counter()
        self._failed = 0
        self._failures: dict[str, None] = {}

    @contextmanager
    def listening(self, requests: Any) -> Iterator[None]:
        """Hear them in this context; requests: Locust's `request` event."""
        requests.add_listener(self._hear)
        try:
            yield
        finally:
            requests.remove_listener(self._hear)

    def _hear(
        self, request_type: str, name: str, exception: BaseException | None = None, **_: Any
    ) -> None:
        if request_type == SESSION_REQUEST:
            return
        own = full_name(request_type, name)
        self._sent[own] += 1
        if exception is not None:
            self._failed += 1
            self._failures[f"{own} failed: {words_of(exception)}"] = None

    def conclude(self, answer: TrialAnswer, scenario: Path) -> None:
        """Add names, mistakes and warnings to an answer in which all tasks are counted.

        Requests may fail, unless all of them do.
        """
        answer.requests += self._sent
        if self._failed < self._sent.total():
            answer.warnings += [f"Tried once before the load, {line}" for line in self._failures]
        elif self._failures:
            answer.mistakes += self._failures
        elif answer.tasks and not (answer.failed or answer.mistakes):
            answer.mistakes.append(
                f"No task of {as_typed(scenario)} sent a request: use the client of an HttpUser or "
                "a FastHttpUser, or fire Locust's `request` event"
            )
