"""The undocumented parts of Locust, except of its web UI; no other module uses them.

Documented are the classes, events and exceptions on docs.locust.io, and a runner's `start`, `stop`,
`quit`, `spawn_users`, `user_count`, `greenlet` and messages. A test lists the other names used
here, and reports those that a version of Locust lacks.
"""

from __future__ import annotations

from locust import User, argument_parser
from locust.env import Environment
from locust.exception import (
    InterruptTaskSet,
    RescheduleTask,
    RescheduleTaskImmediately,
    RPCError,
    StopTest,
    StopUser,
)
from locust.runners import LocalRunner
from locust.user.task import LOCUST_STATE_STOPPING, LOCUST_STATE_WAITING, TaskSet
from locust.util.load_locustfile import load_locustfile
from locust.util.timespan import parse_timespan

import importlib
import threading
from argparse import BooleanOptionalAction
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from functools import partial, wraps
from types import SimpleNamespace
from typing import Any

import gevent
from greenlet import GreenletExit, getcurrent

TASK_LOG = "locust.user.task"
"""The name of the logger for failed tasks."""

# The decorator `locust.user.task` hides the module of the same name.
_TASKS: Any = importlib.import_module(TASK_LOG)

CONFIGURATION_FILES = argument_parser.DEFAULT_CONFIG_FILES

NetworkError = RPCError
"""The error of creating a master's runner, for example if its port is taken."""

CONTROL_FLOW = (
    *(InterruptTaskSet, RescheduleTask, RescheduleTaskImmediately),
    *(StopUser, StopTest),
)
"""The exceptions with which tasks leave a task, a set of tasks or the run; they are no errors."""


# ---- Runners


def target_users(runner: Any) -> int:
    """The last requested number of users of the current run, over all processes."""
    return int(runner.target_user_count)


def processes(runner: Any) -> int:
    """The number of processes that run users; zero for a master without workers."""
    return int(runner.worker_count)


def worker_index(runner: Any) -> int:
    """The number of a worker, from zero; zero where there is one process."""
    return int(getattr(runner, "worker_index", 0))


def users_of(runner: Any, classes: Collection[str]) -> int:
    """The number of users of these classes (by name) in this process."""
    counts: Mapping[str, int] = runner.user_classes_count
    return sum(number for name, number in counts.items() if name in classes)


def running_users(runner: Any) -> Any:
    """The greenlets (or threads) of the users of this process."""
    return runner.user_greenlets


def show_failure(runner: Any, process: str, message: str) -> None:
    """Add a message to the failures that the web UI lists."""
    runner.log_exception(process, message, "")


def stop_without_workers(master: Any) -> None:
    """Stop a run on the master only."""
    master.stop(send_stop_to_client=False)


def workers(master: Any, *states: str) -> set[str]:
    """The workers in one of these states, by Locust's names.

    states: `running`, `spawning`, `missing` (no heartbeat for three seconds), `all`.
    """
    return {client.id for state in states for client in getattr(master.clients, state)}


def intercept_starts(runner: Any, start: Callable[..., None]) -> None:
    """Replace the runner's `start`; the new one gets the original and its arguments."""
    runner.start = partial(start, runner.start)


def intercept_quits(runner: Any, quit_: Callable[..., None]) -> None:
    """Replace the runner's `quit`, which ends a headless run; the new one gets the original."""
    runner.quit = wraps(runner.quit)(partial(quit_, runner.quit))


def intercept_messages(master: Any, hear: Callable[..., None]) -> Callable[..., None]:
    """Replace the master's handler: `hear` gets the original, a worker and its message."""
    master.handle_message = handler = partial(hear, master.handle_message)
    return handler


def make_runners_with(kind: str, make: Callable[..., Any]) -> None:
    """Let Locust create its runners of a kind (`master`, `worker`) with a function.

    make: gets Locust's own function and its arguments, the first of which is an Environment.
    """
    name = f"create_{kind}_runner"
    original = getattr(Environment, name)

    def create(environment: Environment, *arguments: Any, **options: Any) -> Any:
        return make(original, environment, *arguments, **options)

    setattr(Environment, name, create)


class CustomRunner(LocalRunner):
    """Locust's runner of a single process, for users that are not greenlets.

    users: the running users; Locust spawns, counts and iterates them like a gevent Group. count:
    adds a request to Locust's statistics; a subclass must call it.
    """

    def __init__(self, environment: Environment, users: Any) -> None:
        super().__init__(environment)
        self.users = self.user_greenlets = users
        self.lock = threading.Lock()
        # The runner has just added its own listener.
        self.count: Callable[..., None] = environment.events.request._handlers.pop()

    @classmethod
    def use(cls) -> None:
        """Let Locust create runners of this class in this process."""
        make_runners_with("local", lambda _, environment: environment._create_runner(cls))

    def end_users(self, numbers: Mapping[str, int]) -> None:
        """End these numbers of users of each class."""
        raise NotImplementedError

    def stop_users(self, user_classes_stop_count: dict[str, int]) -> None:
        """Replaces Locust's method, which kills greenlets."""
        self.end_users(user_classes_stop_count)

    def log_exception(self, node_id: str, msg: str, formatted_tb: str) -> None:
        """Locust's method under a lock, because it counts."""
        with self.lock:
            super().log_exception(node_id, msg, formatted_tb)


