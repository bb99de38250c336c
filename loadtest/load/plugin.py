"""Locust's side of the tool: importing it adds the options and measures every run.

Of the processes of a run, the one that is no worker owns what there is one of: the private server,
the scenario's tables, the result file, the metrics and the report. Every process that runs users
has an engine and a recorder of its own, and sends an interval a second.
"""

from __future__ import annotations

from locust import events
from locust.runners import MasterRunner, WorkerRunner

import inspect
import logging
import os
import random
import socket
import sys
import time
from argparse import Namespace
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import gevent

from loadtest.database.failure_kinds import words_of
from loadtest.database.preflight import server_probe
from loadtest.database.server_status import ServerStatus
from loadtest.live import start_form, web
from loadtest.live.displays import Live
from loadtest.load.announced_limits import Promise
from loadtest.load.ctrl_c import INTERRUPTED, on_ctrl_c
from loadtest.load.engine_under_test import BEYOND, Target
from loadtest.load.lag_monitor import watch_lag
from loadtest.load.log_filter import FirstOfEachKind
from loadtest.load.options import run_options
from loadtest.load.run_header import header
from loadtest.load.run_output import Output
from loadtest.load.server_guard import Guard
from loadtest.load.setup.application_pool import measured_pool
from loadtest.load.setup.database_setup import Place
from loadtest.load.setup.unpatched import aside
from loadtest.load.shutdown import ENDED_WELL, take_each
from loadtest.load.ticker import Ticker
from loadtest.load.users.pool_user import PoolUser, end_again, note_error, with_options
from loadtest.load.users.staged_users import follow
from loadtest.load.workers.protocol import Master, Workers, ready
from loadtest.model.errors import LoadtestError, MoreThanAnnounced, ServerInTrouble
from loadtest.model.interval import Interval
from loadtest.model.load import Stage
from loadtest.model.pool import PoolConfig
from loadtest.runfile.schema import FINISHED

logger = logging.getLogger("loadtest")
_added = run_options.Added([], [])


@events.init_command_line_parser.add_listener
def _add_options(parser: Any) -> None:
    global _added  # noqa: PLW0603 - Locust asks for options before there is an environment
    _added = run_options.add_options(parser, with_options())


