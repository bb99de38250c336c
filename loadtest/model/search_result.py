"""The result of a search for the smallest pool, for `summary.json`."""

from __future__ import annotations

from typing import Literal

from loadtest.model.field_types import Interval95, Value


class SizeTried(Value):
    """A pool size that a search tried; times in seconds, throughput per second.

    throughput_ci95: over the rounds; with fewer than three, over their seconds. wait_p95_ci95: over
    the rounds; None with fewer than three. met: whether it meets the objective.
    """

    pool: str
    size: int
    rounds: int
    throughput: float | None
    throughput_ci95: Interval95 | None
    wait_p95: float | None
    wait_p95_ci95: Interval95 | None
    met: bool | None
    valid: bool


class Search(Value):
    """The result of a search for the smallest pool.

    size: the smallest good size, even if uncertain. worse_from: the first larger size that is
    worse. pool_timeout: the recommended value for this size. load_seconds: the total load time of
    all runs; grid_seconds: the load time of one run for every size up to `most`.
    processes, connections: of a driven application, those that serve requests, and the most
    connections of their pools of this size together. by_processes: the result for each number of
    processes, if several were searched; all other values are then those of the answer.
    """

    outcome: Literal["found", "missed", "invalid", "undecided"]
    most: int
    size: int | None
    worse_from: int | None
    pool_timeout: float | None
    load_seconds: float
    grid_seconds: float
    sizes: tuple[SizeTried, ...]
    processes: int | None = None
    connections: int | None = None
    by_processes: tuple[Search, ...] = ()
