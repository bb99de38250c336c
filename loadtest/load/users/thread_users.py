"""Users that are OS threads, in a process without gevent's patches.

Command line, runner and events are Locust's own. The event loop (clocks, stages, signals) runs in
the main thread, and users never enter it.
"""

from __future__ import annotations

from locust.env import Environment

import logging
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

import gevent
from gevent.monkey import is_module_patched
from greenlet import getcurrent, greenlet

from loadtest.load import locust_internals as internals
from loadtest.model.errors import LoadtestError, UsageError
from loadtest.model.load import THREADS

logger = logging.getLogger("loadtest")
UNPATCHED = ("socket", "ssl", "threading", "time", "select", "queue")
THREAD_POLL_SECONDS = 0.02
COUNT_SECONDS = 0.1


def main() -> None:
    """Run Locust's command with users that are threads; ends the process."""
    sys.argv[0] = "loadtest.threads"
    ThreadRunner.use()
    internals.sleep_with(_sleep)
    try:
        _refuse_other_ways()
        internals.run_command()
    except LoadtestError as error:
        print(f"\n{error}", file=sys.stderr)
        sys.exit(error.exit_code)


def _refuse_other_ways() -> None:
    parser = internals.new_parser(configuration_files=True)
    parser.allow_abbrev = False  # the scenario may have an option such as --work
    options, _ = parser.parse_known_args()
    distributed = {"--processes": options.processes, "--master": options.master}
    given = [flag for flag, on in {**distributed, "--worker": options.worker}.items() if on]
    if given:
        raise UsageError(f"{', '.join(given)}: users that are threads run in one process only")
    if not options.headless:
        raise UsageError("users that are threads run without the web UI: add --headless")


class UserThread(threading.Thread):
    """The thread of one user.

    args: the user, as in Locust's greenlets. leaving: set to end it. greenlet: its main greenlet
    while it runs. cpu_clock: the clock of its CPU time; None before it runs, and on systems without
    such a clock.
    """

    def __init__(self, user: Any, ended: Callable[[UserThread], object]) -> None:
        super().__init__(name=type(user).__name__, daemon=True)
        self.args = (user,)
        self.leaving = threading.Event()
        self.greenlet: greenlet | None = None
        self.cpu_clock: int | None = None
        self._ended = ended

    def run(self) -> None:
        """Run the user until it stops."""
        self.greenlet = getcurrent()
        if hasattr(time, "pthread_getcpuclockid"):  # macOS has none
            self.cpu_clock = time.pthread_getcpuclockid(threading.get_ident())
        try:
            if not self.leaving.is_set():
                self.args[0].run()
        finally:
            # greenlet would search all objects for what else keeps the greenlet of an ended thread.
            self.greenlet = None
            self._ended(self)

    def leave(self) -> None:
        """Let the user end after its current task."""
        internals.tell_to_stop(self.args[0])
        self.leaving.set()


def _sleep(seconds: float) -> bool:
    """Let a user wait between tasks; returns False if it must end."""
    # Locust's own sleep would create an event loop in every thread.
    thread = threading.current_thread()
    if seconds <= 0:
        # Yields to other threads, as Locust's does. Otherwise a user that returns a connection and
        # asks again at once overtakes all waiters, which would starve.
        time.sleep(0)
    if isinstance(thread, UserThread):
        return not thread.leaving.wait(seconds)
    time.sleep(seconds)
    return True


class UserThreads:
    """The running threads, with the part of a gevent Group that Locust's runner needs."""

    def __init__(self) -> None:
        self._running: dict[UserThread, None] = {}

    def __len__(self) -> int:
        return len(self._running)

    def __iter__(self) -> Iterator[UserThread]:
        return iter(list(self._running))  # threads may end during the iteration

    def spawn(self, _run: Callable[[Any], None], user: Any) -> UserThread:
        """Start a user."""
        thread = UserThread(user, self.forget)
        self._running[thread] = None
        try:
            thread.start()
        except RuntimeError:
            self.forget(thread)
            raise
        return thread

    def forget(self, thread: UserThread) -> None:
        """Remove a thread from the group."""
        self._running.pop(thread, None)


class ThreadRunner(internals.CustomRunner):
    """Locust's runner of a single process, with a thread for each user."""

    model = THREADS

    def __init__(self, environment: Environment) -> None:
        patched = [name for name in UNPATCHED if is_module_patched(name)]
        if patched:
            raise UsageError(
                f"gevent has patched {', '.join(patched)}, so users would not be threads. Check "
                "whether the scenario patches them."
            )
        super().__init__(environment, UserThreads())
        self._loop = gevent.get_hub().loop
        self._asked: set[str] = set()
        self._told: deque[dict[str, Any]] = deque()
        environment.events.request.add_listener(self._tell)
        self.greenlet.spawn(self._count_now_and_then)

    def _tell(self, exception: BaseException | None = None, **fired: Any) -> None:
        """Hand a request to the main thread, because Locust's statistics are not thread-safe."""
        # An exception would keep objects of its task alive, for example connections.
        self._told.append({**fired, "exception": exception and repr(exception)})

    def _count_now_and_then(self) -> None:
        while True:
            gevent.sleep(COUNT_SECONDS)
            self._count_told()

    def _count_told(self) -> None:
        while self._told:
            self.count(**self._told.popleft())

    def spawn_users(self, user_classes_spawn_count: dict[str, int], wait: bool = False) -> Any:
        """Locust's `spawn_users`; ends the run if the system allows no more threads."""
        try:
            return super().spawn_users(user_classes_spawn_count, wait)
        except RuntimeError as error:
            said = f"the system allowed threads for {self.user_count} users only: {error}"
            cast(Any, self.environment).loadtest._refuse(LoadtestError(said))
            raise gevent.GreenletExit from error

    def end_users(self, numbers: Mapping[str, int]) -> None:
        """Let users of each class end after their tasks; leave behind those that take too long."""
        leaving: list[UserThread] = []
        for name, number in numbers.items():
            of_class = (t for t in self.users if type(t.args[0]).__name__ == name)
            leaving += [thread for _, thread in zip(range(number), of_class, strict=False)]
        for thread in leaving:
            thread.leave()
        ends = time.monotonic() + self.environment.stop_timeout
        while any(thread.is_alive() for thread in leaving) and time.monotonic() < ends:
            gevent.sleep(THREAD_POLL_SECONDS)
        self._leave_behind([thread for thread in leaving if thread.is_alive()])
        self._count_told()

    def _leave_behind(self, stuck: list[UserThread]) -> None:
        for thread in stuck:
            self.users.forget(thread)
        if stuck:
            logger.warning(
                "%d threads did not end within %g s. The run leaves them behind and counts their "
                "connections as held",
                len(stuck),
                self.environment.stop_timeout,
            )

    def stop(self) -> None:
        """Locust's `stop`; a user that calls it does not wait."""
        if not self._handed_over(self.stop):
            super().stop()

    def quit(self) -> None:
        """Locust's `quit`; a user that calls it does not wait."""
        if not self._handed_over(self.quit):
            super().quit()

    def _handed_over(self, function: Callable[[], None]) -> bool:
        """Whether this is a user's thread; the main thread then calls the function, once."""
        user = isinstance(threading.current_thread(), UserThread)
        with self.lock:
            first = user and function.__name__ not in self._asked
            self._asked |= {function.__name__} if user else set()
        if first:
            self._loop.run_callback_threadsafe(gevent.spawn, function)
        return user
