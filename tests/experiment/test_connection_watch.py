"""What the trial notices about the connections of tasks: unused pools, leaks, caught mistakes."""

from __future__ import annotations

from locust.env import Environment
from locust.event import Events
from locust.exception import StopUser

from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import pymysql
import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from loadtest.experiment.trial.connection_watch import ConnectionWatch, place_of
from loadtest.experiment.trial.task_calls import TaskTrial
from loadtest.experiment.trial.trial_answer import TrialAnswer
from loadtest.load import PoolUser
from loadtest.load.engine_under_test import EngineUnderTest
from loadtest.model.pool import PoolConfig
from loadtest.runfile.folders import as_typed
from tests.load.test_request_outcomes import Connection

HERE = Path(__file__)
SELECT = text("SELECT 1")
OTHER = "mysql+pymysql://blog:secret@db.example:3391/blog"
NONE_TOOK = f"No task of {as_typed(HERE)} took a connection from the measured pool: "
kept: list[Any] = []

Trial = Callable[..., TrialAnswer]


@pytest.fixture
def trial(monkeypatch: pytest.MonkeyPatch) -> Iterator[Trial]:
    """Tries tasks on an engine whose driver is a stub."""
    monkeypatch.setattr(pymysql, "connect", Connection)
    options = Namespace(arrival_rate=0.0, stages="", prefill=False, seed=1)
    url, pool = make_url("mysql+pymysql://nobody@localhost/here"), PoolConfig(poolclass="NullPool")
    target = EngineUnderTest(url, pool, options, tls=False, process="trial")
    environment: Any = Environment(events=Events(), parsed_options=Namespace())
    environment.loadtest = SimpleNamespace(target=target)

    def run(
        *tasks: Callable[[Any], object], missing_table: str = "", **methods: Any
    ) -> TrialAnswer:
        watch = ConnectionWatch(target)
        tried = TaskTrial(HERE, watch, missing_table=missing_table)
        with watch.listening(environment.events.request):
            tried.run(type("Reader", (PoolUser,), {"tasks": [*tasks], **methods}), environment)
        tried.sum_up()
        return tried.answer

    yield run
    kept.clear()
    target.close()


def engine_of(user: Any) -> Any:
    return user.environment.loadtest.target.engine


def read(user: Any) -> None:
    with user.session("read") as session:
        session.execute(SELECT)


def use_other(user: Any) -> None:
    engine = create_engine(OTHER)
    with user.session("other"), engine.connect() as connection:
        connection.execute(SELECT)
    engine.dispose()


def use_outside(user: Any) -> None:
    with engine_of(user).connect() as connection:
        connection.execute(SELECT)


def open_nothing(user: Any) -> None:
    pass


def take_nothing(user: Any) -> None:
    with user.session("nothing"):
        pass


def fail(user: Any) -> NoReturn:
    raise TimeoutError("locked")


def leave(user: Any) -> NoReturn:
    raise StopUser


def test_a_task_that_takes_a_connection_is_no_news(trial: Trial) -> None:
    answer = trial(read, leave)
    assert (answer.mistakes, answer.warnings, answer.held) == ([], [], 1)


def test_tasks_of_another_engine_end_the_command_with_its_address(trial: Trial) -> None:
    (line,) = trial(use_other, open_nothing).mistakes
    assert line.startswith(
        f"{NONE_TOOK}they use another engine, at db.example:3391/blog: give --session MODULE:NAME"
    )
    assert "secret" not in line


def test_connections_outside_of_a_block_end_the_command(trial: Trial) -> None:
    (line,) = trial(use_outside).mistakes
    assert "outside of `with self.session(name)`" in line
    assert line.endswith("wrap the calls in such blocks")


def test_tasks_without_a_block_end_the_command(trial: Trial) -> None:
    assert trial(open_nothing).mistakes == [f"{NONE_TOOK}they have no `with self.session(name)`"]


def test_blocks_without_a_connection_end_the_command(trial: Trial) -> None:
    (line,) = trial(take_nothing).mistakes
    assert line.startswith(f"{NONE_TOOK}use the session of ")


@pytest.mark.parametrize(
    ("one", "warning"),
    [
        (open_nothing, "open_nothing measured nothing: it has no `with self.session(name)`"),
        (take_nothing, "take_nothing took no connection from the measured pool"),
        (use_other, "use_other took no connection from the measured pool. It uses another engine"),
    ],
)
def test_beside_a_task_that_takes_one_it_is_a_warning(
    trial: Trial, one: Callable[[Any], object], warning: str
) -> None:
    answer = trial(read, one)
    (line,) = answer.warnings
    assert line.startswith(warning)
    assert answer.mistakes == []


@pytest.mark.parametrize("other", [fail, leave])
def test_a_task_that_failed_or_left_early_allows_no_conclusion(
    trial: Trial, other: Callable[[Any], object]
) -> None:
    assert trial(other).mistakes == []
    assert trial(fail, open_nothing).mistakes == []


