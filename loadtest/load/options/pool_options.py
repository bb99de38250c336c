"""The options that choose the pool: settings for a new one, or an application's own."""

from __future__ import annotations

import argparse
from argparse import Namespace
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from loadtest.model.errors import UsageError
from loadtest.model.field_types import validated
from loadtest.model.pool import AS_IS, POOLCLASSES, IsolationLevel, PoolConfig, ResetOnReturn

POOL_SETTINGS = "pool settings"
"""Where the mistakes in a pool's options stand, by its errors."""

# SQLAlchemy's defaults of all settings; of those without one, the option's.
_DEFAULTS = {
    name: "" if field.default is None else field.default
    for name, field in PoolConfig.model_fields.items()
    if name != "name"
}


class Asked(argparse.Action):
    """Stores an option and marks it as given: `--pool-size 5` equals the default."""

    def __call__(self, parser: Any, namespace: Namespace, values: Any, flag: Any = None) -> None:
        _mark(namespace, self.dest)
        setattr(namespace, self.dest, values)


class _AskedFlag(argparse.BooleanOptionalAction):
    """The same for a setting that is on or off: `--pool-pre-ping`, `--no-pool-pre-ping`."""

    def __init__(self, *, help: str, **more: Any) -> None:
        super().__init__(**more)
        self.help = help  # without the default, which argparse would add

    def __call__(self, parser: Any, namespace: Namespace, values: Any, flag: Any = None) -> None:
        _mark(namespace, self.dest)
        super().__call__(parser, namespace, values, flag)


def _mark(namespace: Namespace, name: str) -> None:
    """Mark an option as given, in a list, because the options are sent to workers."""
    namespace.asked_for = sorted({*getattr(namespace, "asked_for", []), name})


def add_pool(group: Any) -> None:
    """Add the pool's settings to a group of options."""
    add = group.add_argument
    add(
        "--poolclass",
        action=Asked,
        choices=POOLCLASSES,
        default="QueuePool",
        help="QueuePool keeps connections; FairPool also serves waiters in order; NullPool keeps "
        "none; as-is (default with --engine or --session): the class of the application's own pool",
    )
    _add_sizes(add)
    flag: dict[str, Any] = {"action": _AskedFlag, "default": False}
    add("--pool-pre-ping", help="ping each connection at checkout", **flag)
    add("--pool-use-lifo", help="use the most recently returned connection first", **flag)
    add(
        "--pool-reset-on-return",
        action=Asked,
        choices=get_args(ResetOnReturn),
        default="rollback",
        help="statement to send when a connection is returned",
    )
    levels = ["", *get_args(IsolationLevel)]
    add(
        "--isolation-level",
        action=Asked,
        choices=levels,
        default="",
        help="isolation level of the transactions",
    )
    add("--pool-name", default="", help="name of this pool in results and metrics")


def _add_sizes(add: Any) -> None:
    for flag, kind, default, text in (
        ("--pool-size", int, 5, "connections to keep open (0: no limit)"),
        ("--max-overflow", int, 10, "connections beyond pool_size (-1: no limit)"),
        ("--pool-timeout", float, 30.0, "seconds to wait for a connection"),
        ("--pool-recycle", int, -1, "replace connections older than this many seconds (-1: never)"),
    ):
        add(flag, action=Asked, type=kind, default=default, help=text)


def add_application(group: Any) -> None:
    """Add the options that name an application."""
    add, hide = group.add_argument, {"include_in_web_ui": False}
    add("--session", default="", help="your scoped_session or sessionmaker, MODULE:NAME", **hide)
    add("--engine", default="", help="your Engine, MODULE:NAME", **hide)


def settle_pool(options: Namespace, own: Mapping[str, Any]) -> None:
    """Fill in the settings of an application's pool, except for those that are given.

    own: these settings, as from `settings_of`. They become the defaults of the run: the start form
    shows them, and only values that differ from them are changes.
    """
    known = {name: own[name] for name in _DEFAULTS if own.get(name) is not None}
    typed = {name: type(_DEFAULTS[name])(value) for name, value in known.items()}
    kept = {**typed, "poolclass": AS_IS}
    options.pool_defaults = _DEFAULTS | kept
    asked = getattr(options, "asked_for", [])
    vars(options).update({name: kept[name] for name in kept if name not in asked})


def pool_default(options: Namespace, name: str, otherwise: Any) -> Any:
    """The default of an option in this run; otherwise: if it is not a setting of the pool."""
    known: Mapping[str, Any] = getattr(options, "pool_defaults", _DEFAULTS)
    return known.get(name, otherwise)


def application_of(options: Namespace) -> str:
    """The application whose pool is under test, as the options name it; empty without one."""
    # The pool of a driven application is its own, too.
    return str(options.session or options.engine or ("driven" if options.driving else ""))


def pool_config(options: Namespace) -> PoolConfig:
    """The pool of these options; UsageError lists every mistake.

    Only values that differ from the defaults count as given, because a form sends all fields.
    """
    data = dict(_pool_settings(options))
    if options.pool_name:
        data["name"] = options.pool_name
    pool = validated(PoolConfig, data, POOL_SETTINGS)
    application = application_of(options)
    try:
        pool.check_application(application)
    except ValueError as error:
        raise UsageError(f"{POOL_SETTINGS}: {error}") from None
    return pool.of_application() if application else pool


def _pool_settings(options: Namespace) -> Iterator[tuple[str, Any]]:
    for name in _DEFAULTS:
        value = getattr(options, name)
        if value != pool_default(options, name, None):
            yield name, value
