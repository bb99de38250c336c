"""The options that say which pool is measured: one of these settings, or an application's own."""

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
    """Stores a setting and that it was given: `--pool-size 5` is the default, too."""

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
        help="QueuePool keeps connections, FairPool serves in turn, NullPool keeps none; as-is is "
        "the own pool of an --engine or --session (default there, unless a setting is given)",
    )
    _add_sizes(add)
    add("--pool-pre-ping", action="store_true", default=False, help="ping at every checkout")
    add("--pool-use-lifo", action="store_true", default=False, help="use the last returned first")
    add(
        "--pool-reset-on-return",
        action=_Asked,
        choices=get_args(ResetOnReturn),
        default="rollback",
        help="what is sent when a connection is returned",
    )
    levels = ["", *get_args(IsolationLevel)]
    add("--isolation-level", choices=levels, default="", help="of transactions")
    add("--pool-name", default="", help="what results and metrics call this pool")


def _add_sizes(add: Any) -> None:
    for flag, kind, default, text in (
        ("--pool-size", int, 5, "connections that are kept open (0: no limit)"),
        ("--max-overflow", int, 10, "connections beyond that (-1: no limit)"),
        ("--pool-timeout", float, 30.0, "seconds to wait for a connection"),
        ("--pool-recycle", int, -1, "replace connections older than this (s)"),
    ):
        add(flag, action=_Asked, type=kind, default=default, help=text)


def add_application(group: Any) -> None:
    """Add the options that name an application."""
    add, hide = group.add_argument, {"include_in_web_ui": False}
    add("--session", default="", help="your scoped_session or sessionmaker, MODULE:NAME", **hide)
    add("--engine", default="", help="your Engine, MODULE:NAME; measured as it is", **hide)


def settle_pool(options: Namespace) -> None:
    """Measure an application's own pool unless other settings were asked for."""
    asked = getattr(options, "pool_asked_for", False)
    asked = asked or options.pool_pre_ping or options.pool_use_lifo
    if (options.session or options.engine) and not asked:
        options.poolclass = AS_IS


def pool_config(options: Namespace) -> PoolConfig:
    """The pool that the options ask for; UsageError lists every mistake.

    Only what differs from Locust's defaults is passed on, since a form always sends everything.
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
