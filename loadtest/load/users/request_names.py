"""The names of requests: equal names of different scenarios get the scenario's name in front.

Without it, `buy` of two scenarios would share a row in Locust's statistics and in the results. The
names are read from the source, so all processes agree before the first request.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

# Their classes have no requests of a scenario.
_FRAMEWORKS = {"builtins", "locust", "loadtest"}

RequestNames = dict[type, dict[str, str]]
"""The new names of requests, by scenario and by the name in its code."""


def request_names(scenarios: Iterable[type]) -> RequestNames:
    """The new names where scenarios share one; the other requests keep theirs.

    A name belongs to the class or function that has the call `.session("name")`. So scenarios that
    inherit a task share its name. Names that are computed are not known.
    """
    owners = {scenario: _owners(scenario) for scenario in scenarios}
    homes: dict[str, set[Any]] = defaultdict(set)
    for names in owners.values():
        for name, owner in names.items():
            homes[name].add(owner)
    return {
        scenario: {name: f"{scenario.__name__}: {name}" for name in names if len(homes[name]) > 1}
        for scenario, names in owners.items()
    }


def _owners(scenario: Any) -> dict[str, Any]:
    """The names in a scenario, each with the class or function that has it."""
    classes = [cls for cls in scenario.__mro__ if cls.__module__.split(".")[0] not in _FRAMEWORKS]
    found: dict[str, Any] = {}
    for owner in (*classes, *scenario.tasks):
        for name in _names_in(owner):
            found.setdefault(name, owner)
    return found


def _names_in(code: Any) -> Iterator[str]:
    """The names in the calls `.session("name")` of a class or function; none without a source."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(code)))
    except (OSError, TypeError, SyntaxError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".session"):
            given = [*node.args, *(each.value for each in node.keywords)]
            if given and isinstance(given[0], ast.Constant) and isinstance(given[0].value, str):
                yield given[0].value
