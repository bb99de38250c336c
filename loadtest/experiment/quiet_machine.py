"""Waits until other programs leave the machine's processors alone."""

from __future__ import annotations

from collections.abc import Callable

import psutil

from loadtest.analysis.units import percent

QUIET_CPU = 0.20
"""The machine is quiet if less than this share of its processors is in use."""
_SAMPLE_SECONDS = 1.0
_MOST_SAMPLES = 30


def wait_until_quiet(tell: Callable[[str], None], used: Callable[[], float] | None = None) -> bool:
    """Wait between two runs, for at most 30 s; returns whether the machine is quiet now.

    tell: receives the reason for a wait. used: measures the share of the processors in use, over
    a second.
    """
    used = used or _used
    if used() < QUIET_CPU:
        return True
    limit = f"{_MOST_SAMPLES * _SAMPLE_SECONDS:.0f} s"
    share = percent(QUIET_CPU)
    tell(f"  waiting at most {limit} until less than {share} of the processors are in use")
    for _ in range(_MOST_SAMPLES - 1):
        if used() < QUIET_CPU:
            return True
    tell(f"  the machine was not quiet within {limit}; repeating the run all the same")
    return False


def _used() -> float:
    return psutil.cpu_percent(_SAMPLE_SECONDS) / 100
