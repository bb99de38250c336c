"""The options that choose the pool: settings for a new one, or an application's own."""

from __future__ import annotations

import argparse
from argparse import Namespace
from collections.abc import Iterator
from typing import Any, get_args

from loadtest.model.errors import UsageError
from loadtest.model.field_types import validated
from loadtest.model.pool import AS_IS, POOLCLASSES, IsolationLevel, PoolConfig, ResetOnReturn

_POOL_FIELDS = tuple(name for name in PoolConfig.model_fields if name != "name")


class _Asked(argparse.Action):
    """Stores a setting and marks it as given: `--pool-size 5` equals the default."""

    def __call__(self, parser: Any, namespace: Namespace, values: Any, _flag: Any = None) -> None:
        setattr(namespace, self.dest, values)
        namespace.pool_asked_for = True


def add_pool(group: Any) -> None:
    """Add the pool's settings to a group of options."""
    add = group.add_argument
    add(
        "--poolclass",
        action=_Asked,
        choices=POOLCLASSES,
        default="QueuePool",
        help="QueuePool keeps connections; FairPool also serves waiters in order; NullPool keeps "
        "none; as-is: the application's own pool (default with --engine or --session, unless you "
        "give a setting)",
    )
    _add_sizes(add)
    flag: dict[str, Any] = {"action": "store_true", "default": False}
    add("--pool-pre-ping", help="ping each connection at checkout", **flag)
    add("--pool-use-lifo", help="use the most recently returned connection first", **flag)
    add(
        "--pool-reset-on-return",
        action=_Asked,
        choices=get_args(ResetOnReturn),
        default="rollback",
        help="statement to send when a connection is returned",
    )
    levels = ["", *get_args(IsolationLevel)]
    add("--isolation-level", choices=levels, default="", help="isolation level of the transactions")
    add("--pool-name", default="", help="name of this pool in results and metrics")


def _add_sizes(add: Any) -> None:
    for flag, kind, default, text in (
        ("--pool-size", int, 5, "connections to keep open (0: no limit)"),
        ("--max-overflow", int, 10, "connections beyond pool_size (-1: no limit)"),
        ("--pool-timeout", float, 30.0, "seconds to wait for a connection"),
        ("--pool-recycle", int, -1, "replace connections older than this many seconds (-1: never)"),
    ):
        add(flag, action=_Asked, type=kind, default=default, help=text)


def add_application(group: Any) -> None:
    """Add the options that name an application."""
    add, hide = group.add_argument, {"include_in_web_ui": False}
    add("--session", default="", help="your scoped_session or sessionmaker, MODULE:NAME", **hide)
    add("--engine", default="", help="your Engine, MODULE:NAME", **hide)


def settle_pool(options: Namespace) -> None:
    """Choose the application's own pool unless pool settings are given."""
    asked = getattr(options, "pool_asked_for", False)
    asked = asked or options.pool_pre_ping or options.pool_use_lifo
    if (options.session or options.engine) and not asked:
        options.poolclass = AS_IS


def pool_config(options: Namespace) -> PoolConfig:
    """The pool of these options; UsageError lists every mistake.

    Only values that differ from the defaults count as given, because a form sends all fields.
    """
    data = dict(_pool_settings(options))
    if options.pool_name:
        data["name"] = options.pool_name
    pool = validated(PoolConfig, data, "pool settings")
    try:
        pool.check_application(options.session or options.engine)
    except ValueError as error:
        raise UsageError(f"pool settings: {error}") from None
    return pool


def _pool_settings(options: Namespace) -> Iterator[tuple[str, Any]]:
    for name in _POOL_FIELDS:
        value = getattr(options, name)
        default = PoolConfig.model_fields[name].default
        if value not in (default, "" if default is None else default):
            yield name, value
