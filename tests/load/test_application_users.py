"""Users of an application: the sessions that they get, and the applications that are refused."""

from locust import task
from locust.argument_parser import get_parser
from locust.env import Environment
from locust.event import Events

import subprocess
import sys
from argparse import Namespace
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gevent
import pytest
from greenlet import getcurrent
from sqlalchemy import URL, text

from loadtest.database.application import Application
from loadtest.load import PoolUser
from loadtest.load.engine_under_test import EngineUnderTest
from loadtest.load.setup.application_pool import load_application, measured_pool
from loadtest.model.errors import UsageError
from tests.conftest import ROOT

SHOP = """
from greenlet import getcurrent
from sqlalchemy import create_engine
from sqlalchemy.orm import Session as Plain, scoped_session, sessionmaker

engine = create_engine({url!r}, connect_args={{"ssl_disabled": True}}, pool_size=2, max_overflow=0)

class Own(Plain):
    pass

Session = scoped_session(sessionmaker(engine, class_=Own, expire_on_commit=False))
ByGreenlet = scoped_session(sessionmaker(engine), scopefunc=lambda: id(getcurrent()))
ForAll = scoped_session(sessionmaker(engine), scopefunc=lambda: 1)

def context():
    raise RuntimeError("working outside of application context")

InContext = scoped_session(sessionmaker(engine), scopefunc=context)
"""
_number = count()


class Customer(PoolUser):
    @task
    def nothing(self) -> None:
        pass


@pytest.fixture
def shop(tmp_path: Path, url: URL, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module that is an application, on the real database."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    name = f"shop_for_users{next(_number)}"
    source = SHOP.format(url=url.render_as_string(hide_password=False))
    (tmp_path / f"{name}.py").write_text(source)
    return name


def environment_of(folder: Path, session: str = "", engine: str = "", **more: Any) -> Namespace:
    options = {"session": session, "engine": engine, "database_url": "", **more}
    return Namespace(parsed_options=Namespace(**options), parsed_locustfiles=[str(folder / "x.py")])


def found_in(folder: Path, session: str = "", engine: str = "") -> Application:
    application = load_application(environment_of(folder, session, engine))
    assert application
    return application


class Scene:
    """A user on a target that is an application's."""

    def __init__(self, application: Application) -> None:
        arguments = ["--engine", application.name, "--poolclass", "as-is"]
        options = get_parser(default_config_files=[]).parse_args(arguments)
        pool = measured_pool(options, application)
        given = {"tls": False, "process": "here", "application": application}
        self.target = EngineUnderTest(application.url, pool, options, **given)
        environment = Environment(user_classes=[Customer], events=Events())
        environment.loadtest = SimpleNamespace(target=self.target)
        self.user = Customer(environment)

    @property
    def checked_out(self) -> int:
        return self.target.checked_out()


@pytest.mark.server
class TestSessions:
    """What `self.session(name)` gives."""

    def test_a_child_of_the_applications_own_parent(self, tmp_path: Path, shop: str) -> None:
        application = found_in(tmp_path, f"{shop}:Session")
        scene, module = Scene(application), sys.modules[shop]
        with scene.user.session("buy") as session:
            assert isinstance(session, module.Own)
            assert session.expire_on_commit is False
            assert module.Session() is session
            module.Session.execute(text("SELECT 1"))
            assert scene.checked_out == 1
        assert scene.checked_out == 0
        assert not module.Session.registry.has()
        interval = scene.target.recorder.cut("measured")
        assert interval.counters["checkouts"] == interval.counters["requests"] == 1
        scene.target.close()

    def test_every_user_has_its_own(self, tmp_path: Path, shop: str) -> None:
        scene = Scene(found_in(tmp_path, f"{shop}:Session"))
        met = []

        def work(name: str) -> None:
            with scene.user.session(name):
                met.append(sys.modules[shop].Session())
                gevent.sleep(0.01)

        gevent.joinall([gevent.spawn(work, "a"), gevent.spawn(work, "b")], raise_error=True)
        assert len(set(map(id, met))) == 2
        scene.target.close()

    def test_what_the_application_began_after_a_remove_is_given_back_too(
        self, tmp_path: Path, shop: str
    ) -> None:
        scene, session = Scene(found_in(tmp_path, f"{shop}:Session")), sys.modules[shop].Session
        with scene.user.session("handler") as first:
            first.execute(text("SELECT 1"))
            session.remove()
            session.execute(text("SELECT 2"))
            kept = session()
            assert kept is not first
        assert scene.checked_out == 0
        assert not kept.in_transaction()
        scene.target.close()

    def test_a_session_that_the_application_left_open_is_what_its_user_goes_on_with(
        self, tmp_path: Path, shop: str
    ) -> None:
        scene, session = Scene(found_in(tmp_path, f"{shop}:Session")), sys.modules[shop].Session
        left = session()
        with scene.user.session("next") as mine:
            assert mine is left
        assert not session.registry.has()
        scene.target.close()

    def test_with_an_engine_they_are_ordinary_ones_on_it(self, tmp_path: Path, shop: str) -> None:
        scene, module = Scene(found_in(tmp_path, engine=f"{shop}:engine")), sys.modules[shop]
        with scene.user.session("buy") as session:
            assert session.bind is module.engine
            assert module.Session() is not session
        module.Session.remove()
        scene.target.close()

    def test_a_scopefunc_that_tells_users_apart_is_used(self, tmp_path: Path, shop: str) -> None:
        application = found_in(tmp_path, f"{shop}:ByGreenlet")
        scene = Scene(application)
        with scene.user.session("buy") as session:
            assert application.parent.registry.registry == {id(getcurrent()): session}
        assert application.parent.registry.registry == {}
        scene.target.close()


@pytest.mark.server
@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("ForAll", "returns the same value for all users"),
        ("InContext", "fails: working outside of app"),
    ],
)
def test_a_scopefunc_that_does_not_tell_users_apart_is_refused(
    tmp_path: Path, shop: str, name: str, problem: str
) -> None:
    with pytest.raises(UsageError) as refused:
        found_in(tmp_path, f"{shop}:{name}")
    assert f"{shop}:{name}: the scopefunc of its scoped_session {problem}" in str(refused.value)


@pytest.mark.server
def test_an_application_and_the_address_of_another_database_are_too_much(
    tmp_path: Path, shop: str, url: URL
) -> None:
    address = url.set(database="another").render_as_string(hide_password=False)
    with pytest.raises(UsageError, match="has its own database") as refused:
        load_application(environment_of(tmp_path, "", f"{shop}:engine", database_url=address))
    assert str(url.password) not in str(refused.value)


LATE = """
import sys
sys.path.insert(0, {folder!r})
import {shop}
import locust
from argparse import Namespace
from loadtest.load.setup.application_pool import load_application
options = Namespace(session="{shop}:Session", engine="", database_url="")
load_application(Namespace(parsed_options=options, parsed_locustfiles=[]))
"""


@pytest.mark.server
@pytest.mark.parametrize(
    ("skip", "problem"),
    [("", "import locust first"), ("1", "gevent must patch this process")],
)
def test_sessions_that_all_users_would_share_are_refused(
    tmp_path: Path, shop: str, skip: str, problem: str
) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", LATE.format(folder=str(tmp_path), shop=shop)],
        env={"PYTHONPATH": str(ROOT), "LOCUST_SKIP_MONKEY_PATCH": skip},
        capture_output=True,
        text=True,
        check=False,
    )
    assert problem in ended.stderr
