"""Scenarios for existing models: found in a module, filled by their constraints, run unchanged."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Engine, event, func, select
from sqlalchemy.orm import Session

from loadtest.experiment.scenario_writer.models import Models, find_models
from loadtest.experiment.scenario_writer.scenario_text import scenario_gaps, scenario_text
from loadtest.experiment.scenario_writer.table_rows import rows_of
from loadtest.load import PoolUser
from loadtest.model.errors import UsageError
from tests.scenario_writer.blogs import BLOG, CORE, STAFF, Write


class Scenario:
    """A written scenario, imported, with its tables in a database."""

    def __init__(self, models: Models, engine: Engine) -> None:
        self.text, self.engine = scenario_text(models), engine
        names: dict[str, Any] = {"__name__": "written_load"}
        exec(compile(self.text, "written_load.py", "exec"), names)
        (self.user,) = (
            thing
            for thing in names.values()
            if isinstance(thing, type) and issubclass(thing, PoolUser) and thing is not PoolUser
        )
        self.user.metadata.create_all(engine)
        with Session(engine) as session:
            self.user.fill(session, None)
            session.commit()

    @contextmanager
    def session(self, name: str) -> Iterator[Session]:
        with Session(self.engine) as session:
            yield session

    def count(self, table: str) -> int:
        with Session(self.engine) as session:
            found = select(func.count()).select_from(self.user.metadata.tables[table])
            return session.scalar(found) or 0

    def run(self) -> list[str]:
        """Run each task a few times; returns their names."""
        tasks = list(dict.fromkeys(self.user.tasks))
        me = SimpleNamespace(random=Random(1), session=self.session)
        for _ in range(5):
            for task in tasks:
                task(me)
        return [task.__name__ for task in tasks]


def test_all_tables_are_filled_by_their_constraints_and_all_tasks_run(
    write: Write, engine: Engine
) -> None:
    scenario = Scenario(find_models(write(BLOG)), engine)
    assert scenario.run() == ["read", "read_related", "write"]
    assert {name: scenario.count(name) for name in scenario.user.metadata.tables} == {
        "author": 1000,
        "category": 99,  # of two characters
        "post": 1000,
        "post_tag": 1000,
        "profile": 1000,
        "tag": 2,  # of a status each
    }


def test_tasks_use_the_classes_and_their_relationships(write: Write, engine: Engine) -> None:
    text = Scenario(find_models(write(BLOG)), engine).text
    assert "from written import models\n" in text
    assert "    metadata = models.Base.metadata\n" in text
    assert "class WrittenUser(PoolUser):\n" in text
    assert "session.get_one(models.Post, n, options=[joinedload(models.Post.author)])" in text
    assert "session.get_one(models.Post, n, with_for_update=True).heading = " in text
    assert '"token"' not in text, "a default makes it"
    assert '"made"' not in text
    assert '"parent_code"' not in text, "it may be NULL"


def test_columns_that_are_left_to_their_defaults_are_named(write: Write, engine: Engine) -> None:
    text = Scenario(find_models(write(BLOG)), engine).text
    (comment,) = (line.strip() for line in text.splitlines() if "defaults" in line)
    assert comment == "# Left to their defaults: made, token"


def test_imports_are_in_the_usual_order(write: Write) -> None:
    text = scenario_text(find_models(write(BLOG)))
    _, _, imports = text.partition('"""\n\n')
    assert imports.startswith(
        "import datetime\nimport uuid\n\nfrom loadtest.load import PoolUser\n"
        "from locust import between, task\nfrom sqlalchemy import insert\n"
        "from sqlalchemy.orm import joinedload\n\nfrom written import models\n\ntables ="
    )


def test_what_a_task_writes_is_new(write: Write, engine: Engine) -> None:
    scenario, changed = Scenario(find_models(write(BLOG)), engine), []
    event.listen(
        engine,
        "before_cursor_execute",
        lambda *given: changed.append(given[2]) if given[2].startswith("UPDATE") else None,
    )
    scenario.run()
    assert changed


def test_tables_without_classes_are_read_by_foreign_keys(write: Write, engine: Engine) -> None:
    scenario = Scenario(find_models(write(CORE, "written")), engine)
    assert scenario.run() == ["read", "read_related", "write"]
    assert "import written\n" in scenario.text
    assert "tables = written.metadata.tables\n" in scenario.text
    assert 'select(table, other).join(other, table.c["shelf-id"] == other.c.id)' in scenario.text


def test_rows_of_classes_with_subclasses_have_a_kind(write: Write, engine: Engine) -> None:
    scenario = Scenario(find_models(write(STAFF)), engine)
    assert scenario.run() == ["read", "read_related", "write"]
    assert '"kind": "manager"' in scenario.text
    assert scenario.count("manager") == scenario.count("person") == 1000


def test_a_number_with_a_condition_is_small(write: Write) -> None:
    models = find_models(write(BLOG))
    rows = rows_of(models.metadata, models.discriminators)
    post = models.metadata.tables["post"]
    assert rows[post].code(post.c.rating) == "1"
    assert rows[post].code(post.c.author_id) == "n % 100 + 1"


PLACES = """
from sqlalchemy import Column, Integer, MetaData, Table
from sqlalchemy.types import UserDefinedType

class Point(UserDefinedType):
    cache_ok = True

metadata = MetaData()
Table(
    "place",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("centre", Point, nullable=NULLABLE),
)
"""


