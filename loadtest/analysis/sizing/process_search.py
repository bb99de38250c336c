"""A search with several numbers of processes: the fewest connections that are good enough."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from loadtest.analysis.pool_runs import Measurements
from loadtest.analysis.sizing.tuning import Tuning
from loadtest.model.search_result import Search
from loadtest.model.summary import PoolSummary


class SizedFleet(NamedTuple):
    """The smallest good pool with one number of processes."""

    processes: int
    connections: int
    pool: PoolSummary

    @property
    def throughput(self) -> float:
        """Its successful requests per second."""
        return self.pool.throughput.per_second or 0.0


@dataclass(frozen=True)
class ProcessSearch:
    """The searches with each number of processes that measured anything; asked: all numbers."""

    tunings: Mapping[int, Tuning]
    asked: Sequence[int]

    @classmethod
    def of(cls, measurements: Measurements, pools: Sequence[PoolSummary]) -> ProcessSearch:
        """The searches whose experiment.json these runs came with."""
        plan = measurements.plan
        parts = plan.search.by_processes if plan.search else ()
        numbers = [number for one in plan.driven for number in one.processes]
        every = {p.processes: Tuning.of(measurements, pools, p.processes) for p in parts}
        return cls({n: tuning for n, tuning in every.items() if tuning.runs} or every, numbers)

    @cached_property
    def results(self) -> dict[int, Search]:
        """The result of each search by the number of processes."""
        return {number: tuning.value for number, tuning in self.tunings.items()}

    @cached_property
    def sized(self) -> list[SizedFleet]:
        """The numbers of processes with a good pool, even if it is uncertain; the best one first.

        The best has the fewest connections, then the fewest processes. Those that lose throughput
        come last; see `loses`.
        """
        found = [
            SizedFleet(number, result.connections, self.tunings[number].sizes[result.size])
            for number, result in self.results.items()
            if result.size is not None and result.connections is not None
        ]
        most = max((one.throughput for one in found), default=0.0)
        return sorted(
            found, key=lambda one: (self._loses(one, most), one.connections, one.processes)
        )

    def loses(self, one: SizedFleet) -> bool:
        """Whether a number of processes does less than another one, by more than the margin.

        With users and an objective, only the objective counts.
        """
        return self._loses(one, max(other.throughput for other in self.sized))

    def _loses(self, one: SizedFleet, most: float) -> bool:
        tuning = self.tunings[one.processes]
        if tuning.bounds and not tuning.pilot.arrivals:
            return False
        return one.throughput < (1 - tuning.margin) * most

    @property
    def answer(self) -> SizedFleet | None:
        """The best number of processes so far; None if none has a good pool."""
        return next(iter(self.sized), None)

    @property
    def open(self) -> list[int]:
        """The numbers of processes that may still be better than the answer, or be one."""
        began = [n for n, result in self.results.items() if self._may_win(n, result)]
        return [*began, *(number for number in self.asked if number not in self.tunings)]

    def _may_win(self, number: int, result: Search) -> bool:
        if result.outcome not in ("undecided", "invalid"):
            return False
        answer = self.answer
        if answer is None or answer.processes == number:
            return True
        sizes = self.tunings[number].trials
        small = [size for size, t in sizes.items() if t.valid and t.met is False]
        least = 1 + max((s for s in small if s < (result.size or s + 1)), default=0)
        return (number * least, number) < (answer.connections, answer.processes)

    @property
    def value(self) -> Search:
        """The outcome of all searches together, with the values of the answer."""
        parts, answer = [*self.results.values()], self.answer
        whole = {
            "outcome": self._outcome(),
            "load_seconds": sum(part.load_seconds for part in parts),
            "grid_seconds": sum(part.grid_seconds for part in parts),
            "by_processes": tuple(parts),
        }
        if answer:
            return self.results[answer.processes].model_copy(update=whole)
        none: dict[str, Any] = {"size": None, "worse_from": None, "pool_timeout": None, "sizes": ()}
        none |= {"processes": None, "connections": None, "most": max(part.most for part in parts)}
        return parts[0].model_copy(update={**none, **whole})

    def _outcome(self) -> str:
        outcomes = [result.outcome for result in self.results.values()]
        if {*outcomes} == {"invalid"}:
            return "invalid"
        if self.open:
            return "undecided"
        return "found" if self.answer else "missed"
