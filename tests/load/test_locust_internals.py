"""What is used of Locust beyond its documentation: there, and as the tool believes it is."""

from __future__ import annotations

import locust
from locust import User, argument_parser, constant, exception, main, task
from locust.argument_parser import get_parser
from locust.env import Environment
from locust.event import EventHook, Events
from locust.rpc.protocol import Message
from locust.rpc.zmqrpc import Client, Server
from locust.runners import LocalRunner, MasterRunner, Runner, WorkerNode, WorkerNodes, WorkerRunner
from locust.user.task import LOCUST_STATE_WAITING, TaskSet
from locust.util import load_locustfile, timespan
from locust.web import WebUI

import io
import json
import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import gevent
import pytest
from gevent.pool import Group

from loadtest.load import locust_internals as internals
from loadtest.load import web_ui_internals
from tests.processes import until

VERSION = f"Locust {locust.__version__}"
# By the owner. What only an instance has is looked for in one, below.
ATTRIBUTES: dict[str, tuple[object, tuple[str, ...]]] = {
    "Environment": (
        Environment,
        ("_create_runner", "create_local_runner", "create_master_runner", "create_worker_runner"),
    ),
    "Runner": (Runner, ("log_exception", "stop_users", "user_classes_count")),
    "MasterRunner": (MasterRunner, ("handle_message", "worker_count")),
    "WorkerRunner": (WorkerRunner, ("worker_index",)),
    "WorkerNodes": (WorkerNodes, ("all", "missing", "running", "spawning")),
    "User": (User, ("greenlet", "stop")),
    "TaskSet": (TaskSet, ("_sleep", "user")),
    "WebUI": (WebUI, ("update_template_args",)),
    "locust.argument_parser": (
        argument_parser,
        ("DEFAULT_CONFIG_FILES", "LocustArgumentParser", "LocustConfigParser", "get_parser"),
    ),
    "locust.exception": (
        exception,
        (
            *("InterruptTaskSet", "RescheduleTask", "RescheduleTaskImmediately"),
            *("RPCError", "StopTest", "StopUser"),
        ),
    ),
    "locust.main": (main, ("main",)),
    "locust.user.task": (
        import_module("locust.user.task"),
        ("LOCUST_STATE_STOPPING", "LOCUST_STATE_WAITING", "logger", "traceback"),
    ),
    "locust.util.load_locustfile": (load_locustfile, ("load_locustfile",)),
    "locust.util.timespan": (timespan, ("parse_timespan",)),
}


class Waiting(User):
    wait_time = constant(3600)

    @task
    def nothing(self) -> None:
        pass


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[Environment]:
    """One without a runner; that of a test quits at its end."""
    monkeypatch.setattr(sys, "argv", ["locust"])  # the web UI parses it
    made = Environment(user_classes=[Waiting], events=Events())
    yield made
    if isinstance(made.runner, MasterRunner):
        made.runner.clients.clear()  # none is there to hear of the end
    if made.runner:
        made.runner.quit()
    if isinstance(made.runner, MasterRunner):
        made.runner.server.close()
        made.runner.server.socket.context.term()


@pytest.fixture
def master(environment: Environment) -> MasterRunner:
    return environment.create_master_runner("127.0.0.1", 0)


def assert_has(holder: object, owner: str, *names: str) -> None:
    """It has all of these attributes; the message names the one that is gone, and the version."""
    gone = [f"{owner}.{name}" for name in names if not hasattr(holder, name)]
    assert not gone, f"{VERSION} has no {', '.join(gone)}"


@pytest.mark.parametrize("owner", ATTRIBUTES)
def test_locust_has(owner: str) -> None:
    holder, names = ATTRIBUTES[owner]
    assert_has(holder, owner, *names)


def test_instances_have(environment: Environment) -> None:
    runner = environment.create_local_runner()
    names = ("target_user_count", "user_greenlets", "worker_count", "worker_index")
    assert_has(runner, "LocalRunner", *names)
    assert_has(Waiting(environment), "User", "_state")
    assert_has(EventHook(), "EventHook", "_handlers")
    assert_has(WorkerNode("a"), "WorkerNode", "id")
    assert_has(Message("type", None, "a"), "Message", "node_id")
    assert_has(get_parser(), "LocustArgumentParser", "_actions")


