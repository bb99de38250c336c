"""Levels over time (connections in use, waiters), computed from spans of time."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike

from loadtest.model.distribution import Nanoseconds
from loadtest.model.interval import Gauge

LevelSteps = tuple[Nanoseconds, Nanoseconds]
"""The times (ns) at which a level changes, and the changes."""


def level_steps(spans: Iterable[ArrayLike], within: tuple[int, int]) -> LevelSteps:
    """Times and changes of the number of concurrent spans, clipped to a stretch of time.

    spans: arrays or lists of (start, end), of any length.
    """
    parts = [np.asarray(part, dtype=np.int64).reshape(-1, 2) for part in spans]
    edges = np.concatenate(parts).clip(*within)
    deltas = np.repeat(np.array([1, -1], dtype=np.int64), len(edges))
    return edges.T.reshape(-1), deltas


def subtract_levels(one: LevelSteps, other: LevelSteps) -> LevelSteps:
    """The changes of one level minus another."""
    return np.concatenate([one[0], other[0]]), np.concatenate([one[1], -other[1]])


def gauge(changes: LevelSteps, within: tuple[int, int], above: int = 0) -> Gauge:
    """The gauge of the part of a level that exceeds `above`, never below zero."""
    times, deltas = changes
    order = np.argsort(times, kind="stable")
    edges = np.concatenate([[within[0]], times[order], [within[1]]])
    levels = np.concatenate([[0], np.cumsum(deltas[order])])
    levels = np.maximum(levels - above, 0)
    lengths = np.diff(edges)
    lasting = levels[lengths > 0]
    if not len(lasting):
        return Gauge()
    return Gauge(
        integral=int((levels * lengths).sum()),
        min=int(lasting.min()),
        max=int(lasting.max()),
        last=int(lasting[-1]),
    )
