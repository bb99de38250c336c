"""Support for a process without gevent's patches, in which sockets block the event loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gevent.monkey import is_module_patched
from gevent.threadpool import ThreadPool


def run_unpatched(function: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a function that waits for the network, so that the event loop goes on meanwhile.

    With patched sockets the function is unchanged; otherwise it is called in a thread.
    """
    if is_module_patched("socket"):
        return function
    pool = ThreadPool(1)
    return lambda *arguments: pool.apply(function, arguments)
