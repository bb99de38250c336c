"""Driven engines: which one is meant, what is told of it, and settings that change nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.recording.driven import tool_end
from tests.recording.recorded import counted_in, python, runs_in
from tests.recording.test_steered_engines import BEGIN, Settings, asked_for


def test_a_message_says_which_engine_it_is(tmp_path: Path) -> None:
    script = """
def make():
    return create_engine(URL + "?timeout=3", pool_size=3, pool_logging_name="orders")
use(make())
print(os.getpid())
"""
    with tool_end(tmp_path) as tool:
        env = tool.environment(pool={"pool_size": 20})
        said = python(BEGIN + script, cwd=tmp_path, env=env)
        (message,) = tool.messages()
    assert message.pop("set")["pool_size"] == 20
    line = f"{BEGIN}{script}".splitlines().index("def make():") + 2
    assert message == {
        "kind": "engine",
        "pid": int(said.stdout),
        "name": "orders",
        "recording": "orders",
        "place": f"__main__:{line} make",
        "url": "sqlite:///shop.db?timeout=3",
        "through": None,
        "own": {"poolclass": "QueuePool", "pool_size": 3},
        "async": False,
        "by_url": True,
        "number": 0,
        "refused": "",
    }
    (run,) = runs_in(tmp_path / "recordings")
    assert (run.pool_name, run.header.pool.pool_size) == ("orders", 20)


SEVERAL = """
shop = create_engine(URL, pool_size=3)
audit = create_engine(URL, pool_size=2)
for _ in range(3):
    logs = create_engine("sqlite:///logs.db", pool_size=2)
    use(logs)
for engine in (shop, audit):
    use(engine)
"""


@pytest.mark.parametrize(
    ("engine", "sizes"),
    [
        ("", [20, 20, 20]),
        ("shop", [20, 20, 2]),
        ("logs", [3, 2, 20]),
        ("__main__:13 <module>", [3, 20, 2]),
        ("orders", [3, 2, 2]),
    ],
)
def test_the_engine_that_is_meant_has_this_name_or_place(
    tmp_path: Path, engine: str, sizes: list[int]
) -> None:
    with tool_end(tmp_path) as tool:
        env = tool.environment(pool={"pool_size": 20}, engine=engine)
        python(BEGIN + SEVERAL, cwd=tmp_path, env=env)
        messages = tool.messages()
    assert [one["name"] for one in messages] == ["shop", "shop", "logs"], "an engine is told once"
    assert [one["set"]["pool_size"] for one in messages] == sizes
    assert [one["own"]["pool_size"] for one in messages] == [3, 2, 2]


def test_the_pool_that_is_meant_has_a_recording_of_its_own(tmp_path: Path) -> None:
    with tool_end(tmp_path) as tool:
        env = tool.environment(pool={"pool_size": 3}, engine="__main__:13")
        python(BEGIN + SEVERAL, cwd=tmp_path, env=env)
        shop, audit, logs = tool.messages()
    assert shop["set"] == audit["set"]
    assert (audit["own"]["pool_size"], logs["set"]["pool_size"]) == (2, 2)
    recordings = {run.pool_name: counted_in(run) for run in runs_in(tmp_path / "recordings")}
    assert recordings[shop["recording"]]["checkouts"] == 1
    assert recordings[audit["recording"]]["checkouts"] == 1


def test_a_plugin_in_the_url_and_settings_of_the_application_change_nothing(
    tmp_path: Path,
) -> None:
    script = f"""
from loadtest.recording import record
from sqlalchemy.dialects import plugins
plugins.register("loadtest", "loadtest.recording.engine_plugin", "RecordingPlugin")
engine = create_engine(URL + "?plugin=loadtest&loadtest_folder={tmp_path}/elsewhere", pool_size=3)
record(engine, folder="{tmp_path}/elsewhere", on="off")
use(engine)
print(engine.url)
"""
    with tool_end(tmp_path) as tool:
        env = tool.environment(pool=asked_for("20+0"))
        said = python(BEGIN + script, cwd=tmp_path, env=env)
        (message,) = tool.messages()
    assert (said.stdout, said.stderr) == ("sqlite:///shop.db\n", "")
    assert message["own"] == {"poolclass": "QueuePool", "pool_size": 3}
    assert not (tmp_path / "elsewhere").exists()
    (run,) = runs_in(tmp_path / "recordings")
    assert counted_in(run)["checkouts"] == 1
    assert (run.header.pool.pool_size, run.header.pool.max_overflow) == (20, 0)


def test_an_engine_that_the_plugin_does_not_see_is_recorded_where_the_tool_looks(
    tmp_path: Path,
) -> None:
    script = f"""