def test_a_user_may_hold_its_connection_from_its_start(trial: Trial) -> None:
    def take(user: Any) -> None:
        user.connection = engine_of(user).connect()

    def use(user: Any) -> None:
        with user.session("use"):
            user.connection.execute(SELECT)

    def give_back(user: Any) -> None:
        user.connection.close()

    answer = trial(use, on_start=take, on_stop=give_back)
    assert (answer.mistakes, answer.warnings, answer.held) == ([], [], 1)
    assert trial(read, on_start=take, on_stop=give_back).held == 2


def test_a_connection_that_a_task_keeps_is_named_and_does_not_count_for_the_next(
    trial: Trial,
) -> None:
    def leak(user: Any) -> None:
        with user.session("leak"):
            kept.append(engine_of(user).connect())

    answer = trial(leak, read)
    assert answer.held == 1
    (warning,) = answer.warnings
    assert "leak kept a connection after its end: close the session" in warning
    assert warning.endswith(f" of {as_typed(HERE)}, line {line_of('kept.append(')}")


def line_of(words: str) -> int:
    """The first line of this file with these words."""
    lines = enumerate(HERE.read_text().splitlines(), 1)
    return next(number for number, line in lines if words in line)


def test_a_connection_beside_another_is_a_warning_with_its_line(trial: Trial) -> None:
    def nest(user: Any) -> None:
        with user.session("nest") as session:
            session.execute(SELECT)
            with engine_of(user).connect() as beside:  # beside
                beside.execute(SELECT)

    def one_after_the_other(user: Any) -> None:
        for _ in range(2):
            read(user)

    answer = trial(read, nest, one_after_the_other)
    (warning,) = answer.warnings
    place = f"{as_typed(HERE)}, line {line_of('# beside')}"
    assert f"nest takes a connection in {place} while it holds another. Such tasks can" in warning
    assert (answer.mistakes, answer.held) == ([], 2)


def test_a_connection_that_another_task_kept_is_not_held_beside_the_next(trial: Trial) -> None:
    def leak(user: Any) -> None:
        with user.session("leak"):
            kept.append(engine_of(user).connect())

    (warning,) = trial(leak, read).warnings
    assert "kept" in warning


def misspelt(user: Any) -> None:
    with user.session("misspelt") as session:
        session.execute(text("ERROR 1146"))


def test_beside_a_mistake_another_engine_is_named(trial: Trial) -> None:
    mistake, advice = trial(use_other, misspelt).mistakes
    assert "(1146, " in mistake
    assert advice == (
        "The tasks also use another engine, at db.example:3391/blog: give --session MODULE:NAME, "
        "which names your application's session"
    )


@pytest.mark.parametrize(("words", "told"), [("ERROR 1146", True), ("ERROR 1054", False)])
def test_a_missing_table_on_an_empty_server_is_explained_once(
    trial: Trial, words: str, told: bool
) -> None:
    def write(user: Any) -> None:
        with user.session("write") as session:
            session.execute(text(words))

    def write_again(user: Any) -> None:
        write(user)

    mistakes = trial(write, write_again, missing_table="This is an empty private server").mistakes
    assert len(mistakes) == 2 + told
    assert ("This is an empty private server" in mistakes) is told


def test_connections_that_a_task_needs_at_once_are_counted(trial: Trial) -> None:
    def nest(user: Any) -> None:
        with user.session("nest") as session, engine_of(user).connect() as connection:
            session.execute(SELECT)
            connection.execute(SELECT)

    assert trial(read, nest).held == 2


def statements(*words: str) -> Callable[[Any], None]:
    def swallow(user: Any) -> None:
        with user.session("swallow") as session:
            for word in words:
                with suppress(OperationalError):
                    session.execute(text(word))  # swallowed

    return swallow


def test_a_caught_mistake_in_sql_that_ends_a_request_is_a_mistake(trial: Trial) -> None:
    (line,) = trial(statements("SELECT 1", "ERROR 1146")).mistakes
    lines = HERE.read_text().splitlines()
    number = next(n for n, one in enumerate(lines, 1) if one.endswith("# swallowed"))
    assert f"test_connection_watch.py, line {number}: OperationalError: (1146, " in line
    assert "(caught by " in line


@pytest.mark.parametrize("words", [("ERROR 1146", "SELECT 1"), ("SELECT 1", "ERROR 1213")])
def test_a_probe_and_a_caught_lock_are_no_mistakes(trial: Trial, words: tuple[str, ...]) -> None:
    assert trial(statements(*words)).mistakes == []


@pytest.mark.parametrize(
    ("url", "place"),
    [
        (OTHER, "db.example:3391/blog"),
        ("mysql+pymysql://blog:p@ss@db.example/blog", "db.example/blog"),
        ("sqlite:///shop.db", "shop.db"),
        ("sqlite://", "sqlite"),
    ],
)
def test_the_place_of_a_database_has_no_part_of_a_password(url: str, place: str) -> None:
    assert place_of(make_url(url)) == place
