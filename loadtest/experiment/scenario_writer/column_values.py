"""Python expressions for plausible values of a column, by its type on MySQL and MariaDB."""

from __future__ import annotations

import datetime
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from functools import singledispatch
from typing import Any

from sqlalchemy import Column, types
from sqlalchemy.dialects import mysql

# The sign for the number of the row, from 1, and the sign for @ itself.
_N, _AT = "@", "\0"
# Between these signs an expression needs no parentheses.
_WRAPPED = (("{", "}"), ("(", ")"), ("=", ")"))
_DIALECT: Any = mysql.dialect()
# The number of digits of the highest row number.
_DIGITS = 4
# The values of texts with a word in their name: types and conditions often check these.
_CHECKED_TEXTS = {"email": f'f"user{{@}}{_AT}example.org"', "url": 'f"https://example.org/{@}"'}


@dataclass(frozen=True)
class ColumnValues:
    """The values of a column: plausible ones, which may repeat, and distinct ones.

    Both are Python expressions with a sign for the number of the row. most: the number of distinct
    values; None: more than any table has rows.
    """

    plausible: str
    distinct: str
    most: int | None = None

    def code(self, n: str, *, distinct: bool = False) -> str:
        """The expression for row n, which may be an expression, too."""
        template = self.distinct if distinct else self.plausible
        if template == _N:
            return n
        for before, after in _WRAPPED:
            template = template.replace(f"{before}{_N}{after}", f"{before}{n}{after}")
        return template.replace(_N, n if n.isidentifier() else f"({n})").replace(_AT, "@")


def values_of(column: Column[Any]) -> ColumnValues | None:
    """The values of a column; None for an unknown type."""
    return _values(column.type.dialect_impl(_DIALECT), column.name)


@singledispatch
def _values(kind: Any, name: str) -> ColumnValues | None:
    return None


@_values.register
def _(kind: types.Integer, name: str) -> ColumnValues:
    return ColumnValues("@ % 100 + 1", "@", 127 if isinstance(kind, mysql.TINYINT) else None)


@_values.register
def _(kind: types.Boolean, name: str) -> ColumnValues:
    return ColumnValues("@ % 2 == 0", "@ % 2 == 0", 2)


@_values.register
def _(kind: types.Numeric, name: str) -> ColumnValues:
    whole = (kind.precision or 10) - (kind.scale or 0)
    if whole < 1:  # all digits are behind the point
        return ColumnValues("0", "0", 1)
    most = 10**whole - 1
    return ColumnValues(f"@ % {min(100, most)} + 1", "@", most)


@_values.register
def _(kind: types.Float, name: str) -> ColumnValues:
    return ColumnValues("@ % 100 + 0.5", "@ + 0.5")


@_values.register
def _(kind: types.String, name: str) -> ColumnValues:
    word = name if name.isidentifier() else "value"
    length = kind.length or 255
    if checked := _checked_text(name, length):
        return checked
    if length >= len(word) + 1 + _DIGITS:
        text = f'f"{word} {{@}}"'
        return ColumnValues(text, text)
    if length >= _DIGITS:
        return ColumnValues("str(@)", "str(@)")
    return ColumnValues("str(@ % 10)", "str(@)", 10**length - 1)


@_values.register
def _(kind: types.Text, name: str) -> ColumnValues:
    word = name if name.isidentifier() else "value"
    if checked := _checked_text(name, 255):
        return checked
    return ColumnValues(f'f"{word} {{@}} " * 20', f'f"{word} {{@}}"')


def _checked_text(name: str, length: int) -> ColumnValues | None:
    """The values of an e-mail address or a URL, by the column's name; None for other texts."""
    for word, text in _CHECKED_TEXTS.items():
        if word in name.lower() and len(text) - len('f"{@}"') + _DIGITS <= length:
            return ColumnValues(text, text)
    return None


@_values.register
def _(kind: types.Enum, name: str) -> ColumnValues:
    return _choice(kind.enums)


@_values.register
def _(kind: mysql.SET, name: str) -> ColumnValues:
    return _choice(kind.values)


def _choice(words: Sequence[str]) -> ColumnValues:
    literals = [literal(word).replace(_N, _AT) for word in words]
    if len(words) == 1:
        return ColumnValues(literals[0], literals[0], 1)
    one = f"({', '.join(literals)})[@ % {len(words)}]"
    return ColumnValues(one, one, len(words))


@_values.register(types.LargeBinary)
@_values.register(types.BINARY)
@_values.register(types.VARBINARY)
@_values.register(mysql.TINYBLOB)
@_values.register(mysql.MEDIUMBLOB)
@_values.register(mysql.LONGBLOB)
def _(kind: Any, name: str) -> ColumnValues:
    length = kind.length or 255
    if length >= _DIGITS:
        return ColumnValues("str(@).encode()", "str(@).encode()")
    return ColumnValues("str(@ % 10).encode()", "str(@).encode()", 10**length - 1)


@_values.register
def _(kind: types.Date, name: str) -> ColumnValues:
    day = "datetime.date(2026, 1, 1) + datetime.timedelta(days={})"
    return ColumnValues(day.format("@ % 365"), day.format("@"))


@_values.register
def _(kind: types.DateTime, name: str) -> ColumnValues:
    # Within a day without a change of the clocks.
    moment = "datetime.datetime(2026, 1, 5) + datetime.timedelta(minutes=@)"
    return ColumnValues(moment, moment)


@_values.register
def _(kind: types.Time, name: str) -> ColumnValues:
    moment = "datetime.time(@ // 60 % 24, @ % 60)"
    return ColumnValues(moment, moment)


@_values.register
def _(kind: types.Interval, name: str) -> ColumnValues:
    return ColumnValues("datetime.timedelta(minutes=@)", "datetime.timedelta(minutes=@)")


@_values.register
def _(kind: types.JSON, name: str) -> ColumnValues:
    return ColumnValues('{"number": @}', '{"number": @}')


@_values.register
def _(kind: types.Uuid, name: str) -> ColumnValues:
    value = "uuid.UUID(int=@)" if kind.as_uuid else "str(uuid.UUID(int=@))"
    return ColumnValues(value, value)


@_values.register
def _(kind: mysql.YEAR, name: str) -> ColumnValues:
    return ColumnValues("2000 + @ % 100", "2000 + @ % 100", 100)


@_values.register
def _(kind: mysql.BIT, name: str) -> ColumnValues:
    return ColumnValues("@ % 2", "@ % 2", 2)


@_values.register
def _(kind: types.TypeDecorator, name: str) -> ColumnValues | None:
    """The first candidate that an application's own type accepts."""
    process = kind.bind_processor(_DIALECT) or (lambda value: value)
    others = (types.JSON(), types.String(), types.Integer(), types.DateTime(), types.Uuid())
    candidates = [(one, name) for one in (kind.impl_instance, *others)]
    candidates += [(types.String(), word) for word in _CHECKED_TEXTS]
    for candidate, known_as in candidates:
        found = _values(candidate, known_as)
        try:
            if found:
                process(evaluated(found.code("n"), 1))
                return found
        except Exception:  # the type expects a value of another class
            continue
    return None


def literal(value: Any) -> str:
    """A value as a Python literal, a text in double quotes."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def evaluated(code: str, n: int) -> Any:
    """The value of an expression for a row."""
    return eval(code, {"datetime": datetime, "uuid": uuid, "n": n})
