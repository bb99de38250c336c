"""Names of objects for --session and --engine, and corrections of wrong ones."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from inspect import getattr_static
from operator import attrgetter
from pathlib import Path
from pkgutil import iter_modules
from types import FunctionType, ModuleType
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.orm import scoped_session, sessionmaker

from loadtest.runfile.folders import as_typed

_MOST_NAMES = 3
_CLASSES: dict[str, tuple[type, ...]] = {
    "session": (scoped_session, sessionmaker),
    "engine": (Engine,),
}


def use_instead(option: str, name: str, thing: Any = None) -> str:
    """The end of a refusal: the options that fit instead of a name.

    option: `session` or `engine`. thing: the object with this name; None if there is none.
    """
    if found := _known(option, name, thing):
        return found
    if isinstance(thing, FunctionType) and option == "engine":
        return f": keep what it returns, with engine = {thing.__name__}(), and name that"
    package = name.partition(":")[0].partition(".")[0]
    there = _modules_in(package)
    others = f" (the modules of {package} are {', '.join(there)})" if there else ""
    return f", and no imported module has an object that fits{others}"


def _known(option: str, name: str, thing: Any) -> str:
    """The options that fit; empty without any."""
    given = f"--{option} {name}"
    every = ([one for one in names if one != given] for names in _fitting(option, name, thing))
    found: list[str] = next(filter(None, every), [])
    return f": use {' or '.join(found[:_MOST_NAMES])}" if found else ""


def _fitting(option: str, name: str, thing: Any) -> Iterator[list[str]]:
    """Options that fit, the nearest first."""
    other = "engine" if option == "session" else "session"
    if _fits(other, thing):
        yield [f"--{other} {name}"]
    for one in (option, other):
        if _has_parent(thing, one):
            yield [f"--{one} {name}.{one}"]
    for modules in _modules(name.partition(":")[0], thing):
        for one in (option, other):
            for module in modules:
                yield [f"--{one} {module.__name__}:{there}" for there in _names_in(module, one)]


def _names_in(module: ModuleType, option: str) -> Iterator[str]:
    """The names in a module that an option takes."""
    for name, thing in list(vars(module).items()):
        if _fits(option, thing):
            yield name
        elif _has_parent(thing, option):
            yield f"{name}.{option}"


def _fits(option: str, thing: Any) -> bool:
    """Whether an option takes a thing; `isinstance` would evaluate a proxy."""
    return issubclass(type(thing), _CLASSES[option])


def _has_parent(thing: Any, option: str) -> bool:
    """Whether an object has a session and what the option takes, like Flask-SQLAlchemy's."""
    parent = getattr_static(thing, "session", None)
    return _fits("session", parent) and getattr_static(thing, option, None) is not None


def _modules(name: str, thing: Any) -> Iterator[list[ModuleType]]:
    """Modules that may have an object that fits: those of the name and the thing, then others."""
    package = name.partition(".")[0]
    of_thing = [thing.__module__] if isinstance(thing, type | FunctionType) else []
    imported = list(sys.modules)
    inside = [one for one in imported if one.partition(".")[0] == package]
    yield _imported_modules([name, *of_thing, *inside])
    yield _imported_modules([one for one in imported if _in_current_folder(sys.modules[one])])


def _imported_modules(names: list[str]) -> list[ModuleType]:
    known = (sys.modules.get(name) for name in names)
    return [module for module in known if isinstance(module, ModuleType)]


def _in_current_folder(module: Any) -> bool:
    file = vars(module).get("__file__") if isinstance(module, ModuleType) else None
    here = isinstance(file, str) and Path(file).is_relative_to(Path.cwd())
    return here and "site-packages" not in Path(str(file)).parts


def corrected(option: str, name: str) -> str:
    """The end of a refusal of a name like `blog.db.Session` or `blog/db.py:Session`: the option.

    It imports the module. Empty if the name leads nowhere.
    """
    module, _, attribute = name.partition(":")
    found = _split(".".join(filter(None, [dotted(module), attribute])))
    if found is None:
        return ""
    holder, path = found
    name, thing = f"{holder.__name__}:{path}", None
    with suppress(Exception):  # the attribute is missing, or exists in a Flask app's context only
        thing = attrgetter(path)(holder)
    return f": use --{option} {name}" if _fits(option, thing) else _known(option, name, thing)


def dotted(module: str) -> str:
    """The name of a module that may be written as the path of its file."""
    path = as_typed(Path(module)) if "/" in module else module
    return path.removesuffix(".py").strip("/").replace("/", ".")


def _split(path: str) -> tuple[ModuleType, str] | None:
    """The longest beginning of a dotted path that is a module, and the rest of the path."""
    words = path.split(".")
    for end in range(len(words), 0, -1):
        with suppress(Exception, SystemExit):  # the name is refused in any case
            return import_module(".".join(words[:end])), ".".join(words[end:])
    return None


def missing_module(missing: str, wanted: str) -> str:
    """The sentence about a module that does not exist: what exists, or where to start loadtest.

    missing: the module, or a package that contains the wanted one.
    """
    package, _, name = missing.rpartition(".")
    if package not in sys.modules:
        top = f"{missing}.py" if missing == wanted else f"{missing}/"
        return (
            f"there is no module {missing}: start loadtest in the folder that contains {top}, or "
            "add that folder to PYTHONPATH"
        )
    there = _modules_in(package)
    if not there:
        return f"{package} is a module, not a package; for a name in it write {package}:{name}"
    return f"{package} has no module {name}; it has {', '.join(there)}"


def _modules_in(package: str) -> list[str]:
    """The names of the modules in an imported package; none in a module."""
    path = getattr(sys.modules.get(package), "__path__", [])
    return sorted(one.name for one in iter_modules(path))
