"""Which errors of a task are the scenario's own, and which depend on the database's state."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pymysql
import pytest
from sqlalchemy import Engine, StaticPool, create_engine, select, text
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from loadtest.experiment.trial.scenario_mistakes import (
    depends_on_state,
    is_mistake,
    is_transient,
)
from loadtest.model.errors import MoreThanAnnounced

Task = Callable[[Session], object]


class Base(DeclarativeBase):
    pass


class Note(Base):
    __tablename__ = "note"
    id: Mapped[int] = mapped_column(primary_key=True)
    stars: Mapped[int] = mapped_column(default=0)


@pytest.fixture
def engine() -> Iterator[Engine]:
    """A database in memory with an empty table."""
    made = create_engine("sqlite://", poolclass=StaticPool)
    Base.metadata.create_all(made)
    yield made
    made.dispose()


def raised(task: Task, engine: Engine) -> Exception:
    with Session(engine) as session, pytest.raises(Exception) as caught:  # noqa: PT011
        task(session)
    return caught.value


def of_server(kind: type[Any], code: int, driver: type[Exception]) -> Exception:
    """An error of the server as SQLAlchemy raises it."""
    error: Exception = kind("SELECT 1", {}, driver(code, "what the server said"))
    return error


def stars_of(session: Session, key: int) -> Any:
    """A function with two arguments."""
    return session.get(Note, key)


MISTAKES: dict[str, Task] = {
    "a raw string": lambda session: session.execute("SELECT 1"),
    "a missing parameter": lambda session: session.execute(text("SELECT :id")),
    "a missing argument": lambda session: stars_of(session).stars,
    "an unknown name": lambda session: session.scalar(select(Nope)),  # noqa: F821
    "an unknown attribute": lambda session: session.scalar(select(Note.name)),
    "an unknown field": lambda session: Note(name="x"),
    "a missing module": lambda session: __import__("no_such_module"),
    "rows of a statement without rows": lambda session: session.execute(
        text("CREATE TABLE other (id INTEGER)")
    ).all(),
    "an object that is not mapped": lambda session: session.add(SimpleNamespace()),
}
STATE: dict[str, Task] = {
    "no row": lambda session: session.execute(select(Note)).scalar_one(),
    "no row by its key": lambda session: session.get_one(Note, 1),
    "no row to change": lambda session: setattr(session.get(Note, 1), "stars", 1),
    "no value to add to": lambda session: session.scalar(select(Note.stars)) + 1,
    "no row to choose": lambda session: random.choice(session.scalars(select(Note)).all()),
    "no range of keys": lambda session: random.randint(1, len(session.scalars(select(Note)).all())),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_in_the_scenario_is_one(engine: Engine, name: str) -> None:
    assert is_mistake(raised(MISTAKES[name], engine))


@pytest.mark.parametrize("name", STATE)
def test_an_empty_table_is_no_mistake(engine: Engine, name: str) -> None:
    assert not is_mistake(raised(STATE[name], engine))


@pytest.mark.parametrize(
    "name", ["no row", "no row by its key", "no row to change", "no value to add to"]
)
def test_a_missing_row_is_the_databases_state_and_does_not_pass(engine: Engine, name: str) -> None:
    error = raised(STATE[name], engine)
    assert depends_on_state(error)
    assert not is_transient(error)


def led_to(cause: Exception) -> Exception:
    """An error that the code raises while it handles another one."""
    try:
        try:
            raise cause
        except Exception:
            raise ValueError("refused")  # noqa: B904
    except ValueError as error:
        return error


@pytest.mark.parametrize(
    "error",
    [
        of_server(IntegrityError, 1062, pymysql.err.IntegrityError),
        of_server(OperationalError, 1213, pymysql.err.OperationalError),
        pymysql.err.OperationalError(1205, "of the driver"),
        *(PoolTimeout("x"), MoreThanAnnounced("x"), TimeoutError()),
        led_to(of_server(IntegrityError, 1062, pymysql.err.IntegrityError)),
    ],
    ids=repr,
)
def test_locks_duplicates_and_limits_may_pass(error: Exception) -> None:
    assert is_transient(error)
    assert depends_on_state(error)


@pytest.mark.parametrize(
    "error",
    [
        *(ValueError("x"), KeyError("x"), RuntimeError("x"), FileNotFoundError("x")),
        led_to(of_server(ProgrammingError, 1146, pymysql.err.ProgrammingError)),
        led_to(KeyError("x")),
    ],
    ids=repr,
)
def test_no_state_of_the_database_explains_an_error_of_the_code(error: Exception) -> None:
    assert not depends_on_state(error)


@pytest.mark.parametrize("code", [1064, 1146, 1054, 1052, 1305, 1364, 1055, 1136])
def test_a_statement_that_no_row_makes_right_is_a_mistake(code: int) -> None:
    assert is_mistake(of_server(ProgrammingError, code, pymysql.err.ProgrammingError))
    assert is_mistake(of_server(OperationalError, code, pymysql.err.OperationalError))


@pytest.mark.parametrize(
    "code", [1062, 1451, 1452, 1048, 1205, 1213, 1020, 1406, 3572, 1040, 2006, 2013, 1142, 1290]
)
def test_rows_locks_rights_and_limits_are_no_mistakes(code: int) -> None:
    assert not is_mistake(of_server(IntegrityError, code, pymysql.err.IntegrityError))
    assert not is_mistake(of_server(OperationalError, code, pymysql.err.OperationalError))


@pytest.mark.parametrize(
    "error",
    [
        *(KeyError("x"), IndexError("x"), ValueError("x"), ZeroDivisionError(), RuntimeError("x")),
        *(OSError("x"), TimeoutError(), PoolTimeout("x"), MoreThanAnnounced("x"), AssertionError()),
    ],
    ids=repr,
)
def test_errors_of_other_kinds_are_doubtful(error: Exception) -> None:
    assert not is_mistake(error)
