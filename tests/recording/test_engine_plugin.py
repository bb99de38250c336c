"""The plugin: an engine is recorded because its URL or its arguments say so."""

from __future__ import annotations

import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from loadtest.recording.engine_plugin import RecordingPlugin
from tests.conftest import ROOT
from tests.recording.recorded import ASYNC_APPLICATION, counted_in, python, runs_in

# In an installation the entry point does this.
REGISTER = """
from sqlalchemy.dialects import plugins
plugins.register("loadtest", "loadtest.recording.engine_plugin", "RecordingPlugin")
from sqlalchemy import create_engine, engine_from_config, event
def use(engine):
    with engine.connect() as connection:
        connection.exec_driver_sql("SELECT 1")
    engine.dispose()
"""


def test_sqlalchemy_finds_it_by_its_name() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    ((name, value),) = project["entry-points"]["sqlalchemy.plugins"].items()
    assert name == "loadtest"
    assert EntryPoint(name, value, "sqlalchemy.plugins").load() is RecordingPlugin


@pytest.mark.parametrize(
    "made",
    [
        'create_engine("sqlite:///shop.db?plugin=loadtest")',
        'create_engine("sqlite:///shop.db", plugins=["loadtest"])',
        'create_engine("sqlite:///shop.db?plugin=loadtest", plugins=["loadtest"])',
        'engine_from_config({"sqlalchemy.url": "sqlite:///shop.db?plugin=loadtest"})',
    ],
)
def test_an_engine_is_recorded(tmp_path: Path, made: str) -> None:
    said = python(f"{REGISTER}use({made})", cwd=tmp_path)
    assert said.stderr == ""
    (run,) = runs_in(tmp_path / "recordings")
    assert run.pool_name == "shop"
    assert counted_in(run)["checkouts"] == 1


def test_an_async_engine_is_recorded(tmp_path: Path) -> None:
    script = ASYNC_APPLICATION.format(address="sqlite+aiosqlite:///shop.db?plugin=loadtest")
    said = python(REGISTER + script, cwd=tmp_path)
    assert said.stderr == ""
    (run,) = runs_in(tmp_path / "recordings")
    assert counted_in(run)["checkouts"] == 1


def test_settings_in_the_url_do_not_reach_the_driver(tmp_path: Path) -> None:
    settings = f"loadtest_folder={tmp_path}/elsewhere&loadtest_name=orders"
    script = f"""
engine = create_engine("sqlite:///shop.db?plugin=loadtest&{settings}&timeout=3")
print(engine.url)
use(engine)
"""
    said = python(REGISTER + script, cwd=tmp_path)
    assert (said.stdout, said.stderr) == ("sqlite:///shop.db?timeout=3\n", "")
    assert not (tmp_path / "recordings").exists()
    (run,) = runs_in(tmp_path / "elsewhere")
    assert run.header.name == "orders"


def test_a_wrong_setting_does_not_keep_the_application_from_starting(tmp_path: Path) -> None:
    settings = "loadtest_colour=green&loadtest_engine=x&loadtest_megabytes_per_hour=x"
    url = f"sqlite:///shop.db?plugin=loadtest&{settings}"
    said = python(f"{REGISTER}use(create_engine({url!r}))", cwd=tmp_path)
    assert "recording: unknown setting colour; use folder, name, " in said.stderr
    assert "recording: unknown setting engine" in said.stderr
    assert "recording: megabytes_per_hour is ignored" in said.stderr
    (run,) = runs_in(tmp_path / "recordings")
    assert counted_in(run)["checkouts"] == 1


def test_without_numpy_the_application_starts_unrecorded(tmp_path: Path) -> None:
    hidden = "import sys; sys.modules['numpy'] = None\n"
    made = 'create_engine("sqlite:///shop.db?plugin=loadtest")'
    said = python(f"{hidden}{REGISTER}use({made})", cwd=tmp_path)
    assert "recording is switched off: import of numpy halted" in said.stderr
    assert not (tmp_path / "recordings").exists()


def test_with_an_old_sqlalchemy_the_application_starts_unrecorded(tmp_path: Path) -> None:
    old = "import sqlalchemy; sqlalchemy.__version__ = '1.4.54'\n"
    made = 'create_engine("sqlite:///shop.db?plugin=loadtest")'
    said = python(f"{old}{REGISTER}use({made})", cwd=tmp_path)
    assert "recording is switched off: SQLAlchemy 1.4.54 is too old" in said.stderr
    assert not (tmp_path / "recordings").exists()
