"""Who may import whom, imports inside functions included: the arrows between the tool's parts."""

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

import loadtest

ROOT = Path(loadtest.__file__).parent
MEASURING = {"database", "pool", "load", "live"}
READING = {"analysis", "report"}


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__")


MODULES = {name_of(path): path for path in ROOT.rglob("*.py")}


def part_of(module: str) -> str:
    """The folder that a module is in, or its own name; empty for the package."""
    return module.partition(".")[2].partition(".")[0]


def modules_of(parts: set[str]) -> list[str]:
    return [module for module in MODULES if part_of(module) in parts]


COMMANDS = [module for module in MODULES if part_of(module).startswith("cli")]


def nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """All of a program but what only a type checker reads."""
    for child in ast.iter_child_nodes(tree):
        if not (isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"):
            yield child
            yield from nodes(child)


@cache
def imported(module: str) -> frozenset[str]:
    """What a module names in its imports, wherever in it they stand, and the package it is in."""
    found = {module.rpartition(".")[0]} - {""}
    for node in nodes(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.module, f"{module} has a relative import"
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(found)


def reached(module: str) -> set[str]:
    """All that can come along with a module; of other people's packages the first name."""
    found: set[str] = set()
    left = {module}
    while left:
        name = left.pop()
        known = name if name in MODULES else name.partition(".")[0]
        if known not in found:
            found.add(known)
            left |= imported(known) if known in MODULES else set()
    return found


def reaching(modules: Iterable[str], never: set[str]) -> dict[str, set[str]]:
    """The modules with which something comes along that never should."""
    found = {module: reached(module) & never for module in modules}
    return {module: names for module, names in found.items() if names}


def test_imports_are_followed_into_functions_and_through_packages():
    assert "loadtest.experiment.rounds" in imported("loadtest.cli")
    assert "loadtest.interval" in reached("loadtest.cli")
    assert "locust" in reached("loadtest.load.pool_options")
    assert "locust" not in imported("loadtest.load.pool_options")
    assert {"sqlalchemy", "loadtest.pool.measure"} <= reached("loadtest.database.application")
    assert "loadtest.database.situation" not in reached("loadtest.report.doctor")


def test_reading_needs_nothing_of_the_measuring_half():
    never = {"locust", "gevent", "sqlalchemy", *modules_of(MEASURING | {"experiment"})}
    assert reaching(modules_of(READING), never) == {}


@pytest.mark.parametrize("part", ["database", "pool"])
def test_the_database_and_the_pool_know_nothing_of_locust(part: str):
    never = {"locust", "gevent", *modules_of({"load", "live", "experiment"})}
    assert reaching(modules_of({part}), never) == {}


def test_a_command_never_imports_locust():
    assert len(COMMANDS) > 5
    assert reaching(COMMANDS, {"locust", "gevent", *modules_of({"load"})}) == {}


def test_only_commands_and_experiments_see_both_halves():
    seen = {
        module: {part_of(name) for name in {module, *imported(module)} if name in MODULES}
        for module in MODULES.keys() - {*COMMANDS, *modules_of({"experiment"})}
    }
    assert [m for m, parts in seen.items() if parts & MEASURING and parts & READING] == []
