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
    edges = np.minimum(np.maximum(np.concatenate(parts), within[0]), within[1])
    deltas = np.ones(2 * len(edges), dtype=np.int64)
    deltas[len(edges) :] = -1
    return edges.T.reshape(-1), deltas


def subtract_levels(one: LevelSteps, other: LevelSteps) -> LevelSteps:
    """The changes of one level minus another."""
    return np.concatenate([one[0], other[0]]), np.concatenate([one[1], -other[1]])


def steady(level: int, within: tuple[int, int]) -> Gauge:
    """The gauge of a level that does not change."""
    return Gauge(level * (within[1] - within[0]), level, level, level)


def rest(level: int, used: Gauge, within: tuple[int, int]) -> Gauge:
    """The gauge of a level that does not change, minus one that is never higher."""
    whole = level * (within[1] - within[0]) - used.integral
    return Gauge(whole, level - used.max, level - used.min, level - used.last)


def gauge(changes: LevelSteps, within: tuple[int, int], above: int = 0) -> Gauge:
    """The gauge of the part of a level that exceeds `above`, never below zero."""
    times, deltas = changes
    if not len(times):
        return Gauge()
    order = np.argsort(times, kind="stable")
    edges = np.concatenate([[within[0]], times[order], [within[1]]])
    levels = np.concatenate([[0], np.cumsum(deltas[order])])
    levels = np.maximum(levels - above, 0)
    lengths = edges[1:] - edges[:-1]
    lasting = levels[lengths > 0]
    if not len(lasting):
        return Gauge()
    return Gauge(
        integral=int((levels * lengths).sum()),
        min=int(lasting.min()),
        max=int(lasting.max()),
        last=int(lasting[-1]),
    )
