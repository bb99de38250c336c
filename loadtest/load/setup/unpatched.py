"""What a process needs in which sockets block the event loop, since gevent patched nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gevent.monkey import is_module_patched
from gevent.threadpool import ThreadPool


def run_unpatched(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that waits for a network, made so that the event loop goes on meanwhile.

    Where gevent patched the sockets it does that anyway; else it is called in a thread.
    """
    if is_module_patched("socket"):
        return function
    pool = ThreadPool(1)
    return lambda *arguments: pool.apply(function, arguments)
