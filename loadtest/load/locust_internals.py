"""The parts of Locust that its documentation does not promise; no other module touches them.

Documented are the classes, events and exceptions that docs.locust.io lists, and of a runner its
`start`, `stop`, `quit`, `spawn_users`, `user_count`, `greenlet` and messages. A test lists what is
used here beyond that, and names what a version of Locust has lost.
"""

from __future__ import annotations

from locust import User, argument_parser
from locust.env import Environment
from locust.exception import RPCError, StopUser
from locust.runners import LocalRunner
from locust.user.task import LOCUST_STATE_STOPPING, LOCUST_STATE_WAITING, TaskSet
from locust.util.load_locustfile import load_locustfile
from locust.util.timespan import parse_timespan

import importlib
import json
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from types import SimpleNamespace
from typing import Any

import gevent
from flask import Response, jsonify, request
from greenlet import GreenletExit, getcurrent

TASK_LOG = "locust.user.task"
"""The name of the log in which Locust writes what failed in a task."""

# The decorator `locust.user.task` hides the module of the same name.
_TASKS: Any = importlib.import_module(TASK_LOG)

CONFIGURATION_FILES = argument_parser.DEFAULT_CONFIG_FILES

NetworkError = RPCError
"""What the making of a master's runner raises, for example without its port."""

# Of Locust's web UI: its page, the figures that the page asks for, and the form that starts a run.
_PAGE, _STATISTICS, _START = "locust.index", "locust.request_stats", "locust.swarm"
# Told one of these, the page never asks again: its button stays at "Loading" for good.
_ENDING = ("cleanup", "stopping")


# ---- Runners


def target_users(runner: Any) -> int:
    """The number of users that the current run was last asked for, of all processes together."""
    return int(runner.target_user_count)


def processes(runner: Any) -> int:
    """The number of processes that run users; zero for a master without workers."""
    return int(runner.worker_count)


def worker_index(runner: Any) -> int:
    """The number of a worker, from zero; zero where there is one process."""
    return int(getattr(runner, "worker_index", 0))


def running_users(runner: Any) -> Any:
    """The greenlets (or threads) of the users of this process."""
    return runner.user_greenlets


def show_failure(runner: Any, process: str, message: str) -> None:
    """Add a message to the failures that the web UI lists."""
    runner.log_exception(process, message, "")


def stop_without_workers(master: Any) -> None:
    """Stop a run here alone."""
    master.stop(send_stop_to_client=False)


def workers(master: Any, *states: str) -> set[str]:
    """The names of workers in states: `running`, `spawning`, `missing` (silent for 3 s), `all`."""
    return {client.id for state in states for client in getattr(master.clients, state)}


def intercept_starts(runner: Any, start: Callable[..., None]) -> None:
    """Call `start` with the runner's own `start` and the arguments of each call of that."""
    runner.start = partial(start, runner.start)


def intercept_messages(master: Any, hear: Callable[..., None]) -> Callable[..., None]:
    """Call `hear` with the master's own handler, a worker and its message; the new handler."""
    master.handle_message = handler = partial(hear, master.handle_message)
    return handler


def make_runners_with(kind: str, make: Callable[..., Any]) -> None:
    """Let Locust make its runners of a kind (`master`, `worker`) with a function.

    make: gets Locust's own function, then its arguments, of which an Environment is the first.
    """
    name = f"create_{kind}_runner"
    original = getattr(Environment, name)

    def create(environment: Environment, *arguments: Any, **options: Any) -> Any:
        return make(original, environment, *arguments, **options)

    setattr(Environment, name, create)


class CustomRunner(LocalRunner):
    """Locust's runner of a single process, for users that are not greenlets.

    users: those that run; Locust spawns into them, counts them and goes through them as through a
    gevent Group. count: adds a request to Locust's statistics, which a subclass has to call.
    """

    def __init__(self, environment: Environment, users: Any) -> None:
        super().__init__(environment)
        self.users = self.user_greenlets = users
        self.lock = threading.Lock()
        # The runner has just added its own listener.
        self.count: Callable[..., None] = environment.events.request._handlers.pop()

    @classmethod
    def use(cls) -> None:
        """Let Locust make runners of this class in this process."""
        make_runners_with("local", lambda _, environment: environment._create_runner(cls))

    def end_users(self, numbers: Mapping[str, int]) -> None:
        """End as many users of each class as these numbers say."""
        raise NotImplementedError

    def stop_users(self, user_classes_stop_count: dict[str, int]) -> None:
        """Instead of Locust's, which kills greenlets."""
        self.end_users(user_classes_stop_count)

    def log_exception(self, node_id: str, msg: str, formatted_tb: str) -> None:
        """As Locust's, which counts."""
        with self.lock:
            super().log_exception(node_id, msg, formatted_tb)


