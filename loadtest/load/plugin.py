"""Locust's side of the tool: importing it adds the options and measures every run.

The master (or the only process) owns the shared resources: the private server, the scenario's
tables, the result file, the metrics and the report. Every process that runs users has an engine and
a recorder of its own, and sends an interval a second.
"""

from __future__ import annotations

from locust import events
from locust.runners import MasterRunner, WorkerRunner

import inspect
import logging
import os
import socket
import sys
from argparse import Namespace
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, cast

import gevent

from loadtest.database.failure_kinds import words_of
from loadtest.database.server_guard import Guard
from loadtest.database.server_status import ServerStatus
from loadtest.live import web
from loadtest.live.displays import Live
from loadtest.load import locust_internals as internals
from loadtest.load import locust_pages
from loadtest.load.announced_limits import AnnouncedLimits
from loadtest.load.ctrl_c import INTERRUPTED, on_ctrl_c
from loadtest.load.engine_under_test import EngineUnderTest
from loadtest.load.lag_monitor import watch_lag
from loadtest.load.log_filter import FirstOfEachKind
from loadtest.load.measured_users import MeasuredUsers
from loadtest.load.options import run_options
from loadtest.load.options.comparison_settings import served_settings
from loadtest.load.options.start_form import StartForm
from loadtest.load.run import RunUnderWay
from loadtest.load.run_header import header
from loadtest.load.run_output import RunOutput, machine_facts, versions
from loadtest.load.setup.application_pool import measured_pool
from loadtest.load.setup.driven_database import database_of
from loadtest.load.setup.unpatched import run_unpatched
from loadtest.load.shutdown import attempt
from loadtest.load.ticker import Ticker
from loadtest.load.users.pool_user import PoolUser, end_again, note_error, with_options
from loadtest.load.users.staged_users import follow_stages
from loadtest.load.workers.protocol import Master, Workers, ready
from loadtest.model.end_reason import End, EndReason
from loadtest.model.errors import LoadtestError
from loadtest.model.interval import Interval
from loadtest.model.pool import PoolConfig

logger = logging.getLogger("loadtest")
_added = run_options.Added([], [])


@events.init_command_line_parser.add_listener
def _add_options(parser: Any) -> None:
    global _added  # noqa: PLW0603 - Locust adds options before it creates an environment
    _added = run_options.add_options(parser, with_options())


