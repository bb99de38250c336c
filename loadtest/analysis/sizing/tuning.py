"""A search for the smallest pool, read from its runs: what was tried, what comes next."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from loadtest.analysis.comparison.objective_check import check_objective, meets_objectives
from loadtest.analysis.findings import mostly_failing
from loadtest.analysis.findings.leaks import is_drained
from loadtest.analysis.pool_runs import Measurements, PoolRuns
from loadtest.analysis.sizing import size_search
from loadtest.analysis.sizing.initial_size import initial_size
from loadtest.analysis.sizing.size_search import MOST_ROUNDS, ROUNDS, SearchStep, Trial
from loadtest.analysis.statistics.censoring import describe
from loadtest.analysis.statistics.estimate import interval95
from loadtest.analysis.statistics.interim_analysis import ThroughputEstimate, rate_of
from loadtest.analysis.statistics.students_t import student_quantile
from loadtest.model.experiment import with_processes_name
from loadtest.model.field_types import Interval95
from loadtest.model.objective import Bound, parse_objective
from loadtest.model.search_result import Search, SizeTried
from loadtest.model.summary import PoolSummary
from loadtest.runfile.schema import SearchPart, SearchPlan

SEARCH_EXIT_CODES = {"found": 0, "missed": 3, "invalid": 4, "undecided": 5}
# SQLAlchemy's own default: a longer timeout would only delay errors.
LONGEST_TIMEOUT = 30
# A wait of this many times the longest one of a good pool is no longer the planned load.
TIMEOUT_FACTOR = 3


@dataclass(frozen=True)
class Tuning:
    """The pilot and the sizes that a search has tried.

    most: the largest size that it may try. margin: the share of the best throughput that an answer
    may lack. disturbed: the measured seconds of invalid runs that were repeated. processes: of a
    driven application, those that serve requests; None without one.
    """

    measurements: Measurements
    pilot: PoolSummary
    sizes: Mapping[int, PoolSummary]
    most: int
    margin: float
    disturbed: Sequence[float] = ()
    processes: int | None = None

    @classmethod
    def of(
        cls, measurements: Measurements, pools: Sequence[PoolSummary], number: int | None = None
    ) -> Tuning:
        """The search whose experiment.json these runs came with.

        number: of processes, if several were searched; only the runs with it count.
        """
        plan, search = measurements.plan, measurements.plan.search
        assert search, "these are the runs of a search"
        part: SearchPlan | SearchPart = search
        if number is not None:
            part = next(one for one in search.by_processes if one.processes == number)
            pools = [
                pool for pool in pools if pool.name == with_processes_name(_short(pool), number)
            ]
        baseline = measurements.baseline if number is None else pools[0].name
        pilot = next(pool for pool in pools if pool.name == baseline)
        return cls(
            measurements,
            pilot,
            {pool.pool.pool_size or 0: pool for pool in pools if pool is not pilot},
            part.most,
            plan.margin,
            part.disturbed,
            _processes(measurements, pilot) if number is None else number,
        )

    @property
    def application(self) -> str:
        """The application whose pool is searched; empty without one."""
        return str(self.measurements.experiment.get("application") or "")

    @cached_property
    def bounds(self) -> Sequence[Bound]:
        """The bounds of its objective."""
        return parse_objective(self.measurements.plan.objective)

    @cached_property
    def trials(self) -> dict[int, Trial]:
        """The same sizes, as the search sees them."""
        return {size: self._trial(pool) for size, pool in self.sizes.items()}

    @cached_property
    def present(self) -> Trial | None:
        """The pilot, as the search sees it; None in an open loop.

        There the throughput is that of the arrivals, which differ from round to round by chance.
        """
        return None if self.pilot.arrivals else self._trial(self.pilot)

    def trial(self, pool: PoolSummary) -> Trial:
        """One of the sizes, as the search sees it."""
        return self.trials[pool.pool.pool_size or 0]

    @property
    def runs(self) -> int:
        """The number of its runs that measured anything, without those that were repeated."""
        return self.pilot.rounds + sum(pool.rounds for pool in self.sizes.values())

    @property
    def contradicted(self) -> bool:
        """Whether the pilot did better than the answer."""
        return size_search.is_contradicted(self.trials, self.present, self.margin)

    @property
    def size(self) -> int | None:
        """The smallest good size so far."""
        return size_search.smallest_good_size(self.trials, self.margin)

    def next_step(self) -> SearchStep | None:
        """What to run next; None if the search is finished or hopeless."""
        if self.hopeless:
            return None
        if not self.trials:
            pilot, processes = self._runs(self.pilot), self.processes or 1
            return SearchStep(initial_size(pilot, self.most, self.bounds, processes), 1)
        return size_search.next_step(self.trials, self.most, self.margin, self.present)

    @property
    def hopeless(self) -> bool:
        """Whether more runs are useless: requests fail, connections leak, or nothing is valid."""
        if not self.pilot.throughput.per_second or is_drained(self.pilot):
            return True
        return not self.pilot.valid and any(not trial.valid for trial in self.trials.values())

    @property
    def best_rate(self) -> ThroughputEstimate | None:
        """The best throughput of a size that meets the objective, with its standard error."""
        able = [size for size, trial in self.trials.items() if trial.able]
        if not able:
            return None
        best = max(able, key=lambda size: self.trials[size].throughput)
        return _rate(self._runs(self.sizes[best]))

    @property
    def value(self) -> Search:
        """The outcome of the search."""
        load = self.measurements.load
        warmup, duration = load.warmup or 0.0, load.duration or 0.0
        pools = [self.pilot, *self.sizes.values()]
        return Search(
            outcome=self._outcome(),
            most=self.most,
            size=self.size,
            worse_from=size_search.worse_when_bigger(self.trials, self.margin),
            pool_timeout=self.pool_timeout,
            load_seconds=sum(pool.seconds + pool.rounds * warmup for pool in pools)
            + sum(seconds + warmup for seconds in self.disturbed),
            grid_seconds=self.most * (warmup + duration),
            sizes=tuple(self._tried(size) for size in sorted(self.sizes)),
            processes=self.processes,
            connections=self.size and self.processes and self.size * self.processes,
        )

    @property
    def longest(self) -> float | None:
        """The longest wait (s) with the answer; None if there is none, or it had not ended."""
        if self.size is None:
            return None
        waits = self.sizes[self.size].checkout.wait_seconds
        return None if "max" in waits.at_least else waits.max

    @property
    def pool_timeout(self) -> float | None:
        """A wait (s) that means overload, in whole seconds; None if unknown."""
        if self.longest is None:
            return None
        allowed = [
            bound.limit
            for bound in self.bounds
            if bound.path.startswith("checkout.wait_seconds.") and bound.at_most
        ]
        wait = TIMEOUT_FACTOR * max([self.longest, *allowed])
        return float(min(max(1, math.ceil(wait)), LONGEST_TIMEOUT))

    def _outcome(self) -> str:
        trials = self.trials.values()
        if (self.trials or not self.pilot.valid) and not any(t.valid for t in trials):
            return "invalid"
        if self.size is None:
            finished = self.trials and self.next_step() is None
            return "missed" if finished and all(t.met is False for t in trials) else "undecided"
        below = self.trials.get(self.size - 1)
        known = below is None or below.valid
        sure = known and self.trials[self.size].certain and not self.contradicted
        return "found" if sure and self.next_step() is None else "undecided"

    def _trial(self, pool: PoolSummary) -> Trial:
        """A pool as a trial: judged by values at first, by intervals after the last round."""
        last = pool.rounds >= MOST_ROUNDS
        by_value = tuple(check_objective(bound, pool, ()) for bound in self.bounds)
        throughput = pool.throughput.per_second or 0.0
        met = meets_objectives(pool if last else pool.model_copy(update={"objectives": by_value}))
        return Trial(
            throughput=throughput,
            met=met if throughput and not mostly_failing.fails_mostly(pool) else False,
            sure=meets_objectives(pool) if pool.rounds > 1 else None,
            rounds=pool.rounds,
            valid=pool.valid,
            steady=self._steady(pool),
        )

    def _steady(self, pool: PoolSummary) -> bool:
        """Whether the rounds agree in the throughput, to within the margin; of users only."""
        interval = pool.throughput.ci95
        if pool.rounds < ROUNDS or not interval or self.pilot.arrivals:
            return True
        low, high = interval
        return high - low <= self.margin * (high + low)

    def _runs(self, pool: PoolSummary) -> PoolRuns:
        return next(runs for runs in self.measurements.pools if runs.name == pool.name)

    def _tried(self, size: int) -> SizeTried:
        pool = self.sizes[size]
        return SizeTried(
            pool=pool.name,
            size=size,
            rounds=pool.rounds,
            throughput=pool.throughput.per_second,
            throughput_ci95=pool.throughput.ci95
            if pool.rounds >= ROUNDS
            else _over_seconds(self._runs(pool)),
            wait_p95=pool.checkout.wait_seconds.p95,
            wait_p95_ci95=_wait_interval(self._runs(pool)),
            met=meets_objectives(pool),
            valid=pool.valid,
        )


def _short(pool: PoolSummary) -> str:
    """The name of a pool without that of its variant."""
    return pool.name.rpartition(".")[0]


def _processes(measurements: Measurements, pilot: PoolSummary) -> int | None:
    """The processes that were asked for, or those that had pools; None without an application."""
    asked = [number for one in measurements.plan.driven for number in one.processes]
    driven = any(pool.driven for pool in measurements.pools)
    return next(iter(asked), pilot.processes if driven else None)


def _rate(pool: PoolRuns) -> ThroughputEstimate | None:
    return rate_of([one for round_ in pool.rounds for one in round_.data.batches])


def _over_seconds(pool: PoolRuns) -> Interval95 | None:
    found = _rate(pool)
    if found is None:
        return None
    seconds = sum(len(round_.data.batches) for round_ in pool.rounds)
    half = student_quantile(seconds - 1, 0.975) * found.error
    return found.mean - half, found.mean + half


def _wait_interval(pool: PoolRuns) -> Interval95 | None:
    if len(pool.rounds) < ROUNDS:
        return None
    waits = [describe(round_.times("wait", cut_off_by_waits=True)) for round_ in pool.rounds]
    if any("p95" in wait.at_least for wait in waits):
        return None  # bounds are no values
    return interval95([wait.p95 for wait in waits if wait.p95 is not None])
