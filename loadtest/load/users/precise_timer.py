"""Wakes greenlets at exact times; the event loop's timers have a resolution of 1 ms."""

from __future__ import annotations

import ctypes
import os
import sys
from collections import deque

import gevent
from gevent.event import Event
from gevent.monkey import is_module_patched

from loadtest.pool.checkout_batch import clock

_READABLE = 1
# From Linux's <sys/timerfd.h> and <time.h>; `clock` also uses CLOCK_MONOTONIC.
_MONOTONIC, _ABSOLUTE, _NONBLOCK = 1, 1, os.O_NONBLOCK


class _Setting(ctypes.Structure):
    """`struct itimerspec`: an interval, always zero, and the time."""

    _fields_ = [(name, ctypes.c_long) for name in ("_every", "_every_ns", "seconds", "nanoseconds")]


class PreciseTimer:
    """Lets greenlets sleep until given times, in ascending order.

    It uses one system timer (timerfd_create(2)), so a greenlet runs about 0.1 ms late instead of
    nearly 1 ms. Raises OSError if the system has no such timer.
    """

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._timer: int = self._libc.timerfd_create(_MONOTONIC, _NONBLOCK | os.O_CLOEXEC)
        if self._timer < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create failed")
        self._sleepers: deque[tuple[int, Event]] = deque()
        self._watcher = gevent.get_hub().loop.io(self._timer, _READABLE)
        self._watcher.start(self._ring)

    def sleep_until(self, moment: int) -> None:
        """Sleep until this moment (clock, ns)."""
        woken = Event()
        self._sleepers.append((moment, woken))
        if len(self._sleepers) == 1:
            self._set(moment)
        woken.wait()

    def close(self) -> None:
        """Release the timer; sleeping greenlets are not woken."""
        self._watcher.stop()
        self._watcher.close()
        os.close(self._timer)

    def _ring(self) -> None:
        os.read(self._timer, 8)
        while self._sleepers and self._sleepers[0][0] <= clock():
            self._sleepers.popleft()[1].set()
        if self._sleepers:
            self._set(self._sleepers[0][0])

    def _set(self, moment: int) -> None:
        setting = _Setting(0, 0, *divmod(moment, 1_000_000_000))
        self._libc.timerfd_settime(self._timer, _ABSOLUTE, ctypes.byref(setting), None)


def new_precise_timer() -> PreciseTimer | None:
    """A timer; None for threads, which sleep precisely, and on systems other than Linux."""
    exact = not is_module_patched("time") or sys.platform != "linux"
    return None if exact else PreciseTimer()
