"""The runs of a search for the smallest pool: a pilot, then one size after another."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from loadtest.analysis.sizing.size_search import PRESENT_POOL, SearchStep, most_runs
from loadtest.analysis.sizing.tuning import Tuning
from loadtest.analysis.statistics.interim_analysis import ThroughputEstimate, early_conclusion
from loadtest.analysis.summarize import summarize
from loadtest.analysis.units import duration, rate
from loadtest.experiment.disturbed_runs import Repeats
from loadtest.experiment.rounds import Progress, run_in, write_down
from loadtest.experiment.run_plan import SECONDS_BESIDE_LOAD, RunPlan
from loadtest.experiment.single_run import Database, Databases, Enough, Watch
from loadtest.model.errors import CannotGoOn, LoadtestError
from loadtest.model.experiment import Experiment, with_processes_name
from loadtest.model.interval import Interval
from loadtest.model.objective import parse_objective
from loadtest.model.pool import AS_IS, PoolConfig, pool_of_size
from loadtest.model.summary import PoolSummary
from loadtest.report.render import read_measurements


def searched_pools(
    experiment: Experiment, at_most: int, per_user: int
) -> tuple[PoolConfig, PoolConfig]:
    """The present pool, with which a search begins, and the largest pool that it may try.

    In a closed loop the largest pool is capped at the connections that its users can hold.
    per_user: the most connections that each of them holds at once.
    """
    own = experiment.named_engine or experiment.application
    now = PoolConfig(poolclass=AS_IS) if own else PoolConfig(name="default")
    closed = experiment.load.highest_rate is None
    most = min(at_most, experiment.load.users * per_user) if closed else at_most
    return now, pool_of_size(most)


def most_search_runs(experiment: Experiment) -> int:
    """The most runs of a search; experiment: with the pools of `searched_pools`."""
    return max(1, len(experiment.processes)) * most_runs(experiment.pool[1].pool_size)


def longest_seconds(experiment: Experiment) -> float:
    """The longest time of a search (s); experiment: with the pools of `searched_pools`."""
    load = experiment.load
    each = load.warmup + load.duration + SECONDS_BESIDE_LOAD
    return most_search_runs(experiment) * each


def search(experiment: Experiment, at: Databases, folder: Path, progress: Progress) -> bool:
    """Do the runs of a search; False if it was interrupted.

    experiment: with the pools of `searched_pools`. If several numbers of processes are asked for,
    it searches with one after the other. A size that measures nothing counts as one without a
    result. Raises LoadtestError if a pilot fails, because all runs would fail; and EndedForOthers.
    """
    numbers = experiment.processes
    several = numbers if len(numbers) > 1 else (None,)
    record = _SearchRecord(experiment, folder)
    return all(_Searching(experiment, at, record, progress, one).all() for one in several)


class _SearchRecord:
    """What experiment.json says about a search; parts: of each number of processes that began."""

    def __init__(self, experiment: Experiment, folder: Path) -> None:
        self._experiment, self.folder = experiment, folder
        self.parts = list[_Searching]()

    def write_down(self) -> None:
        """Write it again."""
        pools = [pool for part in self.parts for pool in part.pools]
        most = self._experiment.pool[1].pool_size
        more: dict[str, Any] = {"most": most, "disturbed": []}
        for part in self.parts:
            if part.number is None:
                more = part.told
            else:
                told = {"processes": part.number, **part.told}
                more.setdefault("by_processes", []).append(told)
        write_down(self._experiment, pools, self.folder, search=more)


class _Searching:
    """The search with one number of processes; number: None if there is only one search."""

    def __init__(
        self,
        experiment: Experiment,
        at: Databases,
        record: _SearchRecord,
        progress: Progress,
        number: int | None,
    ) -> None:
        self._experiment = experiment if number is None else experiment.with_processes(number)
        self._at, self._record, self._folder = at, record, record.folder
        self._progress, self.number = progress, number
        pilot, largest = experiment.pool
        asked = self._experiment.processes or (0,)
        self._pilot = self._named(pilot)
        room = at[self._plan(self._pilot, 1).database].driven.largest_pools
        self._most = room.get(asked[0], largest.pool_size)
        self._tried: dict[int, PoolConfig] = {}
        self._left = most_runs(self._most)
        self._repeats = Repeats(progress.tell, progress.disturbed)
        record.parts.append(self)

    def _named(self, pool: PoolConfig) -> PoolConfig:
        """A pool under its name in results."""
        if self.number is None:
            return pool
        return pool.renamed(with_processes_name(pool.name, self.number))

    @property
    def pools(self) -> list[PoolConfig]:
        """The pools so far, the present one first."""
        return [self._pilot, *(pool for _, pool in sorted(self._tried.items()))]

    @property
    def told(self) -> dict[str, Any]:
        """What a reader of the runs must know about the search."""
        return {"most": self._most, "disturbed": [one["seconds"] for one in self._repeats.done]}

    def all(self) -> bool:
        """Do the pilot, then the steps that follow from the results so far."""
        try:
            tuning = self._do(self._plan(self._pilot, 1))
            while self._left > 0:
                step = tuning.next_step()
                if step is None:
                    return True
                tuning = self._try(step, tuning.best_rate)
        except KeyboardInterrupt:
            return False
        return True

    def _try(self, step: SearchStep, best: ThroughputEstimate | None) -> Tuning:
        """Do one step. The first run of a size may end early; further rounds do not."""
        pool = self._pilot
        if step.size != PRESENT_POOL:
            pool = self._tried.setdefault(step.size, self._named(pool_of_size(step.size)))
        plan = self._plan(pool, step.round)
        try:
            return self._do(plan, best, to_its_end=step.round > 1)
        except CannotGoOn:
            raise
        except LoadtestError as error:
            self._progress.failed(plan, error)
        return self._tuning()

    def _plan(self, pool: PoolConfig, round_: int) -> RunPlan:
        experiment = self._experiment
        return RunPlan(experiment, pool, round_, experiment.load.models[0], experiment.servers[0])

    def _do(
        self, plan: RunPlan, best: ThroughputEstimate | None = None, *, to_its_end: bool = True
    ) -> Tuning:
        """Do a run, and repeat it if other programs disturbed it; returns what is known then.

        The repeat does not count: the search may take as many runs without it.
        """
        self._left -= 1
        self._record.write_down()
        self._progress.begin(plan)
        once = partial(self._once, plan, best, to_its_end)
        if self._repeats.run(plan, self._folder, once):
            self._record.write_down()
        self._progress.end(plan)
        tuning = self._tuning()
        self._progress.tell(_came_to(tuning, plan))
        return tuning

    def _once(self, plan: RunPlan, best: ThroughputEstimate | None, to_its_end: bool) -> None:
        watch = self._watch(None if to_its_end else self._look(best))
        run_in(self._folder, plan, self._limited(self._at[plan.database], plan.pool), watch)

    def _limited(self, at: Database, pool: PoolConfig) -> Database:
        """The database of an application with the ceiling of this pool, if processes have one."""
        known = at.driven.ceilings
        if not known:
            return at
        pilot, largest = (known[one.name] for one in self._experiment.pool)
        ceiling = pilot if pool is self._pilot else min(pool.pool_size, largest)
        return replace(at, driven=replace(at.driven, ceilings={pool.name: ceiling}))

    def _watch(self, look: Watch | None) -> Watch:
        def watch(interval: Interval) -> None:
            self._progress.interval(interval)
            if look:
                look(interval)

        return watch

    def _look(self, best: ThroughputEstimate | None) -> Watch:
        """A watch that ends a run as soon as its result is clear."""
        experiment, measured = self._experiment, list[Interval]()
        bounds = parse_objective(experiment.objective)

        def look(interval: Interval) -> None:
            if interval.period != "measured":
                return
            measured.append(interval)
            duration = experiment.load.duration
            clear = early_conclusion(measured, duration, bounds, best, experiment.margin)
            if clear:
                raise Enough(clear)

        return look

    def _tuning(self) -> Tuning:
        measurements = read_measurements([self._folder])
        return Tuning.of(measurements, summarize(measurements).pools, self.number)


def _came_to(tuning: Tuning, plan: RunPlan) -> str:
    """The line about a run: throughput, wait, and whether it meets the objective."""
    pool = next(one for one in (tuning.pilot, *tuning.sizes.values()) if one.name == plan.pool.name)
    words = [
        f"{pool.name}: {rate(pool.throughput.per_second)} per second",
        f"wait p95 {duration(pool.checkout.wait_seconds.p95)}",
        *_judgement(tuning, pool),
    ]
    return f"  {', '.join(words)}"


def _judgement(tuning: Tuning, pool: PoolSummary) -> list[str]:
    if not pool.valid:
        return ["not valid"]
    if pool is tuning.pilot:
        return []
    met = tuning.trial(pool).met
    judged = {True: "meets the objective", False: "misses the objective", None: "undecided"}
    rounds = [f"{pool.rounds} rounds"] if pool.rounds > 1 else []
    return [*rounds, *([judged[met]] if pool.objectives else [])]
