"""Functions that hand out sessions: the sessionmaker behind them is found, or what to name."""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from loadtest.database.application import Application, find_application
from loadtest.model.errors import UsageError

MODULE = """
from contextlib import contextmanager
from sqlalchemy import create_engine
from sqlalchemy.orm import Session, scoped_session, sessionmaker

engine = create_engine("mysql+pymysql://me:s3cr3t@127.0.0.1:9/x", pool_size=3)
class Own(Session):
    pass
"""
DEPENDENCY = """
SessionLocal = sessionmaker(engine, class_=Own, expire_on_commit=False)
def get_db():
    db = SessionLocal()
    try:
        yield db
    finally:
        closed.append(db)
        db.close()
closed = []
"""
_number = count()


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Writes a module with an engine and more; its name is one that no other test has."""
    monkeypatch.setattr(sys, "path", [*sys.path])

    def write(more: str) -> str:
        name = f"dependency{next(_number)}"
        (tmp_path / f"{name}.py").write_text(MODULE + more)
        return name

    return write


def found(folder: Path, session: str) -> Application:
    application = find_application(session, "", [folder])
    assert application
    return application


def refused(folder: Path, **named: str) -> str:
    with pytest.raises(UsageError) as error:
        find_application(named.get("session", ""), named.get("engine", ""), [folder])
    assert "s3cr3t" not in str(error.value)
    return str(error.value)


def test_the_sessionmaker_that_a_dependency_uses_makes_the_sessions(
    written: Callable[[str], str], tmp_path: Path
) -> None:
    name = written(DEPENDENCY)
    application, module = found(tmp_path, f"{name}:get_db"), sys.modules[name]
    assert application.engine is module.engine
    assert application.parent.session_factory is module.SessionLocal
    assert not application.shared
    assert module.closed == [], "it was not called"


def test_a_scoped_session_that_a_function_uses_is_shared_with_the_application(
    written: Callable[[str], str], tmp_path: Path
) -> None:
    name = written("Parent = scoped_session(sessionmaker(engine))\ndef get(): return Parent()\n")
    application = found(tmp_path, f"{name}:get")
    assert application.parent is sys.modules[name].Parent
    assert application.shared


@pytest.mark.parametrize(
    "more",
    [
        "def get_db():\n    with Own(engine) as session:\n        yield session\n",
        "@contextmanager\ndef get_db():\n    with Own(engine) as session:\n        yield session\n",
        "def get_db(): return Own(engine)\n",
        "class Settings: make = sessionmaker(engine, class_=Own)\n"
        "def get_db():\n    yield Settings.make()\n",
        "def get_db(): return sessionmaker(engine, class_=Own)\n",
    ],
)
def test_a_function_that_names_no_sessionmaker_is_called_for_its_engine(
    written: Callable[[str], str], tmp_path: Path, more: str
) -> None:
    name = written(more)
    application, module = found(tmp_path, f"{name}:get_db"), sys.modules[name]
    session: Any = application.parent()
    assert application.engine is module.engine
    assert isinstance(session, module.Own)
    assert session.bind is module.engine


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ("def get_db(request): yield Own(engine)\n", ":get_db is a function, not a scoped_"),
        ("def get_db(): yield 3\n", "not a scoped_session or sessionmaker: use --engine "),
        ("def get_db(): yield 1 / 0\n", "its call failed: ZeroDivisionError"),
        ("async def get_db(): yield Own(engine)\n", "is async"),
        ("async def get_db(): return Own(engine)\n", "is async"),
    ],
)
def test_a_function_without_a_session_is_refused_with_the_reason(
    written: Callable[[str], str], tmp_path: Path, more: str, problem: str
) -> None:
    assert problem in refused(tmp_path, session=f"{written(more)}:get_db")


def test_a_refusal_has_the_name_that_works(written: Callable[[str], str], tmp_path: Path) -> None:
    name = written("Local = sessionmaker(engine)\ndef get(request): return request.db\n")
    assert refused(tmp_path, session=f"{name}:get").endswith(f": use --session {name}:Local")
    assert refused(tmp_path, engine=f"{name}:get").endswith(f": use --engine {name}:engine")
    assert found(tmp_path, f"{name}:Local").engine is sys.modules[name].engine
