"""The requests of all users of a process, as Locust's `request` event reports them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from loadtest.database.failure_kinds import words_of
from loadtest.load.users.session_task import SESSION_REQUEST
from loadtest.model.interval import Interval, Period
from loadtest.pool.recorder import Recorder

# The gauges of the process's own pool. Without an engine it has none, and their zeros would be
# averaged with the levels of the application's pool.
_OF_THE_POOL = ("in_use", "open", "idle", "overflow", "waiting")

# The other kinds of failures are those of a database.
_KIND = "other"


class RequestLog:
    """Records the requests of users that have no session, such as HTTP users.

    recorder: takes the times and the failures; a user's session records its own requests there.
    late: see `ArrivingUsers.late`; request times then count from when the arrival was due.
    """

    def __init__(
        self, recorder: Recorder, late: Callable[[int, float | None], int] = lambda *_: 0
    ) -> None:
        self._recorder, self._late = recorder, late

    def hear(
        self,
        request_type: str,
        response_time: float,
        exception: BaseException | None,
        start_time: float | None = None,
        **_: Any,
    ) -> None:
        """Record a request, as a listener for Locust's `request`; response_time: ms."""
        if request_type == SESSION_REQUEST:
            return
        elapsed = round((response_time or 0) * 1e6)
        elapsed += self._late(elapsed, start_time)
        if exception is None:
            self._recorder.requests.append(elapsed)
        else:
            self._recorder.failed(elapsed, _KIND, words_of(exception))

    def cut(self, period: Period) -> Interval:
        """Everything since the last cut, without the gauges of a pool."""
        interval = self._recorder.cut(period)
        for name in _OF_THE_POOL:
            interval.gauges.pop(name, None)
        return interval
