"""An application with Flask-SQLAlchemy: its session and its engine are measured as they are."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import text

from loadtest.database.private_server import PrivateServer
from loadtest.model.interval import total
from loadtest.model.task_use import TaskUse
from loadtest.runfile.reader import Run, read_run
from tests.conftest import ROOT, engine_beside, values_of, without_database
from tests.processes import running, warm_locust_command

pytestmark = pytest.mark.server
SHOP = """
import os
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import Mapped, mapped_column

db = SQLAlchemy()

class Item(db.Model):
    __tablename__ = "flask_item"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]

def create_app():
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = os.environ["FLASK_SHOP_URL"]
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {
        "pool_size": 3, "max_overflow": 2, "pool_recycle": 280, "pool_pre_ping": True,
        "connect_args": {"ssl_disabled": True},
    }
    db.init_app(app)
    return app

def names():
    found = db.session.scalars(db.select(Item.name)).all()
    assert found == ["tea"]
"""
SCENARIO = """
from locust import constant, task
import time
from {module} import names
from loadtest.load import PoolUser
{app}

class Visitor(PoolUser):
    wait_time = constant(0.05)

    @task
    def browse(self):
        with {context}:
            names()
            time.sleep(0.01)
"""
MADE = "from flask_shop import create_app\napp = create_app()"
IN_SHOP = "from flask_app import app"
# Name: where the app is made, the contexts of a task, and the option.
RUNS = {
    "inside": (
        IN_SHOP,
        "self.session('browse'), app.app_context()",
        "--session flask_app:db.session",
    ),
    "outside": (
        IN_SHOP,
        "app.app_context(), self.session('browse')",
        "--session flask_app:db.session",
    ),
    "without": (IN_SHOP, "self.session('browse')", "--session flask_app:db.session"),
    "factory": (MADE, "self.session('browse')", "--session flask_shop:db.session"),
    "engine": (
        IN_SHOP,
        "app.app_context(), self.session('browse')",
        "--engine flask_app:db.engine",
    ),
}


LONG = [pytest.param(name, marks=pytest.mark.long) for name in ("inside", "outside", "factory")]


@pytest.fixture(scope="module")
def runs(
    request: pytest.FixtureRequest, server: PrivateServer, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Run]:
    """A short run of each, side by side."""
    folder = tmp_path_factory.mktemp("flask")
    (folder / "flask_shop.py").write_text(SHOP)
    (folder / "flask_app.py").write_text(
        "from flask_shop import create_app, db, names\napp = create_app()\n"
    )
    with engine_beside(server.url).begin() as connection:
        connection.execute(text("DROP TABLE IF EXISTS flask_item"))
        connection.execute(text("CREATE TABLE flask_item (id INT PRIMARY KEY, name VARCHAR(9))"))
        connection.execute(text("INSERT INTO flask_item VALUES (1, 'tea')"))
    environment = {
        **without_database(),
        "FLASK_SHOP_URL": server.url.render_as_string(hide_password=False),
        "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT), os.environ.get("PYTHONPATH", "")]),
    }
    with ExitStack() as stack:
        processes = {
            name: stack.enter_context(
                running(folder / f"{name}.log", *_command(folder, name), env=environment)
            )
            for name in values_of(request, "name")
        }
        for name, process in processes.items():
            assert process.wait() == 0, f"{name}: {process.output}"
    return {name: read_run(folder / f"{name}.jsonl") for name in processes}


def _command(folder: Path, name: str) -> list[str]:
    app, context, option = RUNS[name]
    scenario = folder / f"{name}.py"
    scenario.write_text(SCENARIO.format(module="flask_shop", app=app, context=context))
    return warm_locust_command(
        *("-f", scenario, "--headless", "--only-summary", "-u", 10, "-r", 10, "-t", "2s"),
        *("--warmup", "0s", *option.split(), "--results", folder / f"{name}.jsonl"),
    )


@pytest.mark.parametrize("name", ["without", "engine", *LONG])
def test_it_is_measured_with_its_own_pool(runs: dict[str, Run], name: str) -> None:
    run = runs[name]
    whole = total(run.intervals)
    assert run.header.application == RUNS[name][2].split()[1]
    pool = run.header.pool
    assert (pool.pool_size, pool.max_overflow, pool.pool_recycle) == (3, 2, 280)
    assert pool.pool_pre_ping
    assert whole.counters["failures"] == 0, run.intervals[-1].examples
    assert whole.counters["checkouts"] >= whole.counters["requests"] > 10
    assert max(one.gauges["in_use"].max for one in run.intervals) <= 5
    use = whole.tasks.get("browse", TaskUse())
    assert use.holds > 0
    assert (use.kept, use.nested) == (0, 0)
