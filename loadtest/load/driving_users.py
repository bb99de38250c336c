"""The users of one Locust process that drive an application, and the PoolUsers beside them."""

from __future__ import annotations

from argparse import Namespace
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

from loadtest.load import locust_internals as internals
from loadtest.load.engine_under_test import BEYOND_ANNOUNCED_KIND, EngineUnderTest
from loadtest.load.machine_processors import machine_cpu
from loadtest.load.run import RunUnderWay
from loadtest.load.users.arrivals import schedule
from loadtest.load.users.arriving_users import ArrivingUsers, notice_new_users
from loadtest.load.users.pool_user import PoolUser
from loadtest.load.users.precise_timer import new_precise_timer
from loadtest.load.users.request_log import RequestLog
from loadtest.model.interval import BESIDE, Interval, Period
from loadtest.pool.recorder import Recorder

# Of an interval of PoolUsers: what belongs to their requests, not to their pool.
_COUNTERS = ("requests", "failures", "abandoned", "retries", BEYOND_ANNOUNCED_KIND)
_BY_KIND = ("errors.", "retries.")
_HISTOGRAMS = ("request", "failed_request", "abandoned_request", "schedule_lag")
# The server counts their connections together with those of the application.
_GAUGES = ("in_use", "open")


class DrivingUsers:
    """Measures the requests of a process's users; their checkouts are the application's."""

    def __init__(self, environment: Any, runner: Any, process: str) -> None:
        self._environment, self._runner, self._process = environment, runner, process
        self._arriving: ArrivingUsers | None = None
        self._log: RequestLog | None = None
        others = [one for one in environment.user_classes if not issubclass(one, PoolUser)]
        notice_new_users(others, self._noticed)

    def _noticed(self, user: Any) -> None:
        if self._arriving:
            self._arriving.add(user)
        if self._log:
            self._log.in_progress.watch(user)

    def begin(
        self, run: RunUnderWay, options: Namespace, beside: EngineUnderTest | None
    ) -> tuple[Recorder, Callable[[Period], Interval]]:
        """Begin to measure a run until its end; returns the recorder, and what cuts it.

        beside: the engine of PoolUsers among the users. Of them, requests and connections count.
        """
        recorder, hook = Recorder(self._process), self._environment.events.request
        # Not `users`, which are those of a pool.
        recorder.levels["load_users"] = lambda: self._runner.user_count
        recorder.rising["machine_cpu"] = machine_cpu
        start = self._follow_arrivals(run, options, recorder, beside)
        self._log = log = RequestLog(recorder)
        if self._arriving:
            log.late, log.due = self._arriving.late, self._arriving.due
        hook.add_listener(log.hear)
        run.at_end(partial(hook.remove_listener, log.hear))
        recorder.restart()
        start()
        return recorder, partial(_cut, log, beside.recorder) if beside else log.cut

    def _follow_arrivals(
        self,
        run: RunUnderWay,
        options: Namespace,
        recorder: Recorder,
        beside: EngineUnderTest | None,
    ) -> Callable[[], object]:
        """Let the users follow the arrivals of the options, if any; returns what begins them."""
        if beside:
            arrivals, alarm = beside.arrivals, beside.alarm
        else:
            arrivals = schedule(options, internals.worker_index(self._runner))
            alarm = new_precise_timer() if arrivals else None
            if alarm:
                run.at_end(alarm.close)
        self._arriving = None
        if arrivals:
            arrivals.count_in(recorder)
            self._arriving = ArrivingUsers(arrivals, alarm)
        if beside:
            return beside.start
        return arrivals.start if arrivals else lambda: None


def _cut(log: RequestLog, beside: Recorder, period: Period) -> Interval:
    """The interval of all users."""
    interval = log.cut(period)
    return interval.beside(requests_of(beside.cut(period), interval))


def requests_of(users: Interval, of: Interval) -> Interval:
    """The requests in an interval of PoolUsers, in the time of another.

    Of their pool it has the connections, by names of their own.
    """
    kept = Interval(of.second, of.process, of.period, of.length)
    kept.counters = Counter(
        {
            name: number
            for name, number in users.counters.items()
            if name in _COUNTERS or name.startswith(_BY_KIND)
        }
    )
    kept.histograms = {
        name: users.histograms[name] for name in _HISTOGRAMS if name in users.histograms
    }
    kept.gauges = {BESIDE + name: users.gauges[name] for name in _GAUGES if name in users.gauges}
    kept.examples, kept.first_failure = users.examples, users.first_failure
    return kept
