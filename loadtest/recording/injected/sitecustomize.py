"""Runs at the start of every Python process of a recorded command, because it is on PYTHONPATH.

It hooks SQLAlchemy when the application imports it. Before an engine is made it imports nothing but
the standard library: the application may be of another kind, or not yet patched by gevent.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import module_from_spec
from typing import Any

_HERE = os.path.dirname(os.path.abspath(__file__))
_HOOKED = "sqlalchemy.engine.url"


def _note(words: str) -> None:
    """Leave a word for the launcher, if it waits for one."""
    folder = os.environ.get("LOADTEST_RECORDING_NOTES")
    with suppress(OSError):  # the launcher may have ended
        if folder:
            with open(os.path.join(folder, str(os.getpid())), "a") as notes:
                notes.write(words + "\n")


class _Hook:
    """A finder that finds SQLAlchemy's URL as the others do, and changes it once it is loaded."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """The spec of another finder, for one module, once: a second SQLAlchemy is not recorded."""
        if name != _HOOKED:
            return None
        sys.meta_path.remove(self)
        finders = [getattr(finder, "find_spec", None) for finder in sys.meta_path]  # old ones: None
        specs = (find(name, path, target) for find in finders if find)
        spec = next(filter(None, specs), None)
        if spec and spec.loader:
            loader: Any = spec.loader
            load = loader.exec_module

            def exec_module(module: Any) -> None:
                load(module)
                _note("sqlalchemy")
                _add_plugin(module.URL)

            loader.exec_module = exec_module
        return spec


def _add_plugin(url: Any) -> None:
    """Add the plugin to every engine: `create_engine` asks the URL for the plugins."""
    original = url._instantiate_plugins

    def instantiate_plugins(self: Any, arguments: Any) -> Any:
        try:
            from loadtest.recording.engine_plugin import with_plugin

            arguments, outcome = with_plugin(arguments), "engine"
        except Exception as error:  # the application must start
            outcome = f"failed {sys.executable} cannot record: {error}"
        _note(outcome)
        return original(self, arguments)

    url._instantiate_plugins = instantiate_plugins


def _run_next() -> None:
    """Run the `sitecustomize` that this one hides, if there is one."""
    sys.path[:] = [folder for folder in sys.path if os.path.abspath(folder) != _HERE]
    spec = PathFinder.find_spec("sitecustomize", sys.path)
    if spec and spec.loader:
        sys.modules["sitecustomize"] = module = module_from_spec(spec)
        spec.loader.exec_module(module)


_note("python")
sys.meta_path.insert(0, _Hook())
_run_next()
