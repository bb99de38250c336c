"""Sessions and engines of Flask-SQLAlchemy, which need an application context."""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import gevent
import pytest
from flask import current_app, has_app_context

from loadtest.database.application import Application, find_application
from loadtest.load.setup.application_pool import _check_greenlets
from loadtest.model.errors import UsageError

MODULE = """
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

db = SQLAlchemy()

def create_app(**more):
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = "mysql+pymysql://me:s3cr3t@127.0.0.1:9/x"
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {"pool_size": 3, "max_overflow": 2}
    app.config.update(more)
    db.init_app(app)
    return app
"""
APP = "app = create_app()\n"
TWO = "app = create_app(SQLALCHEMY_BINDS={'log': 'mysql+pymysql://me:s3cr3t@127.0.0.1:9/log'})\n"
_number = count()


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Writes a module of a Flask application; its name is one that no other test has."""
    monkeypatch.setattr(sys, "path", [*sys.path])

    def write(more: str = "", text: str = MODULE) -> str:
        name = f"flask_shop{next(_number)}"
        (tmp_path / f"{name}.py").write_text(text + more)
        return name

    return write


def found(folder: Path, session: str = "", engine: str = "") -> Application:
    application = find_application(session, engine, [folder])
    assert application
    return application


@pytest.fixture
def shop(written: Callable[..., str], tmp_path: Path) -> tuple[Any, Any]:
    """The module of an application with one Flask app, and the parent session found in it."""
    name = written(APP)
    parent = found(tmp_path, session=f"{name}:db.session").parent
    return sys.modules[name], parent


def refused(folder: Path, **named: str) -> str:
    with pytest.raises(UsageError) as error:
        found(folder, **named)
    assert "s3cr3t" not in str(error.value)
    return str(error.value)


def test_the_session_of_an_app_brings_its_engine(
    written: Callable[..., str], tmp_path: Path
) -> None:
    name = written(APP)
    application = found(tmp_path, session=f"{name}:db.session")
    module: Any = sys.modules[name]
    with module.app.app_context():
        assert application.engine is module.db.engine
    assert application.engine.pool.size() == 3
    assert application.shared


def test_an_engine_is_found_in_the_context_of_its_app(
    written: Callable[..., str], tmp_path: Path
) -> None:
    name = written(APP)
    application = found(tmp_path, engine=f"{name}:db.engine")
    assert application.engine.pool.size() == 3
    assert not application.shared


def test_the_app_may_be_made_in_another_module(written: Callable[..., str], tmp_path: Path) -> None:
    name = written()
    other = written(f"from {name} import create_app, db\napp = create_app()\n", text="")
    assert "no imported module has one" in refused(tmp_path, session=f"{name}:db.session")
    assert "no imported module has one" in refused(tmp_path, engine=f"{name}:db.engine")
    assert found(tmp_path, session=f"{other}:db.session").engine.pool.size() == 3
    assert found(tmp_path, session=f"{name}:db.session").shared


def test_a_session_without_a_context_gets_one_until_the_task_ends(shop: tuple[Any, Any]) -> None:
    module, parent = shop
    session = parent()
    assert current_app.name == module.__name__
    assert module.db.session() is session
    session.close()
    parent.remove()
    parent.registry.clear()
    assert not has_app_context()


def test_a_session_in_a_context_is_the_one_of_that_context(shop: tuple[Any, Any]) -> None:
    module, parent = shop
    with module.app.app_context():
        first = module.db.session()
        assert parent() is first
        assert parent() is first, "a session inside another one"
        parent.registry.clear()
        assert has_app_context()
        parent.registry.clear()
        assert module.db.session() is not first
    assert not has_app_context()


def test_a_session_that_cannot_be_made_leaves_no_context_behind(shop: tuple[Any, Any]) -> None:
    module, parent = shop
    module.db.session.registry.createfunc = lambda: 1 / 0
    with pytest.raises(ZeroDivisionError):
        parent()
    assert not has_app_context()


def test_every_user_has_a_session_of_its_own(written: Callable[..., str], tmp_path: Path) -> None:
    application = found(tmp_path, session=f"{written(APP)}:db.session")
    _check_greenlets(application)
    sessions = []

    def work() -> None:
        sessions.append(application.parent())
        gevent.sleep(0)
        application.parent.registry.clear()

    gevent.joinall([gevent.spawn(work) for _ in range(2)], raise_error=True)
    assert len(set(map(id, sessions))) == 2


def test_an_app_with_several_engines_is_refused_with_what_to_name(
    written: Callable[..., str], tmp_path: Path
) -> None:
    name = written(TWO + "with app.app_context(): log = db.engines['log']\n")
    problem = refused(tmp_path, session=f"{name}:db.session")
    assert "choose among several engines ('log', None)" in problem
    assert "with app.app_context(): engine = db.engines[KEY]" in problem
    assert found(tmp_path, engine=f"{name}:log").url.database == "log"
    assert found(tmp_path, engine=f"{name}:db.engine").url.database == "x"


@pytest.mark.parametrize("option", ["session", "engine"])
def test_the_extension_itself_is_refused_with_what_to_name(
    written: Callable[..., str], tmp_path: Path, option: str
) -> None:
    name = written(APP)
    assert refused(tmp_path, **{option: f"{name}:db"}).endswith(
        f"use --{option} {name}:db.{option}"
    )
    assert found(tmp_path, **{option: f"{name}:db.{option}"})


@pytest.mark.parametrize("option", ["session", "engine"])
@pytest.mark.parametrize("thing", ["app", "db.Session", "create_app", "Flask"])
def test_other_things_of_an_app_are_refused_with_its_extension(
    written: Callable[..., str], tmp_path: Path, option: str, thing: str
) -> None:
    name = written(APP)
    problem = refused(tmp_path, **{option: f"{name}:{thing}"})
    assert problem.endswith(f": use --{option} {name}:db.{option}")
