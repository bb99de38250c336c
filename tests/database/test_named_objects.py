"""A wrong --session or --engine is refused with the option that works."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from loadtest.database.application import Application, find_application
from loadtest.model.errors import UsageError

DB = """
from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker
engine = create_engine("mysql+pymysql://me:s3cr3t@127.0.0.1:9/x")
SessionLocal = sessionmaker(engine)
"""
MODELS = """
from sqlalchemy.orm import DeclarativeBase
from blog import db
class Base(DeclarativeBase):
    pass
def get_db(request):
    return request.db
session, number, nothing = db.SessionLocal(), 3, None
"""
ODD = """
from sqlalchemy import create_engine
def get_engine():
    return create_engine("mysql+pymysql://me:s3cr3t@127.0.0.1:9/x")
"""
FILES = {
    "blog/__init__.py": "",
    "blog/db.py": DB,
    "blog/models.py": MODELS,
    "blog/posts.py": "",
    "odd.py": ODD,
}


@pytest.fixture(autouse=True)
def blog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package of an application in the current folder."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in ("blog", "odd"):
            del sys.modules[name]


def found(option: str, name: str) -> Application | None:
    return find_application(name, "") if option == "session" else find_application("", name)


def refused(option: str, name: str) -> str:
    with pytest.raises(UsageError) as refusal:
        found(option, name)
    return str(refusal.value)


@pytest.mark.parametrize(
    ("option", "name", "right"),
    [
        ("session", "blog.db:engine", "--engine blog.db:engine"),
        ("engine", "blog.db:SessionLocal", "--session blog.db:SessionLocal"),
        ("session", "blog.db:Session", "--session blog.db:SessionLocal"),
        ("session", "blog.models:Base", "--session blog.db:SessionLocal"),
        ("session", "blog.models:get_db", "--session blog.db:SessionLocal"),
        ("session", "blog.models:session", "--session blog.db:SessionLocal"),
        ("session", "blog.models:number", "--session blog.db:SessionLocal"),
        ("session", "blog.models:nothing", "--session blog.db:SessionLocal"),
        ("engine", "blog.models:Base", "--engine blog.db:engine"),
        ("session", "blog.db.SessionLocal", "--session blog.db:SessionLocal"),
        ("session", "blog/db.py:SessionLocal", "--session blog.db:SessionLocal"),
        ("session", "./blog/db.py", "--session blog.db:SessionLocal"),
        ("session", "blog.db", "--session blog.db:SessionLocal"),
        ("engine", "blog.db", "--engine blog.db:engine"),
        ("engine", "blog.models.db.engine", "--engine blog.models:db.engine"),
    ],
)
def test_a_refusal_ends_with_the_option_that_works(option: str, name: str, right: str) -> None:
    problem = refused(option, name)
    assert problem.startswith(f"--{option} {name}")
    assert problem.endswith(f": use {right}")
    flag, _, address = right.partition(" ")
    assert found(flag.removeprefix("--"), address)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("blog.models:Base", "is the class Base, not a scoped_session or sessionmaker: "),
        ("blog.models:number", "is an int, not a scoped_session or sessionmaker: "),
        ("blog.models:nothing", "is None, not a scoped_session or sessionmaker: "),
    ],
)
def test_what_is_named_is_told_in_one_sentence(name: str, what: str) -> None:
    assert refused("session", name).startswith(f"--session {name} {what}")


def test_a_function_that_makes_an_engine_is_refused_with_a_way() -> None:
    assert refused("engine", "odd:get_engine") == (
        "--engine odd:get_engine is a function, not an Engine: keep what it returns, with engine = "
        "get_engine(), and name that"
    )


def test_nothing_that_fits_is_said_so() -> None:
    problem = refused("session", "odd:Session")
    assert problem.endswith("odd has no Session, and no imported module has an object that fits")
    assert refused("session", "blog.posts:Post").endswith(
        " has an object that fits (the modules of blog are db, models, posts)"
    )


def test_a_module_that_a_package_does_not_have_is_refused_with_those_that_it_has() -> None:
    assert refused("session", "blog.dbx:SessionLocal").endswith(
        ": blog has no module dbx; it has db, models, posts"
    )
    assert refused("session", "blog.db.deep:SessionLocal").endswith(
        ": blog.db is a module, not a package; for a name in it write blog.db:deep"
    )


@pytest.mark.parametrize(
    ("name", "folder"), [("blok.db:Session", "blok/"), ("stall:Session", "stall.py")]
)
def test_a_module_that_is_not_there_is_refused_with_the_folder_to_name(
    name: str, folder: str
) -> None:
    pattern = f"start loadtest in the folder that contains {folder}, or add that folder to PYTHONP"
    assert re.search(re.escape(pattern), refused("session", name))