# ---- Users


class PromptUser(User):
    """A user that ends at once if it is stopped while it waits between tasks.

    Locust's kill arrives later. It would interrupt the next task of a user that woke up meanwhile,
    and cost a healthy connection, or interrupt `on_stop`, which may check results.
    """

    abstract = True

    def called_off(self) -> None:
        """Called before a waiting user ends without its next task."""

    def stop(self, force: bool = False) -> bool:
        """Locust's `stop`, but a waiting user ends at once."""
        return (not force and ends_waiting(self, self.called_off)) or bool(super().stop(force))


def ends_waiting(user: User, called_off: Callable[[], object]) -> bool:
    """End a user at once if it waits between tasks, after calling a function; whether it did."""
    if user._state != LOCUST_STATE_WAITING:
        return False
    tell_to_stop(user)
    called_off()
    # The event loop returns here when the user has ended, or waits for an answer.
    gevent.get_hub().loop.run_callback(getcurrent().switch)
    user.greenlet.throw(GreenletExit)
    return True


def tell_to_stop(user: User) -> None:
    """Let a user end after its current task."""
    user._state = LOCUST_STATE_STOPPING


def wait_once(user: User) -> None:
    """Let a user wait as between two tasks; a stopped user ends before its next task."""
    with suppress(StopUser):
        user.wait()


def sleep_with(sleep: Callable[[float], bool]) -> None:
    """Replace the wait between tasks by a function of the seconds; False ends the user."""

    def between_tasks(tasks: TaskSet, seconds: float) -> None:
        if not sleep(seconds):
            # The user may have overwritten its state after it was stopped.
            tell_to_stop(tasks.user)
            raise StopUser

    TaskSet._sleep = between_tasks  # type: ignore[method-assign]


def format_tracebacks_with(format_exc: Callable[[], object]) -> None:
    """Replace `format_exc` for the tracebacks of failed tasks."""
    _TASKS.traceback = SimpleNamespace(format_exc=format_exc)


# ---- Options


class _CommandLine(argument_parser.LocustArgumentParser):
    """Locust's parser without configuration files."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{**settings, "default_config_files": []})


def new_parser(*, configuration_files: bool = False) -> Any:
    """Locust's parser, with the options that listeners add; it may read configuration files."""
    files = CONFIGURATION_FILES if configuration_files else []
    return argument_parser.get_parser(default_config_files=files)


def ignore_configuration_files() -> None:
    """Let no parser of this process, including Locust's own, read configuration files."""
    argument_parser.LocustArgumentParser = _CommandLine  # type: ignore[misc]


def actions_of(parser: Any) -> list[Any]:
    """The options of a parser, as argparse has them."""
    return list(parser._actions)


def settings_in(configuration_file: Any) -> dict[str, Any]:
    """The settings in an open configuration file; raises ConfigFileParserException."""
    return dict(argument_parser.LocustConfigParser().parse(configuration_file))


def read_negations(parser: Any) -> None:
    """Let `no-x = true` in a configuration file switch off an option that is `--x` or `--no-x`.

    The parser takes both keys for the option and looks at the value alone.
    """
    convert = parser.convert_item_to_command_line_arg

    def converted(action: Any, key: str, value: Any) -> list[str]:
        arguments: list[str] = convert(action, key, value)
        if not isinstance(action, BooleanOptionalAction):
            return arguments
        on, off = action.option_strings
        swapped = {on: off, off: on} if key.lstrip("-") == off.lstrip("-") else {}
        return [swapped.get(argument, argument) for argument in arguments]

    parser.convert_item_to_command_line_arg = converted


def show_in_form(action: Any, shown: bool) -> None:
    """Set whether the start form shows an option; Locust does it only outside of groups."""
    action.include_in_web_ui = shown
    action.is_secret = action.is_required = action.is_multiple = False


def seconds_in(text: str) -> int:
    """A duration as Locust reads it; raises ValueError."""
    return int(parse_timespan(text))


def users_and_shapes(locustfile: str) -> tuple[dict[str, Any], list[Any]]:
    """The user classes (by name) and the shapes of a locustfile, which is imported."""
    return load_locustfile(locustfile)


def run_command() -> None:
    """Run the command `locust` with the arguments of this process; ends the process."""
    from locust.main import main

    main()