from sqlalchemy import Engine
from loadtest.recording import record
made = create_engine("sqlite:///other.db")
engine = Engine(QueuePool(lambda: sqlite3.connect("shop.db")), made.dialect.__class__(), made.url)
record(engine, folder="{tmp_path}/elsewhere")
engine.raw_connection().close()
"""
    with tool_end(tmp_path) as tool:
        python(BEGIN + script, cwd=tmp_path, env=tool.environment())
    assert not (tmp_path / "elsewhere").exists()
    assert counted_in(*runs_in(tmp_path / "recordings"))["checkouts"] == 1


class TestRedirect:
    """The host and port of the orders replace those of the URL."""

    def messages(self, tmp_path: Path, *lines: str, **orders: Any) -> list[Settings]:
        """What engines are told with a redirect; the lines make one each."""
        with tool_end(tmp_path) as tool:
            env = tool.environment(redirect=("127.0.0.1", 4), **orders)
            script = "\n".join([BEGIN, 'SHOP = "mysql+pymysql://u:secret@db1:3307/shop"', *lines])
            said = python(script, cwd=tmp_path, env=env)
            assert said.stderr == ""
            self.said = said.stdout
            return tool.messages()

    def test_engines_connect_there(self, tmp_path: Path) -> None:
        told = self.messages(
            tmp_path,
            "print(create_engine(SHOP).url)",
            "print(create_async_engine(SHOP.replace('py', 'aio') + '?a=b').url)",
            "print(create_engine('mysql+pymysql://u@localhost').url)",
        )
        assert self.said == (
            "mysql+pymysql://u:***@127.0.0.1:4/shop\n"
            "mysql+aiomysql://u:***@127.0.0.1:4/shop?a=b\n"
            "mysql+pymysql://u@127.0.0.1:4\n"
        )
        assert [one["refused"] for one in told] == [""] * 3
        assert [one["through"] for one in told] == [["127.0.0.1", 4]] * 3

    def test_the_tool_is_told_the_address_that_the_application_gives(self, tmp_path: Path) -> None:
        told = self.messages(tmp_path, "create_engine(SHOP)", "create_engine(SHOP + '?a=b')")
        assert [one["url"] for one in told] == [
            "mysql+pymysql://u:secret@db1:3307/shop",
            "mysql+pymysql://u:secret@db1:3307/shop?a=b",
        ]

    def test_only_the_engine_that_is_meant_does(self, tmp_path: Path) -> None:
        other = "create_engine(SHOP + '_audit')"
        told = self.messages(tmp_path, "create_engine(SHOP)", other, engine="shop_audit")
        assert [one["through"] for one in told] == [None, ["127.0.0.1", 4]]

    def test_an_address_beside_the_url_is_refused(self, tmp_path: Path) -> None:
        told = self.messages(
            tmp_path,
            "create_engine(SHOP, creator=lambda: None)",
            "create_async_engine(SHOP.replace('py', 'aio'), async_creator=lambda: None)",
            "create_engine(SHOP, pool=QueuePool(lambda: None))",
            "create_engine(SHOP + '?unix_socket=/run/mysqld.sock')",
            "create_engine(SHOP, connect_args={'port': 3308})",
            "create_engine('postgresql+psycopg://u@/shop?host=db1&host=db2')",
            "create_engine('postgresql+psycopg://u@db1/shop?hostaddr=127.0.0.1')",
            "create_engine(URL)",
            pool={"pool_size": 20},
        )
        begin = "faults need the address in its URL, "
        assert [one["refused"].removeprefix(begin) for one in told] == [
            "but it connects by creator=...",
            "but it connects by creator=...",
            "but it connects by pool=...",
            "but it connects by unix_socket=...",
            "but it connects by port=...",
            "but it connects by host=...",
            "but it connects by hostaddr=...",
            "which has no host",
        ]
        assert [one["set"]["pool_size"] for one in told] == [5] * 8
        assert {str(one["through"]) for one in told} == {"None"}


def test_without_orders_an_engine_stays_as_it_is_and_nothing_is_imported(tmp_path: Path) -> None:
    names = {"driven_engine", "pool_arguments", "told", "tool_watch"}
    script = f"""
use(create_engine(URL))
modules = {{name.rpartition(".steering.")[2] for name in sys.modules}}
print(json.dumps(sorted(modules & {names})))
"""
    with tool_end(tmp_path) as tool:
        env = tool.environment(pool=asked_for("20+0"))
        driven = python(BEGIN + script, cwd=tmp_path, env=env)
        assert len(tool.messages()) == 1
        del env["LOADTEST_DRIVEN"]
        recorded = python(BEGIN + script, cwd=tmp_path, env=env)
        assert len(tool.messages()) == 1
    assert (set(json.loads(driven.stdout)), json.loads(recorded.stdout)) == (names, [])
    assert {run.header.pool.pool_size for run in runs_in(tmp_path / "recordings")} == {20, 5}


def test_a_driven_application_imports_little(tmp_path: Path) -> None:
    script = (
        BEGIN.replace("import aiosqlite\n", "")
        + """
use(create_engine(URL))
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""
    )
    with tool_end(tmp_path) as tool:
        env = tool.environment(pool=asked_for("20+0"))
        said = python(script, cwd=tmp_path, env=env)
    imported = set(json.loads(said.stdout))
    assert "loadtest" in imported
    assert not imported & {"pydantic", "typer", "locust", "gevent", "hdrh", "msgspec", "psutil"}


@pytest.mark.parametrize("orders", ['{"tell": 3, "pool": []}', "no JSON"])
def test_orders_that_make_no_sense_do_not_keep_the_application_from_starting(
    tmp_path: Path, orders: str
) -> None:
    with tool_end(tmp_path) as tool:
        env = {**tool.environment(), "LOADTEST_DRIVEN": orders}
        said = python(BEGIN + "use(create_engine(URL)); print('done')", cwd=tmp_path, env=env)
    assert said.stdout == "done\n"