@events.init.add_listener
def _begin(environment: Any, runner: Any, web_ui: Any, **_: Any) -> None:
    environment.loadtest = plugin = Plugin(environment, runner)
    try:
        plugin.open(web_ui)
        ready.set()
    except LoadtestError as error:
        plugin.close()
        print(f"\n{error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        plugin.close()
        sys.exit(INTERRUPTED)


class Plugin:
    """One Locust process: what it measures with, from its start to its end.

    target: the engine under test of the current run; None before a run and when one failed.
    """

    def __init__(self, environment: Any, runner: Any) -> None:
        self.environment = environment
        self.runner = runner
        self.process = f"{socket.gethostname()}:{os.getpid()}"
        self.on_ctrl_c = on_ctrl_c()
        self.master = Master(runner, self.process) if isinstance(runner, WorkerRunner) else None
        self.workers: Workers | None = None
        if isinstance(runner, MasterRunner):
            self.workers = Workers(runner, self._take, self._refuse)
        self.live = Live()
        self.place = Place(environment)
        self.promise = Promise(environment, self.place, self._refuse)
        self.target: Target | None = None
        self.output: Output | None = None
        self._targets: list[Target] = []
        self._guard: Guard | None = None
        self._status: ServerStatus | None = None
        self._reason = ""
        self._started = 0.0
        self._stages: tuple[Stage, ...] = ()
        self._tickers: list[Ticker] = []
        self._ended: list[Callable[[], None]] = []
        self._quiet = FirstOfEachKind()

    @property
    def options(self) -> Namespace:
        """Locust's options as they are now; a form changes them between runs."""
        return cast(Namespace, self.environment.parsed_options)

    def open(self, web_ui: Any) -> None:
        """Find or start the database, serve the metrics and listen to Locust's events."""
        listen = self.environment.events
        listen.test_start.add_listener(self.on_start)
        listen.test_stopping.add_listener(self._on_stopping)
        listen.test_stop.add_listener(self._on_stop)
        listen.quitting.add_listener(self._on_quitting)
        listen.quit.add_listener(lambda **_: self.close())  # when workers were told to, too
        listen.user_error.add_listener(note_error)
        # Locust does it when it stops a run, and the first time blocks all users for 0.1 s.
        inspect.stack()
        self.place.load_application()
        if self.master:
            return
        run_options.settle(self.options)
        if web_ui:
            web.check_port(web_ui)
        self.place.find()
        url = self.place.url
        PoolUser.host = f"{url.host}:{url.port or 3306}/{url.database}"
        self.promise.keep()
        if web_ui:
            self.live.serve(web_ui, self.options.web_base_path)
            start_form.arrange(
                web_ui,
                _added.headings,
                check=lambda form: self.promise.check_form(form, _added),
                current=lambda: vars(self.options),
            )
        if self.options.metrics_port:
            web.serve_metrics(self.options.metrics_port, self.live.registry)
        if self.options.headless:
            # Locust's clock is already running when a test starts; so do the long part before.
            pool = measured_pool(self.options, self.place.application)
            run_options.warmup_seconds(self.options)
            self._status = self.promise.prepare(pool)

    def close(self) -> None:
        """Drop what was made, and stop the private server if there is one."""
        forgotten = self._targets if self.place.made else []  # what a task forgot keeps its tables
        take_each([*(target.cut_off for target in forgotten), self.place.close], self._failed)

    def on_start(self, environment: Any, **_: Any) -> None:
        """A run begins: measure it, or refuse."""
        try:
            if not self.master:
                self.options.rate_shared_by = self.runner.worker_count  # the workers are told
            self._start(Namespace(**vars(self.options)))
        except LoadtestError as error:
            self._refuse(error)
        except Exception as error:
            # Locust would log it and let the users run on nothing.
            logger.exception("The run could not begin")
            self._refuse(LoadtestError(f"the run could not begin: {words_of(error)}"))

    def _start(self, options: Namespace) -> None:
        self._reason, self._started = "", time.monotonic()
        self.place.load_application()
        pool = measured_pool(options, self.place.application)
        warmup = run_options.warmup_seconds(options)
        self._stages = run_options.stages_of(options)
        if not self.master:
            self._record(options, pool, warmup)
        if not self.workers:
            self._measure(options, pool, warmup)
        if not self.master:
            # After the tickers: each stage is cut off before its successor's users come.
            self._ended.append(follow(self.runner, self._stages, warmup))

    def _record(self, options: Namespace, pool: PoolConfig, warmup: float) -> None:
        """Begin what a run has one of: its result, the live page's line, the server's figures."""
        status, self._status = self._status, None
        status = self.promise.begin(pool, status)
        self._ended.append(status.close)  # also if it comes no further
        self.live.begin(pool)
        place = self.place
        assert place.facts
        facts = header(self.environment, options, _added, pool, place.facts, place.application)
        self.output = Output(options, self.live, facts)
        guarded = place.foreign and not options.no_abort
        self._guard = Guard(status, place.facts.lacks) if guarded else None
        self._tickers.append(Ticker(aside(status.sample), self._take, warmup, self._stages))

    def _measure(self, options: Namespace, pool: PoolConfig, warmup: float) -> None:
        index = getattr(self.runner, "worker_index", 0)
        random.seed(f"{options.seed}-{index}")
        place, most = self.place, self.options.most_connections
        server_probe.raise_open_files_limit(most)
        facts = place.facts or server_probe.probe_server(place.url, place.connecting)
        given = partial(Target, tls=facts.tls, process=self.process, index=index)
        ceiling = (lambda: cast(int, self.options.most_connections)) if place.foreign else None
        given = partial(given, ceiling=ceiling)
        self.target = given(place.url, pool, options, application=place.application)
        self._targets.append(self.target)
        recorder = self.target.recorder
        recorder.levels["users"] = lambda: self.runner.user_count
        recorder.levels["checked_out"] = self.target.checked_out
        self.target.start()
        if self.master:
            ticker = self.master.begin(recorder, warmup, self._stages)
        else:
            ticker = Ticker(recorder.cut, self._take, warmup, self._stages)
        self._tickers.append(ticker)
        self._ended += [watch_lag(recorder), self.target.close]

    def _failed(self, error: LoadtestError) -> None:
        """Say what failed, to whoever reads the exit code too."""
        logger.error("%s", error)
        if self.options.headless and not self.master:
            self.environment.process_exit_code = error.exit_code

    def _refuse(self, error: LoadtestError) -> None:
        """End a run that cannot begin or go on: no user runs, and the reason is said."""
        self.target = None
        self._failed(error)
        if self.master:
            self.master.refuse(error)
            return
        self._reason = error.reason
        self.runner.log_exception(self.process, str(error), "")
        gevent.spawn(self.runner.quit if self.options.headless else self.runner.stop)

    def _take(self, interval: Interval) -> None:
        if self.output is None:
            return
        try:
            self.output.add(interval)
        except LoadtestError as error:
            self.output = None
            self._refuse(error)
            return
        if not self._reason and (trouble := self._trouble(interval)):
            self._refuse(trouble)

    def _trouble(self, interval: Interval) -> LoadtestError | None:
        """Why this interval ends the run for the sake of others; None if it does not."""
        if interval.counters[BEYOND]:
            return MoreThanAnnounced(
                f"{interval.process} wanted more than the {self.options.most_connections:,} "
                "connections that were announced for each process"
            )
        said = self._guard.take(interval) if self._guard else ""
        return ServerInTrouble(said) if said else None

    def _on_stopping(self, environment: Any, **_: Any) -> None:
        ended = time.monotonic()
        take_each([partial(ticker.enter, "drain") for ticker in self._tickers], self._ended_badly)
        if self.workers:
            self.workers.end(self.environment.stop_timeout)
            if self.workers.all_lost and not self._reason:
                self._refuse(LoadtestError("all workers are lost"))
        if patience := self.environment.stop_timeout:
            self._ended.append(end_again(self.runner, 2 * patience))
        limit = self.options.run_time
        over = limit and ended - self._started >= limit - 1
        self._reason = self._reason or (FINISHED if over else "stopped")

    def _on_stop(self, environment: Any, **_: Any) -> None:
        tickers, ended = self._tickers, self._ended
        self._tickers, self._ended = [], []
        last = [self.master.last] if self.master else []
        steps = [*(ticker.stop for ticker in tickers), *ended, self.promise.over]
        steps += [self._close_output, *last]
        take_each([*steps, self._quiet.sum_up], self._ended_badly)
        self._targets = [target for target in self._targets if target.recorder.opened]

    def _close_output(self) -> None:
        output, self.output, self.target = self.output, None, None
        try:
            if output:
                output.close(self._reason, self.workers, wait=self.options.headless)
        finally:
            self.live.end(self._reason, output.report if output else lambda: None)

    def _ended_badly(self, error: LoadtestError) -> None:
        """Say what failed at the end of a run; the first failure is how it ended."""
        if self._reason not in ENDED_WELL:
            logger.error("%s", error)
            return
        self._reason = error.reason
        self._failed(error)
        if self.master:
            self.master.refuse(error)

    def _on_quitting(self, environment: Any, **_: Any) -> None:
        if self._tickers:  # a run is under way, whatever Locust's state says while it begins
            self._reason = self._reason or "interrupted"
            if self.workers:
                # Its workers are told to quit later; one told to stop now would not hear it.
                self.runner.stop(send_stop_to_client=False)
            else:
                self.runner.stop()