def test_an_attribute_that_is_gone_is_named_with_the_version() -> None:
    with pytest.raises(AssertionError, match=rf"{VERSION} has no Runner\.gone"):
        assert_has(Runner, "Runner", "stop_users", "gone")


def test_the_numbers_of_a_runner(environment: Environment) -> None:
    runner = environment.create_local_runner()
    runner.target_user_count = 7
    assert internals.target_users(runner) == 7
    assert (internals.processes(runner), internals.worker_index(runner)) == (1, 0)
    assert internals.running_users(runner) is runner.user_greenlets
    internals.show_failure(runner, "host:1", "no room")
    (failure,) = runner.exceptions.values()
    assert (failure["msg"], failure["nodes"]) == ("no room", {"host:1"})


def test_a_master_tells_what_its_workers_do(master: MasterRunner) -> None:
    assert (internals.processes(master), internals.worker_index(master)) == (0, 0)
    for state in ("running", "spawning", "missing", "ready"):
        master.clients[state] = WorkerNode(state, state)
    assert internals.workers(master, "running", "spawning") == {"running", "spawning"}
    assert internals.workers(master, "missing") == {"missing"}
    assert internals.workers(master, "all") == {"running", "spawning", "missing", "ready"}
    assert internals.processes(master) == 3


def test_messages_to_a_master_go_through_what_intercepts_them(master: MasterRunner) -> None:
    heard: list[tuple[str, str]] = []

    def hear(original: Any, worker: str, message: Any) -> None:
        heard.append((worker, message.type))
        original(worker, message)

    again = internals.intercept_messages(master, hear)
    worker = Client("127.0.0.1", master.server.port, "w1")
    ready = Message("client_ready", locust.__version__, "w1")
    worker.send(ready)
    until(lambda: heard, "the worker's message")
    assert internals.workers(master, "all") == {"w1"}
    again("w1", ready)
    assert heard == [("w1", "client_ready")] * 2
    worker.close()
    worker.socket.context.term()


def test_every_start_goes_through_what_intercepts_it(environment: Environment) -> None:
    runner = environment.create_local_runner()
    asked: list[tuple[Any, ...]] = []
    internals.intercept_starts(runner, lambda start, *arguments, **more: asked.append(arguments))
    web_ui = environment.create_web_ui("127.0.0.1", 0, delayed_start=True)
    form = {"user_count": "3", "spawn_rate": "2"}
    assert web_ui.app.test_client().post("/swarm", data=form).json["success"]
    gevent.sleep(0)
    assert asked == [(3, 2.0)]


def test_a_quit_goes_through_what_intercepts_it(environment: Environment) -> None:
    runner = environment.create_local_runner()
    asked: list[Callable[[], None]] = []
    internals.intercept_quits(runner, asked.append)
    runner.quit()
    assert runner.state != "stopped"
    (original,) = asked
    original()
    assert runner.state == "stopped"


def test_runners_are_made_through_a_function(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Environment, "create_local_runner", Environment.create_local_runner)
    made: list[Any] = []

    def make(original: Any, *arguments: Any) -> Any:
        made.append(arguments)
        return original(*arguments)

    internals.make_runners_with("local", make)
    assert environment.create_local_runner() is environment.runner
    assert made == [(environment,)]


