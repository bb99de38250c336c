"""What was announced on a server that others use: users, processes, shapes; more is refused."""

from __future__ import annotations

from locust import LoadTestShape
from locust.runners import MasterRunner, WorkerNode, WorkerNodes

from argparse import Namespace
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import gevent
import pytest

from loadtest.database.preflight.situation import Demand
from loadtest.load import announced_limits
from loadtest.load.announced_limits import AnnouncedLimits
from loadtest.load.options import run_options
from loadtest.model.errors import LoadtestError, MoreThanAnnounced, UsageError
from loadtest.model.pool import PoolConfig, parse_pool

NO_OPTIONS = run_options.Added([], [])
NO_APPLICATION = {"pool_name": "", "isolation_level": "", "session": "", "engine": ""}
AS_LOCUST_HAS_IT = {**PoolConfig().model_dump(), **NO_APPLICATION, "driving": False}


class Rush(LoadTestShape):
    def tick(self) -> tuple[int, float]:
        return 40, 40


class Runner:
    """Locust's runner of one process. started: the numbers of users that it was asked for."""

    user_count = 0

    def __init__(self) -> None:
        self.worker_count, self.target_user_count = 1, 0
        self.started: list[int] = []

    def start(self, user_count: int, spawn_rate: float, **_: Any) -> None:
        self.started.append(user_count)


class Master(Runner, MasterRunner):
    """Locust's master without a network. heard: the messages that reached it."""

    worker_count = 0  # type: ignore[assignment]
    greenlet: Any = None

    def __init__(self, *workers: str) -> None:
        super().__init__()
        self.clients = WorkerNodes()
        self.heard: list[tuple[str, str]] = []
        for name in workers:
            self.handle_message(name, SimpleNamespace(type="client_ready"))  # type: ignore[arg-type]
        self.heard.clear()

    def handle_message(self, client_id: str, msg: Any) -> None:
        self.clients[client_id] = WorkerNode(client_id)
        self.worker_count = len(self.clients)
        self.heard.append((client_id, msg.type))


class Place:
    """A database. announced: the demands that it was told of; room: the connections it has."""

    def __init__(self, foreign: bool, room: int = 1000) -> None:
        self.foreign, self.room, self.application = foreign, room, None
        self.announced: list[Demand] = []
        self.prepared = 0
        self.meanwhile: Callable[[], None] = lambda: None

    def announce(self, pool: PoolConfig, users: int, processes: int) -> Demand:
        demand = self.demand(Namespace(), pool, users, processes)
        self.check(demand)
        self.announced.append(demand)
        return demand

    def demand(self, _: Namespace, pool: PoolConfig, users: int, processes: int) -> Demand:
        return Demand((pool,), users, processes)

    def check(self, demand: Demand) -> None:
        if demand.most > self.room:
            raise UsageError(f"no room for {demand.most}")

    def prepare(self) -> str:
        self.prepared += 1
        self.meanwhile()
        return "status"


class Scene:
    """Announced limits with everything that they meet."""

    def __init__(
        self,
        *,
        foreign: bool = True,
        runner: Runner | None = None,
        shape: LoadTestShape | None = None,
        room: int = 1000,
        **options: Any,
    ) -> None:
        self.runner = runner or Runner()
        given = {"num_users": 10, "processes": None, "expect_workers": 1, "stages": ""}
        defaults = {"arrival_rate": 0.0, "drop_after": 1.0, "warmup": "0s", "run_time": None}
        self.options = Namespace(**{**AS_LOCUST_HAS_IT, **given, **defaults, **options})
        self.environment = SimpleNamespace(
            runner=self.runner, parsed_options=self.options, shape_class=shape
        )
        self.database, self.refused = Place(foreign, room), list[LoadtestError]()
        database: Any = self.database
        self.limits = AnnouncedLimits(self.environment, database, self.refused.append)
        self.limits.enforce()

    def begin(self, users: int, pool: str = "5+0", status: Any = None) -> Any:
        """Announce the begin of a run with this number of users, as Locust's runner does."""
        self.runner.target_user_count = users
        return self.limits.begin(parse_pool(pool), status)

    def form(self, users: str) -> None:
        self.limits.check_form({"user_count": users}, NO_OPTIONS)


def test_users_beyond_the_announced_are_refused_until_the_run_is_over() -> None:
    scene = Scene()
    scene.begin(10)
    for users in (10, 11, 3):
        scene.runner.start(users, 5, wait=False)
    scene.limits.lift()
    scene.runner.start(12, 5)

    assert scene.runner.started == [10, 3, 12]
    assert scene.refused == [], "a key that was pressed does not end a run"


def test_where_nobody_else_is_nothing_is_refused() -> None:
    scene = Scene(foreign=False, shape=Rush(), num_users=None)
    scene.begin(10)
    scene.runner.start(40, 40)
    scene.form("99")

    assert scene.runner.started == [40]
    assert scene.database.announced == [Demand((parse_pool("5+0"),), 10, 1)]


def test_a_shape_has_to_be_counted_before() -> None:
    scene = Scene(shape=Rush(), num_users=None)
    with pytest.raises(UsageError, match=r"Rush \(a LoadTestShape\) sets the number of"):
        scene.limits.prepare(parse_pool("50+0"))
    assert scene.database.announced == []


