"""The requests of all users of a process, as Locust's `request` event reports them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from loadtest.database.failure_kinds import words_of
from loadtest.load.users.arriving_users import begin_of
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
    late: called at the end of a request with its begin (clock, ns); returns its schedule lag (ns),
    None if no arrival was due for it. Its time then counts from the moment when it was due.
    """

    def __init__(self, recorder: Recorder) -> None:
        self.late: Callable[[int], int | None] = lambda begun: None
        self._recorder = recorder

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
        lag = self.late(begin_of(elapsed, start_time))
        if lag is not None:
            self._recorder.schedule_lags.append(lag)
            elapsed += lag
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
