"""The text of a scenario for existing models: rows, a read, a read of related rows, a write."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from textwrap import indent, wrap
from typing import Any

from sqlalchemy import Column, Table
from sqlalchemy.orm import Mapper, RelationshipDirection, RelationshipProperty

from loadtest.analysis.units import plural
from loadtest.experiment.scenario_writer.column_values import literal
from loadtest.experiment.scenario_writer.models import Models
from loadtest.experiment.scenario_writer.table_rows import TO_WRITE, TableRows, rows_of

_SCENARIO = '''"""Load on the tables of {models}, written by `loadtest init`.

Change rows and tasks until they resemble those of the application. On a private server, loadtest
creates, fills and drops the tables.
"""

{imports}

tables = {metadata}.tables


class {name}(PoolUser):
    metadata = {metadata}
    wait_time = between(0.05, 0.15)

    @classmethod
    def fill(cls, session, options):
{fill}{tasks}'''
_FILL = """\
session.execute(
    insert(tables[{key}]),
    [
        {{
{values}
        }}
        for n in range(1, {end})
    ],
)
"""
_TASK = """
@task({weight})
def {name}(self):
    n = self.random.randint(1, {count})
    with self.session("{words}") as session:
{body}
"""
_COMMENT: Any = {"initial_indent": "# ", "subsequent_indent": "# "}
_STANDARD = ("datetime", "uuid")
_SQLALCHEMY = {"sqlalchemy": ("insert", "select", "update"), "sqlalchemy.orm": ("joinedload",)}
_TAKEN = {
    *("between", "task", "tables", "PoolUser", *_STANDARD, *sum(_SQLALCHEMY.values(), ())),
    *("cls", "self", "session", "options", "n", "m", "table", "other", "joined"),
}


def scenario_text(models: Models) -> str:
    """A scenario that runs unchanged on a private server, except for values that are not known."""
    package, _, module = models.module.rpartition(".")
    alias = "application" if module in _TAKEN else module
    rows = rows_of(models.metadata, models.discriminators)
    fill = indent("".join(map(_filled, rows.values())), " " * 8)
    tasks = indent("".join(_Tasks(models, alias, rows).all()), " " * 4)
    renamed = module if alias == module else f"{module} as {alias}"
    first = f"from {package} import {renamed}" if package else f"import {renamed}"
    return _SCENARIO.format(
        models=models.module,
        imports=_imports(fill + tasks, first),
        metadata=f"{alias}.{models.path}",
        name=f"{_camel(models.module.partition('.')[0])}User",
        fill=fill,
        tasks=tasks,
    )


def _camel(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def _imports(code: str, first: str) -> str:
    """The imports that a code needs, in their groups; first: that of the models."""
    standard = [f"import {name}" for name in _STANDARD if f"{name}." in code]
    others = ["from loadtest.load import PoolUser", "from locust import between, task"]
    for package, names in _SQLALCHEMY.items():
        used = [name for name in names if re.search(rf"\b{name}\(", code)]
        others += [f"from {package} import {', '.join(used)}"] if used else []
    groups = (standard, others, [first])
    return "\n\n".join("\n".join(sorted(group)) for group in groups if group)


def _filled(rows: TableRows) -> str:
    values = [_line(rows, column) for column in rows.columns]
    if rows.defaulted:
        left = ", ".join(column.key for column in rows.defaulted)
        values += wrap(f"Left to their defaults: {left}", 76, **_COMMENT)
    text = indent("\n".join(values), " " * 12)
    return _FILL.format(key=literal(rows.table.key), values=text, end=rows.count + 1)


def _line(rows: TableRows, column: Column[Any]) -> str:
    comment = f"  # {rows.unknown[column]}" if column in rows.unknown else ""
    return f"{literal(column.key)}: {rows.code(column)},{comment}"


def scenario_gaps(models: Models) -> list[str]:
    """What a scenario lacks, in sentences: values that are to be written, and tasks."""
    rows = rows_of(models.metadata, models.discriminators)
    gaps = [
        f"Column {column}: replace {TO_WRITE} with {what}"
        for one in rows.values()
        for column, what in one.unknown.items()
        if column in one.columns
    ]
    reads, write = _Tasks(models, "", rows).kinds()
    if not reads:
        gaps.append("No task: no table has a primary key")
    elif not write:
        gaps.append(f"{plural(reads, 'read')}, no write: no table has a column to change")
    return gaps


class _Tasks:
    """The tasks on one table: the one with most foreign keys among those that allow all tasks.

    If it has no column to change, another table is written.
    """

    def __init__(self, models: Models, module: str, rows: Mapping[Table, TableRows]) -> None:
        self._models, self._module = models, module
        usable = [one for one in rows.values() if len(one.table.primary_key)]
        self._rows = max(usable, key=_usefulness, default=None)
        written = [one for one in usable if one.changeable]
        self._written = max(written, key=_usefulness, default=None)

    def kinds(self) -> tuple[int, bool]:
        """The number of tasks that read, and whether one writes."""
        reads = 0 if self._rows is None else 1 + bool(self._related(self._rows))
        return reads, self._written is not None

    def all(self) -> Iterator[str]:
        """The tasks, without those that the tables do not allow."""
        if self._rows is None:
            return
        yield self._task(6, "read", self._rows, self._read(self._rows))
        if related := self._related(self._rows):
            yield self._task(3, "read_related", self._rows, related)
        if self._written:
            yield self._task(1, "write", self._written, self._write(self._written))

    def _task(self, weight: int, name: str, rows: TableRows, body: Sequence[str]) -> str:
        return _TASK.format(
            weight=weight,
            name=name,
            count=rows.count,
            words=re.sub(r"[\W_]+", " ", f"{name} {rows.table.name}"),
            body=indent("\n".join(body), " " * 8),
        )

    def _read(self, rows: TableRows) -> list[str]:
        if cls := self._class_of(rows.table):
            return [f"session.get_one({cls}, {rows.key()})"]
        found = f"select(table).where({_where(rows)})"
        return [_table(rows.table), f"session.execute({found}).one()"]

    def _related(self, rows: TableRows) -> list[str]:
        """A read of a row with one of another table: by a relationship, or by a foreign key."""
        cls = self._class_of(rows.table)
        for one in _relationships(self._models.mappers.get(rows.table), rows):
            options = f"options=[joinedload({cls}.{one.key})]"
            return [f"session.get_one({cls}, {rows.key()}, {options})"]
        for link in rows.links:
            condition = f"{_column(link.parent)} == {_column(link.column, 'other')}"
            return [
                _table(rows.table),
                _table(link.column.table, "other"),
                f"joined = select(table, other).join(other, {condition})",
                f"session.execute(joined.where({_where(rows)})).one()",
            ]
        return []

    def _write(self, rows: TableRows) -> list[str]:
        column = rows.changeable[0]
        other, value = f"m = self.random.randint(1, {rows.count})", rows.code(column, "m")
        if mapper := self._models.mappers.get(rows.table):
            name, cls = mapper.get_property_by_column(column).key, self._class_of(rows.table)
            found = f"session.get_one({cls}, {rows.key()}, with_for_update=True)"
            return [other, f"{found}.{name} = {value}", "session.commit()"]
        changed = f"update(table).where({_where(rows)})"
        values = f"{{{literal(column.key)}: {value}}}"
        run = f"session.execute({changed}.values({values}))"
        return [other, _table(rows.table), run, "session.commit()"]

    def _class_of(self, table: Table) -> str:
        """The mapped class of a table in the scenario; empty without one."""
        mapper = self._models.mappers.get(table)
        return f"{self._module}.{mapper.class_.__name__}" if mapper else ""


def _usefulness(rows: TableRows) -> tuple[bool, bool, bool, int, int]:
    links, changeable, one_key = rows.links, rows.changeable, len(rows.table.primary_key) == 1
    return bool(links), bool(changeable), one_key, len(links), len(changeable)


def _relationships(
    mapper: Mapper[Any] | None, rows: TableRows
) -> Iterator[RelationshipProperty[Any]]:
    """The relationships of a class to one object of another class that has its row."""
    linked = {link.parent for link in rows.links}
    for one in mapper.relationships if mapper else ():
        if one.direction is RelationshipDirection.MANYTOONE and one.local_columns <= linked:
            yield one


def _table(table: Table, name: str = "table") -> str:
    return f"{name} = tables[{literal(table.key)}]"


def _column(column: Column[Any], table: str = "table") -> str:
    key = column.key
    return f"{table}.c.{key}" if key.isidentifier() else f"{table}.c[{literal(key)}]"


def _where(rows: TableRows) -> str:
    columns = rows.table.primary_key
    return ", ".join(f"{_column(one)} == {rows.code(one)}" for one in columns)
