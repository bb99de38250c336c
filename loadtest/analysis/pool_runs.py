"""Runs, sorted into pools and rounds and reduced to their measured time."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property, reduce
from typing import Any

from loadtest.analysis.comparison.comparability import refuse_incomparable
from loadtest.analysis.given_names import with_given_names
from loadtest.analysis.statistics.censoring import CensoredTimes
from loadtest.model.distribution import Distribution
from loadtest.model.errors import UsageError
from loadtest.model.interval import Interval, TaskUse, total
from loadtest.model.load import Stage
from loadtest.model.pool import AS_IS, PoolSettings
from loadtest.runfile.reader import Run
from loadtest.runfile.schema import ExperimentPlan, Header, Load, plan_of

SECOND = 1_000_000_000


@dataclass(frozen=True)
class Round:
    """The measured time of one run: what all of its processes did together."""

    run: Run

    @cached_property
    def processes(self) -> Mapping[str, Interval]:
        """The total of each process, by the process's name."""
        parts: dict[str, list[Interval]] = defaultdict(list)
        for interval in self.run.measured():
            parts[interval.process].append(interval)
        return {name: total(intervals) for name, intervals in parts.items()}

    @cached_property
    def together(self) -> Interval:
        """All processes side by side; its length is that of the longest.

        Where one process took over from another, it is the time in which there was any.
        """
        together = reduce(Interval.beside, self.processes.values(), Interval(0, length=0))
        covered = sum(max(lengths.values()) for lengths in self._lengths.values())
        if covered > together.length + SECOND:  # those who begin together do so within a second
            together.length = covered
        return together

    @cached_property
    def _lengths(self) -> Mapping[int, Mapping[str, int]]:
        """How much of each second each process measured (ns)."""
        lengths: dict[int, Counter[str]] = defaultdict(Counter)
        for interval in self.run.measured():
            lengths[interval.second][interval.process] += interval.length
        return lengths

    @property
    def most_at_once(self) -> int:
        """The most processes that measured in the same second."""
        return max((len(lengths) for lengths in self._lengths.values()), default=1)

    @cached_property
    def server(self) -> Interval:
        """What the database server said of itself meanwhile; empty if it was not asked."""
        return total(i for i in self.run.server if i.period == "measured")

    @property
    def key(self) -> tuple[str, int]:
        """What rounds of different pools are paired by: their folder and number."""
        return str(self.run.path.parent), self.run.header.round

    @property
    def seconds(self) -> float:
        """How long was measured."""
        return self.together.length / SECOND

    @property
    def successes(self) -> int:
        """Requests that ended well."""
        return self.together.counters["requests"] - self.together.counters["failures"]

    @property
    def throughput(self) -> float:
        """Requests per second that ended well."""
        return self.successes / self.seconds

    def times(self, name: str, cut_off_by_waits: bool = False) -> CensoredTimes:
        """A histogram of the measured time, with the unfinished waits where they bear on it."""
        finished = self.together.histograms.get(name, Distribution())
        if not cut_off_by_waits:
            return CensoredTimes(finished)
        going_on, entered = self.together.unfinished, self._waiting_at_the_start()
        return CensoredTimes(finished, going_on, entered, self._throughout(going_on, entered))

    def _waiting_at_the_start(self) -> Distribution:
        """Ages of the waits that were going on when measuring began: what the warm-up left."""
        last = {i.process: i for i in self.run.intervals if i.period == "warmup"}
        return sum((interval.unfinished for interval in last.values()), Distribution())

    def _throughout(self, going_on: Distribution, entered: Distribution) -> int:
        """How many waits lasted for longer than was measured: from before it until its end."""
        if not going_on.count or not entered.count:
            return 0
        longer = sum(n for end, n in going_on.bins() if end * 1000 > self.together.length)
        return min(longer, entered.count)

    def peak(self, gauge: str) -> int | None:
        """The highest level of a gauge, an upper bound with several processes; None if unknown."""
        levels: dict[int, dict[str, int]] = defaultdict(dict)
        for interval in self.run.measured():
            if gauge in interval.gauges:
                second = levels[interval.second]
                highest = max(second.get(interval.process, 0), interval.gauges[gauge].max)
                second[interval.process] = highest
        return max((sum(second.values()) for second in levels.values()), default=None)

    @property
    def busiest(self) -> Interval:
        """The process that used the most CPU for its time."""
        return max(self.processes.values(), key=lambda p: p.counters["cpu"] / max(p.length, 1))

    def saturated_share(self, limit: float) -> float:
        """The share of the busiest process's measured time spent at or above so much CPU."""
        name = self.busiest.process
        mine = [i for i in self.run.measured() if i.process == name]
        busy = sum(i.length for i in mine if i.counters["cpu"] >= limit * i.length)
        return busy / max(sum(i.length for i in mine), 1)