def test_a_shape_within_what_was_said_of_it_runs() -> None:
    scene = Scene(shape=Rush(), num_users=40)
    status = scene.limits.prepare(parse_pool("50+0"))
    scene.runner.start(40, 40)
    assert scene.begin(40, "50+0", status) == status

    assert scene.runner.started == [40]
    assert [demand.most for demand in scene.database.announced] == [40]
    assert scene.database.prepared == 1


def test_a_shape_that_asks_for_more_ends_the_run() -> None:
    scene = Scene(shape=Rush(), num_users=4)
    scene.limits.prepare(parse_pool("50+0"))
    scene.runner.start(user_count=40, spawn_rate=40)

    assert scene.runner.started == []
    (error,) = scene.refused
    assert (str(error), error.exit_code) == (
        "Rush asks for 40 users, but 4 were announced: give --users 40",
        4,
    )


def test_a_shape_that_a_form_started_is_looked_at_when_the_run_begins() -> None:
    scene = Scene(shape=Rush(), num_users=4)
    with pytest.raises(MoreThanAnnounced, match="Rush asks for 40 users"):
        scene.begin(40)


@pytest.mark.parametrize(
    ("options", "processes", "connections"),
    [({}, 1, 5), ({"expect_workers": 3}, 3, 12), ({"processes": 4, "expect_workers": 4}, 4, 12)],
)
def test_processes_that_are_expected_are_announced(
    options: dict[str, int], processes: int, connections: int
) -> None:
    scene = Scene(runner=Master(), **options)
    scene.limits.prepare(parse_pool("5+0"))

    (demand,) = scene.database.announced
    assert (demand.processes, demand.most) == (processes, connections)


def test_more_workers_than_were_expected_are_announced_before_they_begin() -> None:
    scene = Scene(runner=Master("a", "b", "c"), num_users=30)
    assert scene.begin(30, status="status") == "status"

    assert [demand.most for demand in scene.database.announced] == [15]
    assert scene.options.most_connections == 5
    assert scene.database.prepared == 0


def test_a_worker_that_comes_during_a_run_waits_for_the_next(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(announced_limits, "LATE_CONNECT_SECONDS", 0)
    runner = Master("a", "b")
    scene = Scene(runner=runner)
    scene.begin(10)
    for name, kind in (("a", "heartbeat"), ("late", "client_ready"), ("late", "client_ready")):
        runner.handle_message(name, SimpleNamespace(type=kind))
    assert runner.heard == [("a", "heartbeat")]
    assert caplog.text.count("Worker late must wait for the next run") == 1

    scene.limits.lift()
    gevent.sleep(0.01)  # it does not ask again
    scene.begin(10)
    runner.handle_message("late", SimpleNamespace(type="heartbeat"))
    assert runner.heard[1:] == [("late", "client_ready"), ("late", "heartbeat")]
    assert [demand.processes for demand in scene.database.announced] == [2, 3]


def test_a_worker_that_comes_while_the_tables_are_made_is_announced_too() -> None:
    runner = Master("a")
    scene = Scene(runner=runner)
    ready: Any = SimpleNamespace(type="client_ready")
    scene.database.meanwhile = lambda: runner.handle_message("b", ready)
    scene.begin(10)

    assert [demand.processes for demand in scene.database.announced] == [1, 2]


def test_what_a_worker_had_goes_to_the_others_once_it_has_ended() -> None:
    runner = Master("a", "b")
    scene = Scene(runner=runner)
    scene.begin(10, "20+inf")
    runner.clients["a"].state = "missing"
    runner.start(10, 10)
    assert scene.options.most_connections == 5, "it may still have its connections"

    del runner.clients["a"]
    runner.start(10, 10)
    assert scene.options.most_connections == 10


def test_a_worker_that_was_missing_when_the_run_began_stays_missing() -> None:
    runner = Master("a", "b")
    runner.clients["b"].state = "missing"
    scene = Scene(runner=runner)
    scene.begin(10)
    runner.handle_message("b", SimpleNamespace(type="heartbeat"))
    assert runner.heard == []


@pytest.mark.parametrize("foreign", [True, False])
def test_a_form_gets_an_answer_where_the_server_has_no_room(foreign: bool) -> None:
    scene = Scene(room=7, foreign=foreign)
    scene.form("7")
    for text in ("7.5", "many", ""):
        scene.form(text)  # Locust answers these
    with pytest.raises(UsageError, match="no room for 8"):
        scene.form("8")
    with pytest.raises(UsageError, match="user_count: a run needs at least one user"):
        scene.form("0")
    assert scene.database.announced == []


def test_an_edit_on_a_private_server_may_have_any_number_of_users() -> None:
    scene = Scene(room=7, foreign=False)
    scene.runner.user_count = 4
    for users in ("0", "99"):
        scene.form(users)


def test_an_edit_during_a_run_may_have_fewer_users_but_not_more() -> None:
    scene = Scene()
    scene.begin(4)
    scene.form("3")
    with pytest.raises(UsageError, match="5 users, but 4 were announced: stop this run and start"):
        scene.form("5")
    scene.limits.lift()
    scene.form("5")
