"""The values of columns by type: accepted, short enough, and distinct where they must be."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import Column, types
from sqlalchemy.dialects import mysql

from loadtest.experiment.scenario_writer.column_values import ColumnValues, evaluated, values_of

DIALECT: Any = mysql.dialect()
ROWS = range(1, 1001)


class Lines(types.TypeDecorator[Any]):
    """A list that is stored as a text."""

    impl = types.Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> str:
        if not isinstance(value, dict):
            raise TypeError("a dict is needed")
        return json.dumps(value)


class Point(types.UserDefinedType[Any]):
    """A type that nothing is known about."""

    cache_ok = True


KINDS: dict[str, Any] = {
    "integer": types.Integer(),
    "big": types.BigInteger(),
    "tiny": mysql.TINYINT(),
    "boolean": types.Boolean(),
    "price": types.Numeric(10, 2),
    "digit": types.Numeric(3, 2),
    "share": types.Numeric(2, 2),
    "decimal": mysql.DECIMAL(),
    "float": types.Float(),
    "double": mysql.DOUBLE(),
    "string": types.String(50),
    "short": types.String(5),
    "flag": types.CHAR(1),
    "two": types.String(2),
    "text": types.Text(),
    "long": mysql.LONGTEXT(),
    "variant": types.String().with_variant(mysql.VARCHAR(3), "mysql", "mariadb"),
    "enum": types.Enum("new", "paid", "sent"),
    "one": types.Enum("only"),
    "own": mysql.ENUM("a", "b"),
    "set": mysql.SET("x", "y"),
    "bytes": types.LargeBinary(),
    "hash": types.BINARY(16),
    "tinyblob": mysql.TINYBLOB(),
    "date": types.Date(),
    "moment": types.DateTime(),
    "stamp": mysql.TIMESTAMP(),
    "time": types.Time(),
    "span": types.Interval(),
    "json": types.JSON(),
    "uuid": types.Uuid(),
    "hex": types.Uuid(as_uuid=False),
    "year": mysql.YEAR(),
    "bit": mysql.BIT(1),
    "pickle": types.PickleType(),
    "lines": Lines(),
}
WITHOUT_EQUALS = {"json", "lines"}


def known(name: str) -> ColumnValues:
    found = values_of(Column(name, KINDS[name]))
    assert found
    return found


def values(name: str, *, distinct: bool) -> list[Any]:
    """The values of a column for all rows for which the type has distinct ones."""
    found = known(name)
    rows = ROWS[: found.most] if distinct and found.most else ROWS
    code = found.code("n", distinct=distinct)
    return [evaluated(code, n) for n in rows]


@pytest.mark.parametrize("distinct", [False, True])
@pytest.mark.parametrize("name", KINDS)
def test_a_type_takes_its_values(name: str, distinct: bool) -> None:
    kind = KINDS[name].dialect_impl(DIALECT)
    process = kind.bind_processor(DIALECT) or (lambda value: value)
    taken = [process(value) for value in values(name, distinct=distinct)]
    assert None not in taken
    length = getattr(kind, "length", None)
    if isinstance(kind, types.String | types.BINARY) and length:
        assert max(map(len, taken)) <= length


@pytest.mark.parametrize("name", sorted(KINDS.keys() - WITHOUT_EQUALS))
def test_distinct_values_are_distinct(name: str) -> None:
    found = values(name, distinct=True)
    assert len(found) == len(set(found))


@pytest.mark.parametrize(
    ("name", "most"),
    [("tiny", 127), ("boolean", 2), ("digit", 9), ("flag", 9), ("two", 99), ("enum", 3)],
)
def test_a_small_type_says_how_many_values_it_has(name: str, most: int) -> None:
    assert known(name).most == most


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("integer", "n % 100 + 1"),
        ("string", 'f"string {n}"'),
        ("enum", '("new", "paid", "sent")[n % 3]'),
        ("date", "datetime.date(2026, 1, 1) + datetime.timedelta(days=n % 365)"),
        ("json", '{"number": n}'),
        ("uuid", "uuid.UUID(int=n)"),
    ],
)
def test_the_expressions_are_plain(name: str, first: str) -> None:
    assert known(name).code("n") == first


def test_a_number_of_a_row_may_be_an_expression() -> None:
    text = known("string").code("n % 100 + 1")
    assert text == 'f"string {n % 100 + 1}"'
    assert known("two").code("n % 7 + 1", distinct=True) == "str(n % 7 + 1)"
    number = known("year").code("n % 7 + 1")
    assert number == "2000 + (n % 7 + 1) % 100"


def test_a_name_that_is_no_word_is_not_in_a_value() -> None:
    found = values_of(Column('a"{b', types.String(50)))
    assert found
    assert evaluated(found.code("n"), 3) == "value 3"


def test_the_words_of_an_enum_stay_as_they_are() -> None:
    found = values_of(Column("place", types.Enum("@home", 'a"b', "{@}")))
    assert found
    assert {evaluated(found.code("n"), n) for n in range(3)} == {"@home", 'a"b', "{@}"}


@pytest.mark.parametrize(
    ("name", "kind", "value"),
    [
        ("email", types.String(20), "user3@example.org"),
        ("Contact_Email", types.Text(), "user3@example.org"),
        ("email", types.String(19), "email 3"),
        ("homepage_url", types.String(120), "https://example.org/3"),
        ("email_count", types.Integer(), 4),
    ],
)
def test_texts_that_are_often_checked_have_the_form_of_their_name(
    name: str, kind: Any, value: Any
) -> None:
    found = values_of(Column(name, kind))
    assert found
    assert evaluated(found.code("n"), 3) == value


class Address(types.TypeDecorator[Any]):
    """A text that must be an e-mail address."""

    impl = types.String
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> str:
        if "@" not in value:
            raise ValueError("an address is needed")
        return str(value)


@pytest.mark.parametrize("name", ["email", "contact"])
def test_a_type_of_an_application_gets_a_value_that_it_accepts(name: str) -> None:
    found = values_of(Column(name, Address(50)))
    assert found
    assert found.code("n") == 'f"user{n}@example.org"'


def test_an_unknown_type_has_no_values() -> None:
    assert values_of(Column("place", Point())) is None