def _of_stage(run: Run, name: str) -> Run:
    """What a run measured in a stage; what came before it is its warm-up."""
    before: list[Interval] = []
    own: list[Interval] = []
    for interval in run.intervals:
        if interval.period == "measured" and interval.stage == name:
            own.append(interval)
        elif not own:
            before.append(replace(interval, period="warmup"))
    server = [interval for interval in run.server if interval.stage == name]
    return replace(run, intervals=[*before, *own], server=server)


@dataclass(frozen=True)
class PoolRuns:
    """One pool configuration: its settings, its runs, and the rounds that measured anything.

    attempts: a round for each run; what one has added up is there for whoever shares it.
    given: what the person called it, the same for all models of users and servers; with the model
    and the server it tells a pool from all others, as its name does.
    """

    name: str
    settings: PoolSettings
    attempts: Sequence[Round]
    given: str = ""

    @property
    def runs(self) -> Sequence[Run]:
        """Its runs, those that measured nothing included."""
        return [round_.run for round_ in self.attempts]

    @cached_property
    def rounds(self) -> Sequence[Round]:
        """The rounds with measured time, in order."""
        measured = [round_ for round_ in self.attempts if round_.seconds]
        return tuple(sorted(measured, key=lambda round_: round_.key))

    @cached_property
    def counters(self) -> Mapping[str, int]:
        """All counters, added up over the rounds; names that are missing count as zero."""
        return sum((round_.together.counters for round_ in self.rounds), Counter())

    def times(self, name: str, cut_off_by_waits: bool = False) -> CensoredTimes:
        """A histogram over all rounds."""
        parts = (round_.times(name, cut_off_by_waits) for round_ in self.rounds)
        return sum(parts, CensoredTimes())

    def peak(self, gauge: str) -> int | None:
        """The highest level of a gauge in any round."""
        peaks = [peak for r in self.rounds if (peak := r.peak(gauge)) is not None]
        return max(peaks, default=None)

    @property
    def header(self) -> Header:
        """The header of its first run; of a pool that never ran, one that tells no more."""
        return self.runs[0].header if self.runs else Header(pool=self.settings)

    def spent(self, *names: str) -> float:
        """The seconds in some histograms, over all rounds."""
        return sum(self.times(name).finished.sum for name in names) / SECOND

    def mean_level(self, gauge: str) -> float:
        """The mean of a gauge over the measured time of all rounds."""
        return _mean_level([round_.together for round_ in self.rounds], gauge)

    def server_level(self, gauge: str) -> float | None:
        """The mean of a gauge of the server; None if it was not asked or did not tell."""
        told = [round_.server for round_ in self.rounds if gauge in round_.server.gauges]
        return _mean_level(told, gauge) if told else None

    def server_rate(self, counter: str) -> float | None:
        """How much a counter of the server rose in a second; None if not asked, or it has none."""
        # A counter that did not rise is not in the file.
        if counter in self.lacks:
            return None
        asked = [r.server for r in self.rounds if r.server.length]
        length = sum(interval.length for interval in asked)
        total_ = sum(interval.counters[counter] for interval in asked)
        return total_ * SECOND / length if length else None

    @cached_property
    def tasks(self) -> Mapping[str, TaskUse]:
        """What the tasks of each name did with connections, over all rounds."""
        nothing = Interval(0, length=0)
        return reduce(Interval.beside, (r.together for r in self.rounds), nothing).tasks

    @property
    def kept(self) -> float:
        """The connections that ended tasks still held at the end of a round, on average."""
        return sum(use.kept for use in self.tasks.values()) / max(len(self.rounds), 1)

    @property
    def model(self) -> str:
        """What its users were: greenlets or threads."""
        return self.header.load.model

    @property
    def server(self) -> str:
        """The name of its private server's program, where one was asked for; else empty."""
        return self.header.server.name

    @property
    def lacks(self) -> Sequence[str]:
        """The counters that its server does not have."""
        return self.header.server.lacks

    @property
    def stages(self) -> Sequence[Stage]:
        """The stages of its load, as its runs' headers have them."""
        return self.header.load.stages

    def stage(self, name: str) -> PoolRuns:
        """The same pool in one of its stages alone."""
        return replace(self, attempts=[Round(_of_stage(run, name)) for run in self.runs])

    @property
    def seconds(self) -> float:
        """How long was measured, over all rounds."""
        return sum(round_.seconds for round_ in self.rounds)

    @property
    def processes(self) -> int:
        """How many processes asked for connections at once, each with a pool of its own."""
        return max((round_.most_at_once for round_ in self.rounds), default=1)


