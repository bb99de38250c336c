"""Scenarios for models with unusual names, keys and classes run unchanged, too."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from loadtest.experiment.scenario_writer.models import find_models
from tests.scenario_writer.blogs import Write
from tests.scenario_writer.test_scenario_text import Scenario

BEGIN = """
from sqlalchemy import Column, ForeignKey, Integer, MetaData, String, Table
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass
"""
ITEM = """
class Item(Base):
    __tablename__ = "item"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40))
"""
ROOT = """
class Node(Base):
    __tablename__ = "node"
    id: Mapped[int] = mapped_column(primary_key=True)
    parent_id: Mapped[int] = mapped_column(ForeignKey("node.id"))
    name: Mapped[str] = mapped_column(String(40))
"""
PARTLY_MAPPED = """
class Item(Base):
    __table__ = Table(
        "item",
        Base.metadata,
        Column("id", Integer, primary_key=True),
        Column("name", String(40), nullable=False),
    )
    __mapper_args__ = {"exclude_properties": ["name"]}
"""
OTHER_KEY = """
class Item(Base):
    __table__ = Table(
        "item",
        Base.metadata,
        Column("id", Integer, primary_key=True),
        Column("code", String(20), unique=True, nullable=False),
        Column("name", String(40), nullable=False),
    )
    __mapper_args__ = {"primary_key": [__table__.c.code]}
"""


@pytest.mark.parametrize("name", ["session", "options", "table", "n", "m"])
def test_a_module_may_have_the_name_of_a_variable_in_the_scenario(
    write: Write, engine: Engine, name: str
) -> None:
    scenario = Scenario(find_models(write(BEGIN + ITEM, f"written.{name}")), engine)
    assert f"from written import {name} as application\n" in scenario.text
    assert scenario.run() == ["read", "write"]


def test_a_row_that_must_refer_to_a_row_of_its_own_table_refers_to_itself(
    write: Write, engine: Engine
) -> None:
    scenario = Scenario(find_models(write(BEGIN + ROOT)), engine)
    assert '"parent_id": n,' in scenario.text
    assert scenario.count("node") == 1000
    assert scenario.run() == ["read", "write"]


@pytest.mark.parametrize("text", [PARTLY_MAPPED, OTHER_KEY])
def test_a_class_without_all_columns_or_with_another_key_is_left_to_its_table(
    write: Write, engine: Engine, text: str
) -> None:
    scenario = Scenario(find_models(write(BEGIN + text)), engine)
    assert scenario.run() == ["read", "write"]
    assert "models.Item" not in scenario.text


def test_a_kind_of_zero_is_a_kind(write: Write) -> None:
    kinds = """
class Item(Base):
    __tablename__ = "item"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[int]
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": IDENTITY}
class Other(Item):
    __mapper_args__ = {"polymorphic_identity": 0}
"""
    models = find_models(write(BEGIN + kinds.replace("IDENTITY", "7")))
    assert list(models.discriminators.values()) == [0]