@events.init.add_listener
def _begin(environment: Any, runner: Any, web_ui: Any, **_: Any) -> None:
    if hasattr(environment, "loadtest"):  # a trial of the tasks
        ready.set()
        return
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
    """One Locust process from its start to its end, with the objects for all of its runs.

    run: the current run; between two runs, the last one.
    """

    def __init__(self, environment: Any, runner: Any) -> None:
        self.environment, self.runner = environment, runner
        self.process = f"{socket.gethostname()}:{os.getpid()}"
        self.on_ctrl_c = on_ctrl_c()
        self.master = Master(runner, self.process) if isinstance(runner, WorkerRunner) else None
        self.workers: Workers | None = None
        if isinstance(runner, MasterRunner):
            self.workers = Workers(runner, self._take, self._refuse)
        self.live = Live()
        self.database = database_of(environment)
        self.limits = AnnouncedLimits(environment, self.database, self._refuse)
        self.run = RunUnderWay(environment, self._refuse, self._tell)
        self.users = MeasuredUsers(environment, runner, self.process, self.database, self.limits)
        self._status: ServerStatus | None = None
        self._quiet = FirstOfEachKind()

    @property
    def options(self) -> Namespace:
        """Locust's current options; the start form changes them between runs."""
        return cast(Namespace, self.environment.parsed_options)

    @property
    def target(self) -> EngineUnderTest | None:
        """The engine under test of the current run; None before a run and after a failure."""
        return self.run.target

    def open(self, web_ui: Any) -> None:
        """Find or start the database, serve the metrics and listen to Locust's events."""
        self._listen()
        # Locust calls this when it stops a run, and the first call blocks all users for 0.1 s.
        inspect.stack()
        self.database.load_application()
        if self.master:
            return
        run_options.settle(self.options)
        if web_ui:
            web.check_port(self.options.web_host, self.options.web_port)
        self.database.find()
        if not self.options.driving:
            url = self.database.url
            PoolUser.host = f"{url.host}:{url.port or 3306}/{url.database}"
        self.limits.enforce()
        if self.options.headless:
            internals.intercept_quits(self.runner, self._quit)
        self._serve(web_ui)
        if self.options.headless:
            self._prepare()

    def _listen(self) -> None:
        listen = self.environment.events
        listen.test_start.add_listener(self.on_start)
        listen.test_stopping.add_listener(self._on_stopping)
        listen.test_stop.add_listener(self._on_stop)
        listen.quitting.add_listener(self._on_quitting)
        listen.quit.add_listener(lambda **_: self.close())  # also when workers are told to quit
        listen.user_error.add_listener(note_error)

    def _serve(self, web_ui: Any) -> None:
        if web_ui:
            settings = partial(served_settings, self.environment, self.database, _added)
            where = self.options.web_base_path, lambda: Path(self.options.results)
            self.live.serve(web_ui, *where, settings)
            locust_pages.extend(web_ui, self.live.statistics)
            StartForm(web_ui, _added, lambda: self.options, self._check_form)
        if self.options.metrics_port:
            web.serve_metrics(self.options.metrics_port, self.live.registry)

    def _check_form(self, form: Mapping[str, str]) -> None:
        self.live.comparisons.refuse_run()
        self.limits.check_form(form, _added)

    def _prepare(self) -> None:
        # Locust's clock runs from the start of a test, so do the long part before it.
        pool = measured_pool(self.options, self.database.application)
        run_options.warmup_seconds(self.options)
        self._status = self.limits.prepare(pool)
        machine_facts()
        versions()
        # Locust's time limit is a timer of the loop, whose clock stands still without events.
        gevent.get_hub().loop.update_now()

    def close(self) -> None:
        """End a comparison of the live page, drop the tables, and stop the private server."""
        # Leaked connections would lock the tables.
        forgotten = self.users.targets if self.database.made else []
        steps = [target.cut_off for target in forgotten]
        for step in (self.live.comparisons.close, *steps, self.database.close):
            attempt(step, self._failed)

    def on_start(self, environment: Any, **_: Any) -> None:
        """Begin a run: measure it, or refuse it."""
        try:
            if not self.master:
                # Workers receive the options.
                self.options.rate_shared_by = internals.processes(self.runner)
            self.run = self._new_run()
            self._start(self.run, Namespace(**vars(self.options)))
        except LoadtestError as error:
            self._refuse(error)
        except Exception as error:
            # Locust would log it and start users without an engine.
            logger.exception("The run could not begin")
            self._refuse(LoadtestError(f"the run could not begin: {words_of(error)}"))

    def _new_run(self) -> RunUnderWay:
        """A new run, with the steps for its end, the last step first."""
        run = RunUnderWay(self.environment, self._refuse, self._tell)
        run.at_end(self._quiet.sum_up)
        if self.master:
            run.at_end(self.master.last)
        run.at_end(partial(run.close_output, self.live, self.workers))
        run.at_end(self.limits.lift)
        return run

    def _start(self, run: RunUnderWay, options: Namespace) -> None:
        self.live.comparisons.hold_off()
        self.database.load_application()
        pool = measured_pool(options, self.database.application)
        warmup, stages = parts = run_options.parts_of(options)
        status = None if self.master else self._record(run, options, pool)
        if not self.workers:
            self._measure(run, options, pool, parts)
        if status:
            run.add_ticker(Ticker(run_unpatched(status.sample), run.take, *parts))
        if not self.master:
            # After the tickers, so that each stage is cut before the users of the next one start.
            run.at_end(follow_stages(self.runner, stages, warmup))
        run.begin_load()

    def _record(
        self, run: RunUnderWay, options: Namespace, pool: PoolConfig
    ) -> ServerStatus | None:
        """Open the shared resources of a run: its result, the live page, the server's status."""
        prepared, self._status = self._status, None
        status = self.limits.begin(pool, prepared)
        if status:
            run.at_end(status.close)
        self.live.begin(pool)
        server, application = self.database.facts, self.database.application
        facts = header(self.environment, options, _added, pool, server, application)
        run.write_to(RunOutput(options, self.live, facts))
        if status and self.database.foreign and not options.no_abort:
            run.guard = Guard(status, server.lacks)
        return status

    def _measure(
        self, run: RunUnderWay, options: Namespace, pool: PoolConfig, parts: run_options.LoadParts
    ) -> None:
        recorder, cut = self.users.begin(run, options, pool)
        run.at_end(watch_lag(recorder))
        if self.master:
            run.add_ticker(self.master.begin(recorder, *parts, cut=cut))
        else:
            run.add_ticker(Ticker(cut, run.take, *parts))

    def _take(self, interval: Interval) -> None:
        self.run.take(interval)

    def _failed(self, error: LoadtestError) -> None:
        """Log an error, and set the exit code."""
        logger.error("%s", error)
        if self.options.headless and not self.master:
            self.environment.process_exit_code = error.exit_code

    def _tell(self, error: LoadtestError) -> None:
        """Report an error; a worker also reports it to its master."""
        self._failed(error)
        if self.master:
            self.master.refuse(error)

    def _refuse(self, error: LoadtestError) -> None:
        """End a run that cannot begin or go on, and report the reason."""
        self.run.target = None
        self._tell(error)
        if not self.master:
            self.run.end = error.end
            internals.show_failure(self.runner, self.process, str(error))
            gevent.spawn(self.runner.quit if self.options.headless else self.runner.stop)

    def _quit(self, quit_: Callable[[], None]) -> None:
        """Quit the runner; at the time limit, when the load has lasted for as long."""
        if rest := self.run.rest_of_load:
            gevent.sleep(rest)
        quit_()

    def _on_stopping(self, environment: Any, **_: Any) -> None:
        run, time_is_up = self.run, self.run.time_is_up
        run.drain()
        if self.workers:
            self.workers.end(self.environment.stop_timeout)
            if self.workers.all_lost and not run.end:
                self._refuse(LoadtestError("all workers are lost"))
        if patience := self.environment.stop_timeout:
            run.at_end(end_again(self.runner, 2 * patience))
        run.end = run.end or End(EndReason.FINISHED if time_is_up else EndReason.STOPPED)

    def _on_stop(self, environment: Any, **_: Any) -> None:
        self.run.close()
        self.users.forget_closed()

    def _on_quitting(self, environment: Any, **_: Any) -> None:
        if self.run.under_way:
            self.run.end = self.run.end or End(EndReason.INTERRUPTED)
            if self.workers:
                # Workers are told to quit later; a worker that stops now would miss that message.
                internals.stop_without_workers(self.runner)
            else:
                self.runner.stop()
        self.run.close()  # Locust exits, also if a signal came while the run was being closed