def _mean_level(intervals: Sequence[Interval], gauge: str) -> float:
    known = [interval for interval in intervals if gauge in interval.gauges]
    length = sum(interval.length for interval in known)
    return sum(interval.gauges[gauge].integral for interval in known) / max(length, 1)


@dataclass(frozen=True)
class Measurements:
    """All runs that are read together; problems are of files that could not be read at all.

    experiment: what experiment.json says and what the runs add to it, as summary.json tells it.
    baseline: the pool that the others are compared with. models, server_titles: of all variants
    that were measured, where this is one of them.
    """

    experiment: Mapping[str, Any]
    plan: ExperimentPlan
    pools: Sequence[PoolRuns]
    baseline: str
    problems: Sequence[str] = ()
    models: Sequence[str] = ()
    server_titles: Sequence[str] = ()

    @property
    def runs(self) -> list[Run]:
        """Every run, pool by pool."""
        return [run for pool in self.pools for run in pool.runs]

    @property
    def name(self) -> str:
        """The experiment's name; empty where nothing tells it."""
        return str(self.experiment["name"])

    @property
    def load(self) -> Load:
        """The load, as it was planned or else as the first run had it."""
        planned = self.plan.load != Load()
        return self.plan.load if planned or not self.runs else self.runs[0].header.load


def gather(
    runs: Sequence[Run],
    experiment: Mapping[str, Any] | None = None,
    problems: Sequence[str] = (),
) -> Measurements:
    """Sort runs into pools, in the experiment's order, else in the order in which they first ran.

    experiment: what experiment.json holds, if there is one.
    Raises UsageError if one name stands for different settings, or if the runs differ in more than
    their pools.
    """
    refuse_incomparable(runs)
    plan = plan_of(experiment or {})
    by_pool: dict[str, list[Run]] = defaultdict(list)
    settings = {pool.name: pool for pool in plan.pool}
    for run in sorted(runs, key=lambda run: run.header.started):
        by_pool[run.pool_name].append(run)
        found, planned = run.header.pool, settings.get(run.pool_name)
        if planned and planned.poolclass == AS_IS:
            settings[run.pool_name] = found  # planned as it is; the run tells how that is
        if settings.setdefault(run.pool_name, found) != found:
            raise UsageError(f"{run.path}: the pool {run.pool_name!r} has other settings elsewhere")
    pools = [
        PoolRuns(name, values, [Round(run) for run in by_pool[name]])
        for name, values in settings.items()
    ]
    baseline = plan.baseline or pools[0].name
    told = {**_told_by_runs(pools), **(experiment or {}), "baseline": baseline}
    return Measurements(told, plan, with_given_names(pools), baseline, problems)


def _told_by_runs(pools: Sequence[PoolRuns]) -> dict[str, Any]:
    """What the runs tell of the experiment that they are from."""
    first = next((run for pool in pools for run in pool.runs), None)
    header = first.header if first else pools[0].header
    return {
        "name": header.name,
        "application": header.application,
        "scenario": " ".join(header.scenario.files),
        "rounds": max(len(pool.runs) for pool in pools),
        "seed": header.load.seed,
        "load": first.told.get("load", {}) if first else {},
        "options": header.scenario.options,
        "pool": [asdict(pool.settings) for pool in pools],
    }