class GreenletRunner(internals.CustomRunner):
    """A runner whose users are greenlets after all. ended: how many of each class were to end."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment, Group())
        self.ended: list[dict[str, int]] = []

    def end_users(self, numbers: Mapping[str, int]) -> None:
        self.ended.append(dict(numbers))
        self.users.kill()


def test_a_runner_of_our_own_has_its_users_and_counts_for_itself(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Environment, "create_local_runner", Environment.create_local_runner)
    GreenletRunner.use()
    runner = cast(GreenletRunner, environment.create_local_runner())
    assert type(runner) is GreenletRunner
    assert isinstance(runner, LocalRunner)
    runner.spawn_users({"Waiting": 2})
    assert len(runner.users) == runner.user_count == 2
    fired = {"request_type": "session", "name": "look", "response_time": 1, "response_length": 0}
    environment.events.request.fire(**fired)
    assert runner.stats.total.num_requests == 0
    runner.count(**fired)
    assert runner.stats.total.num_requests == 1
    runner.stop()
    assert runner.ended == [{"Waiting": 2}]
    assert runner.user_count == 0


class Prompt(internals.PromptUser):
    wait_time = constant(3600)
    called = 0

    @task
    def nothing(self) -> None:
        pass

    def called_off(self) -> None:
        Prompt.called += 1


def test_a_waiting_user_ends_at_once(environment: Environment) -> None:
    users = Group()
    user = Prompt(environment)
    user.start(users)
    gevent.sleep(0)
    assert user._state == LOCUST_STATE_WAITING
    assert gevent.spawn(user.stop).get(timeout=60) is True
    assert user.greenlet.dead
    assert Prompt.called == 1


def test_a_user_that_is_told_to_stop_ends_after_its_task(environment: Environment) -> None:
    class Busy(User):
        done = 0

        @task
        def work(self) -> None:
            Busy.done += 1
            internals.tell_to_stop(self)

    users = Group()
    Busy(environment).start(users)
    assert users.join(timeout=60)
    assert Busy.done == 1


def test_a_single_wait_ends_quietly_for_a_user_that_is_told_to_stop(
    environment: Environment,
) -> None:
    class Starting(User):
        wait_time = constant(0)
        done = 0

        def on_start(self) -> None:
            internals.tell_to_stop(self)
            internals.wait_once(self)

        @task
        def work(self) -> None:
            Starting.done += 1

    users = Group()
    user = Starting(environment)
    user.start(users)
    assert users.join(timeout=60)
    assert user.greenlet.successful()
    assert Starting.done == 0


def test_users_sleep_between_tasks_in_the_way_they_are_given(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TaskSet, "_sleep", TaskSet._sleep)
    slept: list[float] = []

    def sleep(seconds: float) -> bool:
        slept.append(seconds)
        return len(slept) < 3

    internals.sleep_with(sleep)
    users = Group()
    Waiting(environment).start(users)
    assert users.join(timeout=60)
    assert slept == [3600, 3600, 3600]


def test_a_failed_task_is_written_to_the_log_with_the_traceback_that_was_asked_for(
    environment: Environment, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing(User):
        wait_time = constant(0)

        @task
        def fail(self) -> None:
            internals.tell_to_stop(self)
            raise ValueError("on purpose")

    tasks = import_module("locust.user.task")
    monkeypatch.setattr(tasks, "traceback", tasks.traceback)
    monkeypatch.setattr(logging.getLogger(internals.TASK_LOG), "filters", [])
    internals.format_tracebacks_with(lambda: "in short")
    users = Group()
    Failing(environment).start(users)
    assert users.join(timeout=60)
    (record,) = [one for one in caplog.records if one.name == internals.TASK_LOG]
    assert record.levelno == logging.ERROR
    assert isinstance(record.args, tuple)
    assert [str(argument) for argument in record.args] == ["on purpose", "in short"]


def test_a_parser_reads_configuration_files_if_it_is_asked_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        argument_parser, "LocustArgumentParser", argument_parser.LocustArgumentParser
    )
    monkeypatch.chdir(tmp_path)
    (tmp_path / "locust.conf").write_text("users = 7\n")

    def users(parser: Any) -> int | None:
        return cast(int | None, parser.parse_args([]).num_users)

    assert users(internals.new_parser()) is None
    assert users(internals.new_parser(configuration_files=True)) == 7
    internals.ignore_configuration_files()
    assert users(get_parser()) is None
    stream: Any = io.StringIO("users = 7\n")
    stream.name = "locust.conf"
    assert internals.settings_in(stream) == {"users": "7"}


def test_options_are_shown_in_the_form_or_not() -> None:
    parser = internals.new_parser()
    group = parser.add_argument_group("ours")
    for flag, shown in (("--seen", True), ("--unseen", False)):
        internals.show_in_form(group.add_argument(flag, default="x"), shown)
    assert "seen" in parser.args_included_in_web_ui
    assert "unseen" not in parser.args_included_in_web_ui
    assert "seen" not in parser.secret_args_included_in_web_ui
    assert {"seen", "unseen"} <= {action.dest for action in internals.actions_of(parser)}


def test_durations_are_read_as_locust_reads_them() -> None:
    assert (internals.seconds_in("1h20m"), internals.seconds_in("30")) == (4800, 30)
    with pytest.raises(ValueError, match="Invalid time span"):
        internals.seconds_in("a while")


def test_users_and_shapes_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "some_scenario.py"
    path.write_text(
        "from locust import LoadTestShape, User\n"
        "class One(User):\n    pass\n"
        "class Base(User):\n    abstract = True\n"
        "class Ramp(LoadTestShape):\n    def tick(self):\n        return None\n"
    )
    classes, shapes = internals.users_and_shapes(str(path))
    assert list(classes) == ["One"]
    assert [type(shape).__name__ for shape in shapes] == ["Ramp"]


def test_the_web_ui_shows_and_refuses_what_it_is_told(environment: Environment) -> None:
    environment.parsed_options = internals.new_parser().parse_args([])
    runner = environment.create_local_runner()
    web_ui = environment.create_web_ui("127.0.0.1", 0, delayed_start=True)
    web_ui_internals.change_page(web_ui, lambda page: page.replace("</head>", "<i>ours</i></head>"))
    web_ui_internals.add_statistics(web_ui, lambda: {"extended_stats": [1]})
    web_ui_internals.check_start_form(
        web_ui, lambda form: "too many" if form["user_count"] == "9" else ""
    )
    client = web_ui.app.test_client()

    assert "<i>ours</i></head>" in client.get("/").text
    statistics = client.get("/stats/requests").json
    assert statistics["extended_stats"] == [1]
    assert statistics["state"] == "ready"
    refused = client.post("/swarm", data={"user_count": "9", "spawn_rate": "1"}).json
    assert refused == {"success": False, "message": "too many"}
    assert runner.target_user_count == 0


@pytest.mark.parametrize("state", ["cleanup", "stopping"])
def test_the_page_of_a_run_that_ends_goes_on_asking(environment: Environment, state: str) -> None:
    runner = environment.create_local_runner()
    web_ui = environment.create_web_ui("127.0.0.1", 0, delayed_start=True)
    web_ui_internals.add_statistics(web_ui, dict)
    runner.state = state
    answer = web_ui.app.test_client().get("/stats/requests")
    assert json.loads(answer.text)["state"] == "running"
    runner.state = "ready"


def test_the_page_is_made_from_changed_arguments_in_their_order(environment: Environment) -> None:
    environment.create_local_runner()
    web_ui = environment.create_web_ui("127.0.0.1", 0, delayed_start=True)
    web_ui_internals.change_arguments(web_ui, lambda known: {"extra_options": {"b": 1, "a": 2}})
    page = web_ui.app.test_client().get("/").text
    assert '"extra_options": {"b": 1, "a": 2}' in page


@pytest.mark.parametrize(("picker", "classes"), [(False, [Waiting]), (True, [Prompt])])
def test_a_start_chooses_among_all_classes_if_there_is_a_picker(
    environment: Environment, picker: bool, classes: list[type]
) -> None:
    environment.available_user_classes = {"Prompt": Prompt}
    environment.create_local_runner()
    web_ui = environment.create_web_ui(
        "127.0.0.1", 0, delayed_start=True, userclass_picker_is_active=picker
    )
    assert web_ui_internals.selectable_classes(web_ui) == classes


def test_what_a_master_raises_without_its_port_is_known(master: MasterRunner) -> None:
    with pytest.raises(internals.NetworkError, match="Address already in use"):
        Server("127.0.0.1", master.server.port)
