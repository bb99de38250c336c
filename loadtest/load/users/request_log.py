"""The requests of all users of a process, by name, as Locust's `request` event reports them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from loadtest.database.failure_kinds import words_of
from loadtest.load.users.arriving_users import begin_of
from loadtest.load.users.http_failures import failure_kind, status_of
from loadtest.load.users.requests_in_progress import RequestsInProgress, full_name
from loadtest.load.users.session_task import SESSION_REQUEST
from loadtest.model.distribution import Distribution
from loadtest.model.interval import Gauge, Interval, Period
from loadtest.model.request_use import IN_PROGRESS, RequestUse, times_of_name
from loadtest.pool.numbered_names import NumberedNames
from loadtest.pool.recorder import Recorder
from loadtest.recording.steering.response_headers import HEADER, told_in

# A locustfile that names no requests has as many names as paths, with ids in them.
MOST_NAMES = 200
OTHER_REQUESTS = "(other requests)"
_MOST_CHARACTERS = 200

# The gauges of the process's own pool. Without an engine it has none, and their zeros would be
# averaged with the levels of the application's pool.
_OF_THE_POOL = ("in_use", "open", "idle", "overflow", "waiting")


class RequestLog:
    """Records the requests of users that drive an application.

    recorder: takes the times and the failures of all; a user's session records its own there.
    late: called at the end of a request with its begin (clock ns); returns its schedule lag (ns),
    None if no arrival was due for it. Its time then counts from the moment when it was due. due:
    that moment for the first request of a greenlet, while the request is in progress.
    """

    def __init__(self, recorder: Recorder) -> None:
        self.late: Callable[[int], int | None] = lambda begun: None
        self.due: Callable[[object], int | None] = lambda greenlet: None
        self.in_progress = RequestsInProgress()
        self._recorder = recorder
        self._names = NumberedNames(MOST_NAMES, OTHER_REQUESTS)
        self._by_name = defaultdict[str, _NamedRequests](_NamedRequests)

    def hear(
        self,
        request_type: str,
        name: str,
        response_time: float,
        exception: BaseException | None,
        response: Any = None,
        start_time: float | None = None,
        **_: Any,
    ) -> None:
        """Record a request, as a listener for Locust's `request`; response_time: ms."""
        elapsed = round((response_time or 0) * 1e6)
        if request_type == SESSION_REQUEST:
            own = name
        else:
            own = full_name(request_type, name)
            begun = begin_of(elapsed, start_time)
            elapsed = self._record(begun, elapsed, exception, response)
        self._by_name[self._short(own)].add(elapsed, exception, response)

    def _short(self, name: str) -> str:
        return self._names.name(self._names.number(name[:_MOST_CHARACTERS]))

    def _record(
        self, begun: int, elapsed: int, exception: BaseException | None, response: Any
    ) -> int:
        """Record a request without its name; returns its duration (ns), including its lag."""
        lag = self.late(begun)
        if lag is not None:
            self._recorder.schedule_lags.append(lag)
            elapsed += lag
        if exception is None:
            self._recorder.requests.append(elapsed)
        else:
            self._recorder.failed(elapsed, failure_kind(response, exception), words_of(exception))
        return elapsed

    def cut(self, period: Period) -> Interval:
        """Everything since the last cut, without the gauges of a pool."""
        interval = self._recorder.cut(period)
        for name in _OF_THE_POOL:
            interval.gauges.pop(name, None)
        named, self._by_name = self._by_name, defaultdict(_NamedRequests)
        for name, requests in named.items():
            interval.requests[name] = requests.use
            interval.histograms |= requests.histograms(name)
        self._add_unfinished(interval)
        return interval

    def _add_unfinished(self, interval: Interval) -> None:
        found = self.in_progress.ages(self.due)
        for name, ages in found.items():
            use = interval.requests.setdefault(self._short(name), RequestUse())
            use.unfinished.add(Distribution.of(ages))
        if self.in_progress.known:
            number = sum(map(len, found.values()))
            interval.gauges[IN_PROGRESS] = Gauge(number * interval.length, *[number] * 3)


class _NamedRequests:
    """The requests of one name since the last cut; the lists have durations (ns)."""

    def __init__(self) -> None:
        self.use = RequestUse()
        self._succeeded: list[int] = []
        self._failed: list[int] = []

    def add(self, elapsed: int, exception: BaseException | None, response: Any) -> None:
        use = self.use
        use.count += 1
        if status := status_of(response):
            use.by_status[status] += 1
        told = told_in(_header(response))
        if told and told.timeouts:
            use.timed_out += 1
        if exception is not None:
            use.failed += 1
            self._failed.append(elapsed)
            if told and status.startswith("5"):
                use.told_5xx += 1
                use.timed_out_5xx += told.timeouts > 0
            return
        self._succeeded.append(elapsed)
        if told:
            use.tell(elapsed, told.waited)

    def histograms(self, name: str) -> dict[str, Distribution]:
        """Their times, by the names of the histograms; empty ones are left out."""
        both = ((False, self._succeeded), (True, self._failed))
        return {
            times_of_name(name, failed=failed): Distribution.of(durations)
            for failed, durations in both
            if durations
        }


def _header(response: Any) -> str:
    """The header by which the application tells the waits of a request; empty without one."""
    headers = getattr(response, "headers", None)
    return str(headers.get(HEADER, "")) if headers else ""
