"""Modules of models that can be imported, and a database for their tables."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, StaticPool, create_engine, event

from tests.scenario_writer.blogs import Write


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Writes a module that can be imported; returns its name."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)

    def write(text: str, name: str = "written.models") -> str:
        path = tmp_path.joinpath(*name.split(".")).with_suffix(".py")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        importlib.invalidate_caches()
        return name

    yield write
    for name in set(sys.modules) - before:
        if name.partition(".")[0] == "written":
            del sys.modules[name]


@pytest.fixture
def engine() -> Iterator[Engine]:
    """A database in memory that checks foreign keys."""
    made = create_engine("sqlite://", poolclass=StaticPool)
    event.listen(made, "connect", lambda own, _: own.execute("PRAGMA foreign_keys = ON"))
    yield made
    made.dispose()