# ---- Users


class PromptUser(User):
    """A user that ends at once if it is stopped while it waits between tasks.

    Locust's kill arrives later: a user who woke up meanwhile would be killed in the middle of its
    next task, at the cost of a healthy connection, or of its `on_stop`, which may count.
    """

    abstract = True

    def called_off(self) -> None:
        """Called before a waiting user ends: what it waited for will not be done."""

    def stop(self, force: bool = False) -> bool:
        """As Locust's, but a user who waits ends here and now."""
        if not force and self._state == LOCUST_STATE_WAITING:
            tell_to_stop(self)
            self.called_off()
            # The event loop comes back to this when the user has ended, or waits for an answer.
            gevent.get_hub().loop.run_callback(getcurrent().switch)
            self.greenlet.throw(GreenletExit)
            return True
        return bool(super().stop(force))


def tell_to_stop(user: User) -> None:
    """Let a user end after its current task."""
    user._state = LOCUST_STATE_STOPPING


def wait_once(user: User) -> None:
    """Let a user wait as between two tasks; one that is told to stop ends before its next task."""
    with suppress(StopUser):
        user.wait()


def sleep_with(sleep: Callable[[float], bool]) -> None:
    """Let users wait between tasks with a function of the seconds; on False a user ends."""

    def between_tasks(tasks: TaskSet, seconds: float) -> None:
        if not sleep(seconds):
            # Told while it was on its way here, the user may have overwritten its state.
            tell_to_stop(tasks.user)
            raise StopUser

    TaskSet._sleep = between_tasks  # type: ignore[method-assign]


def format_tracebacks_with(format_exc: Callable[[], object]) -> None:
    """Let Locust make the tracebacks of failed tasks with this in place of `format_exc`."""
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
    """From now on no parser of this process reads configuration files, Locust's own neither."""
    argument_parser.LocustArgumentParser = _CommandLine  # type: ignore[misc]


def actions_of(parser: Any) -> list[Any]:
    """The options of a parser, as argparse has them."""
    return list(parser._actions)


def settings_in(configuration_file: Any) -> dict[str, Any]:
    """The settings in an open configuration file; raises ConfigFileParserException."""
    return dict(argument_parser.LocustConfigParser().parse(configuration_file))


def show_in_form(action: Any, shown: bool) -> None:
    """Say whether the start form shows an option; Locust does it for those outside of groups."""
    action.include_in_web_ui = shown
    action.is_secret = action.is_required = action.is_multiple = False


def seconds_in(text: str) -> int:
    """A duration as Locust reads it; raises ValueError."""
    return int(parse_timespan(text))


def users_and_shapes(locustfile: str) -> tuple[dict[str, Any], list[Any]]:
    """The user classes (by name) and the shapes that Locust finds in a file, which is imported."""
    classes, shapes = load_locustfile(locustfile)
    return classes, shapes


def run_command() -> None:
    """Do what the command `locust` does with the arguments of this process, and end it."""
    from locust.main import main

    main()


# ---- The web UI


def change_page(web_ui: Any, change: Callable[[str], str]) -> None:
    """Let a function change the HTML of the web UI's page."""

    @web_ui.app.after_request
    def changed(response: Response) -> Response:
        if request.endpoint == _PAGE and response.is_sequence:
            response.set_data(change(response.get_data(as_text=True)))
        return response


def add_statistics(web_ui: Any, more: Callable[[], Mapping[str, Any]]) -> None:
    """Send more along with the statistics that the page asks for every two seconds."""

    @web_ui.app.after_request
    def extended(response: Response) -> Response:
        if request.endpoint == _STATISTICS and response.is_json:
            statistics = response.json or {}
            if statistics["state"] in _ENDING:
                statistics["state"] = "running"
            response.set_data(json.dumps({**statistics, **more()}))
        return response


def check_form(web_ui: Any, problem: Callable[[Mapping[str, str]], str]) -> None:
    """Show the problem that a function finds in a start form; without one the run starts."""

    @web_ui.app.before_request
    def refuse() -> Response | None:
        found = problem(request.form) if request.endpoint == _START else ""
        return jsonify({"success": False, "message": found}) if found else None


def fill_form(web_ui: Any, current: Callable[[], Mapping[str, Any]]) -> None:
    """Show the current values of the options in the start form, where Locust shows the defaults."""
    original = web_ui.update_template_args

    def update_template_args() -> None:
        original()
        for name, field in web_ui.template_args["extra_options"].items():
            field["default_value"] = current().get(name, field["default_value"])

    web_ui.update_template_args = update_template_args
