"""A plugin of pytest for SQLAlchemy's own tests: every pool that they make is measured."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial, wraps
from typing import Any

import pytest

_MEASURED: list[int] = []


def pytest_configure() -> None:
    """Measure each pool at the end of its constructor."""
    from sqlalchemy.pool import impl

    from loadtest.pool import event_listener

    # A mock of a connection has every attribute, also a TLS context, which keeps the mock alive.
    event_listener.getattr = lambda thing, name, *default: (  # type: ignore[attr-defined]
        None if name == "ctx" else getattr(thing, name, *default)
    )
    classes = (impl.QueuePool, impl.NullPool, impl.StaticPool, impl.SingletonThreadPool)
    for pool_class in (*classes, impl.AssertionPool):
        pool_class.__init__ = _then_measured(pool_class.__init__)  # type: ignore[method-assign]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many pools were measured: none would prove nothing."""
    terminalreporter.write_line(f"measured pools: {len(_MEASURED)}")


def _then_measured(original: Callable[..., None]) -> Callable[..., None]:
    @wraps(original)
    def construct(self: Any, *arguments: Any, **named: Any) -> None:
        original(self, *arguments, **named)
        # Once, although constructors call each other; the instrument itself follows `recreate`.
        if "connect" not in vars(self) and sys._getframe(1).f_code.co_name != "recreate":
            _measure(self)

    return construct


def _measure(pool: Any) -> None:
    """As `measure` does, without an engine."""
    from loadtest.pool import measure, measured_dialects, sqlalchemy_internals
    from loadtest.pool.event_listener import Listener
    from loadtest.pool.open_connections import OpenConnections
    from loadtest.pool.recorder import Recorder

    recorder = Recorder()
    recorder.own_users = False
    recorder.opened = OpenConnections(recorder.closes)
    listener = Listener(recorder)
    listener.released = measure._measured_return(listener, lambda record: None)
    listener.listen(pool)
    reset = partial(measured_dialects._measured_reset, recorder)
    ping = partial(measured_dialects._measured_ping, recorder)
    sqlalchemy_internals.give_own_dialect(pool, reset, ping)
    measure._shadow_pool(pool, listener)
    _MEASURED.append(id(pool))
