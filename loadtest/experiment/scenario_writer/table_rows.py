"""The rows that `fill` inserts into each table: their number, and an expression for each column."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    MetaData,
    Table,
    UniqueConstraint,
)
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.types import Float, Integer, Numeric

from loadtest.experiment.scenario_writer.column_values import ColumnValues, literal, values_of
from loadtest.model.errors import UsageError

# Stands for an unknown value: a run ends with a NameError in its line.
TO_WRITE = "value_to_write"
# The rows of each table, and how many of a table's rows have rows of other tables.
ROWS, PARENTS = 1000, 100


class TableRows:
    """The rows of one table, as Python expressions of their number, from 1.

    before: the rows of the tables that are filled before. referenced: the columns to which foreign
    keys refer. discriminators: the values of columns that tell classes apart. count: the number of
    rows. columns: those that get a value. defaulted: those that are left to their defaults.
    unknown: what a person must write, for each column that needs a value which is not known.
    """

    def __init__(
        self,
        table: Table,
        before: Mapping[Table, TableRows],
        referenced: frozenset[Column[Any]],
        discriminators: Mapping[Column[Any], Any],
    ) -> None:
        self.table, self._discriminators = table, discriminators
        self._targets: dict[ForeignKeyConstraint, TableRows] = {}
        self._links: dict[Column[Any], ForeignKey] = {}
        self.unknown: dict[Column[Any], str] = {}
        # A key of several columns comes last: its columns refer to one row.
        constraints = sorted(table.foreign_key_constraints, key=lambda one: len(one.columns))
        null = {column for one in constraints for column in self._link(one, before)}
        left_out = {*self._links, *null, *self.unknown}
        self._values: dict[Column[Any], ColumnValues] = {
            column: values
            for column in table.columns
            if column not in left_out and column.computed is None
            if (values := self._known_values(column))
        }
        self.distinct: set[Column[Any]] = set()
        for key in sorted(_unique_keys(table), key=len):
            self._make_distinct(key)
        self.count = self._possible_rows()
        needed = {*referenced, *self.distinct, *self._links, *table.primary_key}
        got = {*self._links, *self._values, *self.unknown}
        filled = [one for one in table.columns if one in got]
        self.columns = [one for one in filled if one in needed or not _has_default(one)]
        left = [one for one in table.columns if one not in self.columns]
        self.defaulted = [one for one in left if _has_default(one)]

    def _possible_rows(self) -> int:
        """The number of rows that distinct values and the rows of other tables allow."""
        others = {one: rows for one, rows in self._targets.items() if rows is not self}
        direct = [rows.count for one, rows in others.items() if self._is_direct(one)]
        return int(min([ROWS, *map(self._most, self.distinct), *direct]))

    def code(self, column: Column[Any], n: str = "n") -> str:
        """The expression for a column of row n; n may be an expression, too."""
        if column in self.unknown:
            return TO_WRITE
        if link := self._links.get(column):
            rows = self._targets[_constraint(link)]
            if self._is_direct(_constraint(link)):
                return rows.code(link.column, n)
            number = n if n.isidentifier() else f"({n})"
            return rows.code(link.column, f"{number} % {min(PARENTS, rows.count)} + 1")
        if column in self._discriminators:
            return literal(self._discriminators[column])
        if column not in self.distinct and _is_checked_number(column):
            return "1"  # most conditions allow it
        return self._values[column].code(n, distinct=column in self.distinct)

    def key(self, n: str = "n") -> str:
        """The expression for the primary key of row n; a tuple if it has several columns."""
        parts = [self.code(column, n) for column in self.table.primary_key]
        return parts[0] if len(parts) == 1 else f"({', '.join(parts)})"

    @property
    def links(self) -> Sequence[ForeignKey]:
        """The foreign keys of one column that refer to rows of other tables."""
        return [
            link
            for link in self._links.values()
            if len(_constraint(link).columns) == 1 and link.column.table is not self.table
        ]

    @property
    def changeable(self) -> Sequence[Column[Any]]:
        """The columns that a task may set to the value of another row, which differs."""
        fixed = {*self.table.primary_key, *self.distinct, *self._links, *self._discriminators}
        others = [column for column in self.columns if column not in fixed]
        return [column for column in others if self.code(column) != self.code(column, "m")]

    def _link(
        self, constraint: ForeignKeyConstraint, before: Mapping[Table, TableRows]
    ) -> Iterator[Column[Any]]:
        """Note the columns of a foreign key; yields those that stay NULL instead."""
        target = constraint.referred_table
        rows = self if target is self.table else before.get(target)
        if rows in (None, self) and _may_be_null(constraint):
            yield from constraint.columns
            return
        if rows is None:
            text = f"the key of a row of {target.name} (both tables need rows of each other)"
            self.unknown |= dict.fromkeys(constraint.columns, text)
            return
        self._targets[constraint] = rows
        self._links |= {one.parent: one for one in constraint.elements}

    def _known_values(self, column: Column[Any]) -> ColumnValues | None:
        """The values of a column; None if its type is unknown."""
        found = values_of(column)
        if found is None and not (column.nullable or _has_default(column)):
            self.unknown[column] = f"a value for {' '.join(repr(column.type).split())}"
        return found

    def _is_direct(self, constraint: ForeignKeyConstraint) -> bool:
        """Whether row n refers to row n: for distinct values, or for a key of several columns."""
        columns = set(constraint.columns)
        within = constraint.referred_table is self.table
        return within or len(columns) > 1 or bool(self.distinct & columns)

    def _make_distinct(self, key: Sequence[Column[Any]]) -> None:
        """Give one column of a unique key distinct values: the one that has most of them."""
        usable = [one for one in key if one in self._links or one in self._values]
        if usable and not self.distinct & set(usable):
            self.distinct.add(max(usable, key=self._most))

    def _most(self, column: Column[Any]) -> float:
        """The number of distinct values of a column."""
        if link := self._links.get(column):
            rows = self._targets[_constraint(link)]
            return math.inf if rows is self else rows.count
        most = self._values[column].most
        return math.inf if most is None else most


def rows_of(
    metadata: MetaData, discriminators: Mapping[Column[Any], Any]
) -> dict[Table, TableRows]:
    """The rows of all tables, in the order of their foreign keys. Raises UsageError."""
    tables = sorted(metadata.tables.values(), key=lambda table: table.key)
    found: dict[Table, TableRows] = {}
    try:
        referenced = frozenset(key.column for one in tables for key in one.foreign_keys)
        while tables:
            table = min(tables, key=lambda one: _waits_for(one, found))
            tables.remove(table)
            found[table] = TableRows(table, found, referenced, discriminators)
    except SQLAlchemyError as error:
        raise UsageError(str(error)) from None
    return found


def _waits_for(table: Table, filled: Mapping[Table, TableRows]) -> tuple[int, int]:
    """The foreign keys that need rows of tables that are not filled; and with the optional ones."""
    others = [one for one in table.foreign_key_constraints if one.referred_table is not table]
    missing = [one for one in others if one.referred_table not in filled]
    return sum(not _may_be_null(one) for one in missing), len(missing)


def _may_be_null(constraint: ForeignKeyConstraint) -> bool:
    return all(column.nullable for column in constraint.columns)


def _unique_keys(table: Table) -> Iterator[list[Column[Any]]]:
    """The columns of each unique key, without keys that a default makes unique."""
    constraints = [one for one in table.constraints if isinstance(one, UniqueConstraint)]
    keys = [list(one.columns) for one in constraints]
    keys += [list(one.columns) for one in table.indexes if one.unique]
    yield list(table.primary_key)
    for columns in keys:
        defaults = [column.default for column in columns if column.default is not None]
        if not any(default.is_callable for default in defaults):
            yield columns


def _constraint(link: ForeignKey) -> ForeignKeyConstraint:
    assert link.constraint
    return link.constraint


def _has_default(column: Column[Any]) -> bool:
    return column.default is not None or column.server_default is not None


def _is_checked_number(column: Column[Any]) -> bool:
    """Whether a number appears in a condition of its table."""
    checks = [one for one in column.table.constraints if isinstance(one, CheckConstraint)]
    name = re.compile(rf"\b{re.escape(column.name)}\b")
    number = isinstance(column.type, Integer | Numeric | Float)
    return number and any(name.search(str(one.sqltext)) for one in checks)