def test_a_value_of_an_unknown_type_is_left_out_or_left_to_write(write: Write) -> None:
    models = find_models(write(PLACES.replace("NULLABLE", "True")))
    (rows,) = rows_of(models.metadata, {}).values()
    assert [column.name for column in rows.columns] == ["id"]

    models = find_models(write(PLACES.replace("NULLABLE", "False"), "written.others"))
    text = scenario_text(models)
    line = next(one for one in text.splitlines() if "value_to_write" in one)
    assert line.strip() == '"centre": value_to_write,  # a value for Point()'
    assert scenario_gaps(models)[0] == (
        "Column place.centre: replace value_to_write with a value for Point()"
    )
    names: dict[str, Any] = {"__name__": "written_load"}
    exec(compile(text, "written_load.py", "exec"), names)
    with pytest.raises(NameError) as error:
        names["WrittenUser"].fill(SimpleNamespace(execute=list.append), None)
    last = traceback.extract_tb(error.value.__traceback__)[-1]
    assert text.splitlines()[(last.lineno or 0) - 1] == line, "the trial names this line"


CYCLE = """
from sqlalchemy import Column, ForeignKey, Integer, MetaData, Table

metadata = MetaData()
for one, other in (("a", "b"), ("b", "a")):
    Table(
        one,
        metadata,
        Column("id", Integer, primary_key=True),
        Column("other_id", ForeignKey(f"{other}.id"), nullable=NULLABLE),
    )
"""


def test_tables_that_need_each_other_leave_a_key_to_write_unless_it_may_be_null(
    write: Write,
) -> None:
    models = find_models(write(CYCLE.replace("NULLABLE", "one == 'b'")))
    rows = list(rows_of(models.metadata, {}).values())
    assert [[column.name for column in one.columns] for one in rows] == [["id"], ["id", "other_id"]]

    models = find_models(write(CYCLE.replace("NULLABLE", "False"), "written.others"))
    first, second = rows_of(models.metadata, {}).values()
    assert first.code(first.table.c.other_id) == "value_to_write"
    assert second.code(second.table.c.other_id) == "n % 100 + 1"
    assert scenario_gaps(models) == [
        "Column a.other_id: replace value_to_write with the key of a row of b (both tables need "
        "rows of each other)",
        "2 reads, no write: no table has a column to change",
    ]


ONLY_KEYS = """
from sqlalchemy import Column, ForeignKey, Integer, MetaData, String, Table

metadata = MetaData()
Table("author", metadata, Column("id", Integer, primary_key=True), NAME)
Table(
    "post",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("author_id", ForeignKey("author.id"), nullable=False),
)
"""


def test_a_table_without_a_column_to_change_leaves_the_write_to_another(
    write: Write, engine: Engine
) -> None:
    name = 'Column("name", String(40), nullable=False)'
    models = find_models(write(ONLY_KEYS.replace("NAME", name), "written"))
    scenario = Scenario(models, engine)
    assert scenario.run() == ["read", "read_related", "write"]
    assert 'self.session("read post")' in scenario.text
    assert 'self.session("write author")' in scenario.text
    assert scenario_gaps(models) == []


def test_a_scenario_without_a_write_says_so(write: Write) -> None:
    models = find_models(write(ONLY_KEYS.replace(", NAME", ""), "written.others"))
    assert "def write" not in scenario_text(models)
    assert scenario_gaps(models) == ["2 reads, no write: no table has a column to change"]


SEVERAL = """
from sqlalchemy import Column, Integer, MetaData, Table
first, second, empty = MetaData(), MetaData(), MetaData()
Table("one", first, Column("id", Integer, primary_key=True))
Table("two", second, Column("id", Integer, primary_key=True))
class Db:
    metadata = second
db = Db()
"""


def test_one_of_several_is_chosen_by_its_name(write: Write) -> None:
    name = write(SEVERAL)
    with pytest.raises(UsageError, match=r"choose one of written\.models:[\w.]+, written\.m"):
        find_models(name)
    assert find_models(f"{name}:first").path == "first"
    assert list(find_models(f"{name}:db").metadata.tables) == ["two"]
    with pytest.raises(UsageError, match=r"empty of written\.models has no tables"):
        find_models(f"{name}:empty")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\n", r"written\.models has no tables: name a declarative base or a MetaData"),
        ("\nimport no_such_module\n", r"models\.py, line 2: ModuleNotFoundError: No module named"),
        ("raise SystemExit('set SHOP')\n", r"models\.py, line 1: SystemExit: set SHOP"),
    ],
)
def test_a_module_without_models_is_refused(write: Write, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        find_models(write(text))


def test_the_path_of_a_module_is_refused_with_its_name(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(CORE)
    with pytest.raises(UsageError, match=r"MODULE:NAME: use --models written\.models$"):
        find_models("written/models.py")
    with pytest.raises(UsageError, match="written has no module moddels; it has models"):
        find_models("written.moddels")


def test_a_module_that_is_not_there_is_named() -> None:
    with pytest.raises(UsageError, match="there is no module nowhere_at_all: start loadtest in"):
        find_models("nowhere_at_all.models")
    with pytest.raises(UsageError, match=r"write MODULE or MODULE:NAME, like blog\.models"):
        find_models("models.py")
