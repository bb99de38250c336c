"""Finds the tables and the mapped classes of an application in one of its modules."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from sqlalchemy import Column, MetaData, Table, inspect
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Mapper, configure_mappers

from loadtest.database.named_objects import dotted, missing_module
from loadtest.database.redaction import words_with_type
from loadtest.experiment.error_lines import error_place
from loadtest.model.errors import UsageError

_LIKE = ", like blog.models or blog.models:Base"


@dataclass(frozen=True)
class Models:
    """The models in a module.

    module: its import path. path: the name of the metadata in it, like `Base.metadata`. mappers:
    those of its classes that map their whole table and do not inherit, by their tables.
    discriminators: a value for each column that tells classes apart.
    """

    module: str
    path: str
    metadata: MetaData
    mappers: Mapping[Table, Mapper[Any]]
    discriminators: Mapping[Column[Any], Any]


def find_models(name: str) -> Models:
    """The models in MODULE, or the base or the metadata MODULE:NAME in it.

    Raises UsageError if the module cannot be imported or has no tables.
    """
    module_name, _, attribute = name.partition(":")
    try:
        module = _imported(module_name)
        path, metadata = _metadata(module, attribute)
        configure_mappers()
    except UsageError as error:
        raise UsageError(f"--models {name}: {error}") from None
    except SQLAlchemyError as error:
        raise UsageError(f"--models {name}: {words_with_type(error)}") from None
    mappers = dict(_mappers(module, metadata))
    alone = {table: mapper for table, mapper in mappers.items() if _stands_alone(mapper)}
    return Models(module_name, path, metadata, alone, dict(_discriminators(mappers.values())))


def _imported(name: str) -> ModuleType:
    if not name or name.endswith(".py") or "/" in name:
        like = f": use --models {dotted(name)}" if Path(name).is_file() else _LIKE
        raise UsageError(f"write MODULE or MODULE:NAME{like}")
    here = str(Path.cwd())
    sys.path += [] if here in sys.path else [here]
    try:
        return import_module(name)
    except (Exception, SystemExit) as error:
        place = error_place(error)
        if isinstance(error, ModuleNotFoundError) and not place:
            raise UsageError(missing_module(str(error.name), name)) from None
        raise UsageError(": ".join(filter(None, [place, words_with_type(error)]))) from None


def _metadata(module: ModuleType, attribute: str) -> tuple[str, MetaData]:
    """The metadata with tables in a module, under the name of a base rather than of a model."""
    found: dict[MetaData, str] = {}
    for _, path, metadata in sorted(_named(module), key=lambda one: one[:2]):
        if metadata.tables and attribute in ("", path.removesuffix(".metadata"), path):
            found.setdefault(metadata, path)
    if not found:
        where = f"{attribute} of {module.__name__}" if attribute else module.__name__
        raise UsageError(f"{where} has no tables: name a declarative base or a MetaData")
    if len(found) > 1:
        names = [f"{module.__name__}:{path}" for path in found.values()]
        raise UsageError(f"there are several; choose one of {', '.join(names)}")
    ((metadata, path),) = found.items()
    return path, metadata


def _named(module: ModuleType) -> Iterator[tuple[bool, str, MetaData]]:
    """The metadata in a module, with their names; first, whether that is a table's or a class's."""
    for name, thing in vars(module).items():
        if isinstance(thing, MetaData):
            yield False, name, thing
            continue
        inner = None
        with suppress(Exception):  # a proxy that is not bound yet
            inner = getattr(thing, "metadata", None)
        if isinstance(inner, MetaData):
            model = isinstance(thing, Table) or hasattr(thing, "__table__")
            yield model, f"{name}.metadata", inner


def _mappers(module: ModuleType, metadata: MetaData) -> Iterator[tuple[Table, Mapper[Any]]]:
    """The tables of this metadata that have classes in a module, and their mappers."""
    for name, thing in vars(module).items():
        mapper = inspect(thing, raiseerr=False) if isinstance(thing, type) else None
        if isinstance(mapper, Mapper) and name == thing.__name__:
            table = mapper.local_table
            if isinstance(table, Table) and table.metadata is metadata:
                yield table, mapper


def _stands_alone(mapper: Mapper[Any]) -> bool:
    """Whether a class maps its whole table, with the same key, and does not inherit."""
    table = mapper.local_table
    if list(mapper.primary_key) != list(table.primary_key):
        return False
    whole = set(table.columns) <= set(mapper.columns)
    return whole and not (mapper.inherits or mapper.concrete or mapper.polymorphic_on is not None)


def _discriminators(mappers: Iterable[Mapper[Any]]) -> Iterator[tuple[Column[Any], Any]]:
    for mapper in mappers:
        if isinstance(mapper.polymorphic_on, Column) and mapper.polymorphic_map:
            known = mapper.polymorphic_identity
            first = next(iter(mapper.polymorphic_map))
            yield mapper.polymorphic_on, first if known is None else known
