"""The fields of the start form: their groups, their first values, and when they have no effect."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from loadtest.load.options.pool_options import application_of
from loadtest.load.options.run_options import Added, actions
from loadtest.model.pool import AS_IS

FIRST_USERS = 50
FIRST_WARMUP = "2s"
_OTHERS = "Other options"

Rule = tuple[Mapping[str, str], str]
"""When a field has no effect: a pattern for the value of each other field, and the reason."""

_NONE_KEPT: Rule = ({"poolclass": "^NullPool$"}, "no effect: NullPool keeps no connections")
_NONE_WAITS = "no effect: without a limit, no request waits"
_CLOSED_LOOP: Rule = (
    {"arrival_rate": r"^\s*0*[.]?0*\s*$", "stages": "^[^/]*$"},
    "open loop only: set arrival_rate, or stages in requests per second",
)
_RULES: dict[str, list[Rule]] = {
    "pool_size": [_NONE_KEPT],
    "max_overflow": [_NONE_KEPT, ({"pool_size": "^0+$"}, "no effect: pool_size 0 is no limit")],
    "pool_timeout": [
        _NONE_KEPT,
        ({"pool_size": "^0+$"}, _NONE_WAITS),
        ({"max_overflow": "^-1$"}, _NONE_WAITS),
    ],
    "pool_recycle": [_NONE_KEPT],
    "pool_pre_ping": [_NONE_KEPT],
    "pool_use_lifo": [_NONE_KEPT],
    "prefill": [_NONE_KEPT],
    "arrival_rate": [({"stages": r"\S"}, "no effect: stages set the rate")],
    "arrivals": [_CLOSED_LOOP],
    "drop_after": [_CLOSED_LOOP],
}


def first_values(options: Namespace, fields: Mapping[str, Any], *, first: bool) -> dict[str, Any]:
    """The values in a form: those of the options, and other defaults than the command line's.

    fields: Locust's defaults. first: whether no form was sent yet.
    """
    values = {name: getattr(options, name, default) for name, default in fields.items()}
    if first and "warmup" in values and "warmup" not in getattr(options, "asked_for", []):
        values["warmup"] = FIRST_WARMUP
    return values


def first_load(users: int | None, spawn_rate: float | None) -> dict[str, float]:
    """The users and the spawn rate in a form, with defaults for those that are not given."""
    users = users or FIRST_USERS
    return {"num_users": users, "spawn_rate": spawn_rate or users}


def offered(options: Namespace, name: str, choices: Collection[str]) -> list[str]:
    """The choices that an option has in this process: as-is needs an application."""
    without = name == "poolclass" and not application_of(options)
    return [choice for choice in choices if not (without and choice == AS_IS)]


def help_of(options: Namespace, name: str, text: str) -> str:
    """The help of a field, without a choice that this process does not offer."""
    return text if AS_IS in offered(options, name, [AS_IS]) else text.partition(f"; {AS_IS}")[0]


def field_groups(
    added: Added, classes: Iterable[type], names: Collection[str]
) -> list[tuple[str, list[str]]]:
    """The fields by the titles of their groups; a scenario that does not run has none.

    classes: the user classes that can run. names: all fields; those of other plug-ins come last.
    """
    running = tuple(classes)
    own = [group for group in (*added.own, *added.scenarios) if group.concerns(running)]
    known = {action.dest for action in actions([*added.own, *added.scenarios])}
    groups = [(group.title, [a.dest for a in group.actions if a.dest in names]) for group in own]
    groups.append((_OTHERS, [name for name in names if name not in known]))
    return [(title, fields) for title, fields in groups if fields]


def without_effect(options: Namespace, name: str) -> list[dict[str, Any]]:
    """The rules for a field as the page's script reads them; it then has its neutral value."""
    rules = _RULES.get(name, [])
    if name == "isolation_level" and application_of(options):
        rules = [({}, "no effect: the application sets its own")]
    return [{"when": dict(patterns), "why": why} for patterns, why in rules]
