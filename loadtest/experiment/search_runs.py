"""The runs of a search for the smallest pool: a pilot, then one size after another."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from loadtest.analysis.sizing.size_search import PRESENT_POOL, SearchStep, most_runs
from loadtest.analysis.sizing.tuning import Tuning
from loadtest.analysis.statistics.interim_analysis import ThroughputEstimate, early_conclusion
from loadtest.analysis.summarize import summarize
from loadtest.analysis.units import duration, rate
from loadtest.experiment.disturbed_runs import Repeats
from loadtest.experiment.rounds import Progress, run_in, write_down
from loadtest.experiment.run_plan import SECONDS_BESIDE_LOAD, RunPlan
from loadtest.experiment.single_run import Databases, Enough, Watch
from loadtest.model.errors import CannotGoOn, LoadtestError
from loadtest.model.experiment import Experiment
from loadtest.model.interval import Interval
from loadtest.model.objective import parse_objective
from loadtest.model.pool import AS_IS, PoolConfig
from loadtest.model.summary import PoolSummary
from loadtest.report.render import read_measurements


def searched_pools(
    experiment: Experiment, at_most: int, per_user: int
) -> tuple[PoolConfig, PoolConfig]:
    """The present pool, with which a search begins, and the largest pool that it may try.

    In a closed loop the largest pool is capped at the connections that its users can hold.
    per_user: the most connections that each of them holds at once.
    """
    now = PoolConfig(poolclass=AS_IS) if experiment.named_engine else PoolConfig(name="default")
    closed = experiment.load.highest_rate is None
    most = min(at_most, experiment.load.users * per_user) if closed else at_most
    return now, pool_of_size(most)


def pool_of_size(size: int) -> PoolConfig:
    """A pool of this size without overflow."""
    return PoolConfig(pool_size=size, max_overflow=0)


def longest_seconds(experiment: Experiment) -> float:
    """The longest time of a search (s); experiment: with the pools of `searched_pools`."""
    load = experiment.load
    runs = most_runs(experiment.pool[1].pool_size)
    return runs * (load.warmup + load.duration + SECONDS_BESIDE_LOAD)


def search(experiment: Experiment, at: Databases, folder: Path, progress: Progress) -> bool:
    """Do the runs of a search; False if it was interrupted.

    experiment: with the pools of `searched_pools`. A size that measures nothing counts as one
    without a result. Raises LoadtestError if the pilot fails, because all runs would fail; and
    EndedForOthers.
    """
    return _Searching(experiment, at, folder, progress).all()


class _Searching:
    def __init__(
        self, experiment: Experiment, at: Databases, folder: Path, progress: Progress
    ) -> None:
        self._experiment, self._at = experiment, at
        self._folder, self._progress = folder, progress
        self._pilot, self._largest = experiment.pool
        self._tried: dict[int, PoolConfig] = {}
        self._left = most_runs(self._largest.pool_size)
        self._repeats = Repeats(progress.tell, progress.disturbed)

    def all(self) -> bool:
        """Do the pilot, then the steps that follow from the results so far."""
        try:
            self._do(self._plan(self._pilot, 1))
            while self._left > 0:
                tuning = self._tuning()
                step = tuning.next_step()
                if step is None:
                    return True
                self._try(step, tuning.best_rate)
        except KeyboardInterrupt:
            return False
        return True

    def _try(self, step: SearchStep, best: ThroughputEstimate | None) -> None:
        """Do one step. The first run of a size may end early; further rounds do not."""
        pool = self._pilot
        if step.size != PRESENT_POOL:
            pool = self._tried.setdefault(step.size, pool_of_size(step.size))
        plan = self._plan(pool, step.round)
        try:
            self._do(plan, best, to_its_end=step.round > 1)
        except CannotGoOn:
            raise
        except LoadtestError as error:
            self._progress.failed(plan, error)

    def _plan(self, pool: PoolConfig, round_: int) -> RunPlan:
        experiment = self._experiment
        return RunPlan(experiment, pool, round_, experiment.load.models[0], experiment.servers[0])

    def _do(
        self, plan: RunPlan, best: ThroughputEstimate | None = None, *, to_its_end: bool = True
    ) -> None:
        """Do a run, and repeat it if other programs disturbed it.

        The repeat does not count: the search may take as many runs without it.
        """
        self._left -= 1
        self._write_down()
        self._progress.begin(plan)
        once = partial(self._once, plan, best, to_its_end)
        if self._repeats.run(plan, self._folder, once):
            self._write_down()
        self._progress.end(plan)
        self._progress.tell(_came_to(self._tuning(), plan))

    def _once(self, plan: RunPlan, best: ThroughputEstimate | None, to_its_end: bool) -> None:
        watch = self._watch(None if to_its_end else self._look(best))
        run_in(self._folder, plan, self._at[plan.database], watch)

    def _write_down(self) -> None:
        ordered = [pool for _, pool in sorted(self._tried.items())]
        seconds = [one["seconds"] for one in self._repeats.done]
        more = {"most": self._largest.pool_size, "disturbed": seconds}
        write_down(self._experiment, [self._pilot, *ordered], self._folder, search=more)

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
        return Tuning.of(measurements, summarize(measurements).pools)


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
