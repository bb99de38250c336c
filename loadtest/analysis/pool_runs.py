"""Runs, sorted into pools and rounds."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property, reduce
from typing import Any

from loadtest.analysis.given_names import PoolVariant, given_names
from loadtest.analysis.round import Round
from loadtest.analysis.statistics.censoring import CensoredTimes
from loadtest.model.errors import UsageError
from loadtest.model.interval import ENDED_CHECKOUTS, SECOND, Interval
from loadtest.model.load import Stage
from loadtest.model.named_values import together
from loadtest.model.pool import AS_IS, PoolSettings
from loadtest.model.request_use import RequestUse
from loadtest.model.task_use import TaskUse
from loadtest.runfile.comparability import refuse_incomparable
from loadtest.runfile.decoding import plan_of
from loadtest.runfile.reader import Run, RunFacts
from loadtest.runfile.schema import ExperimentPlan, Header, Load


@dataclass(frozen=True)
class PoolRuns:
    """One pool configuration: its settings, its runs, and the rounds that measured anything.

    attempts: a round for each run; cached totals are shared. given: its given name, the same for
    all user models, servers and applications; together with these it identifies a pool, as its name
    does.
    """

    name: str
    settings: PoolSettings
    attempts: Sequence[Round]
    given: str = ""

    @property
    def runs(self) -> Sequence[RunFacts]:
        """Its runs, including those that measured nothing."""
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

    @property
    def ended_requests(self) -> int:
        """The requests that ended, also those without an outcome."""
        return self.counters["requests"] + self.counters["abandoned"]

    @property
    def checkout_attempts(self) -> int:
        """The checkouts that ended, with a connection or without."""
        return sum(self.counters[name] for name in ENDED_CHECKOUTS)

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
        """The header of its first run; an empty one if it never ran."""
        return self.runs[0].header if self.runs else Header(pool=self.settings)

    def spent(self, *names: str) -> float:
        """The seconds in some histograms, over all rounds."""
        return sum(self.times(name).finished.sum for name in names) / SECOND

    def mean_level(self, gauge: str) -> float:
        """The mean of a gauge over the measured time of all rounds."""
        return _mean_level([round_.together for round_ in self.rounds], gauge)

    def server_level(self, gauge: str) -> float | None:
        """The mean of a gauge of the server; None if unknown."""
        told = [round_.server for round_ in self.rounds if gauge in round_.server.gauges]
        return _mean_level(told, gauge) if told else None

    def server_rate(self, counter: str) -> float | None:
        """The rise of a counter of the server per second; None if unknown."""
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

    @cached_property
    def requests(self) -> Mapping[str, RequestUse]:
        """The requests of each name over all rounds, if its runs drove an application."""
        found: dict[str, RequestUse] = {}
        for round_ in self.rounds:
            found = together(found, round_.together.requests, RequestUse.plus)
        return found

    @property
    def holding_tasks(self) -> Mapping[str, TaskUse]:
        """The use by the tasks that held and returned connections."""
        return {name: use for name, use in self.tasks.items() if use.holds and use.hold}

    @cached_property
    def deadlocked(self) -> Mapping[str, TaskUse]:
        """The use by the tasks that held connections of a deadlocked pool, in all of each run."""
        uses = [s.tasks for round_ in self.attempts for s in round_.data.stretches]
        nothing = Interval(0, length=0)
        whole = reduce(Interval.beside, (Interval(0, tasks=one) for one in uses), nothing).tasks
        return {name: use for name, use in whole.items() if use.deadlocked}

    @property
    def most_users(self) -> float:
        """The most users of one process at once; the planned ones if it did not count them."""
        counted, load = self.peak("users"), self.header.load
        if counted is None:
            return (load.users or 0) / (load.processes or 1)
        return counted / self.processes

    @property
    def kept(self) -> float:
        """The connections that ended tasks still held at the end of a round, on average."""
        return sum(use.kept for use in self.tasks.values()) / max(len(self.rounds), 1)

    @property
    def model(self) -> str:
        """Its user model: greenlets or threads."""
        return self.header.load.model

    @property
    def driven(self) -> bool:
        """Whether its runs drove an application, whose processes have the pools."""
        return self.header.driven is not None

    @property
    def server(self) -> str:
        """The name of its private server's program, if one was requested; otherwise empty."""
        return self.header.server.name

    @property
    def application(self) -> str:
        """The name of the application that its runs drove; empty without one."""
        return (self.header.application or "") if self.driven else ""

    @property
    def variant(self) -> PoolVariant:
        """Its name, and what it ran with."""
        own = self.model, self.server, self.application
        return PoolVariant(self.name, bool(self.runs), *own)

    @property
    def lacks(self) -> Sequence[str]:
        """The counters that its server does not have."""
        return self.header.server.lacks

    @property
    def stages(self) -> Sequence[Stage]:
        """The stages of its load, as its runs' headers have them."""
        return self.header.load.stages

    def stage(self, name: str) -> PoolRuns:
        """The same pool in one of its stages."""
        return replace(self, attempts=[round_.in_stage(name) for round_ in self.attempts])

    @property
    def seconds(self) -> float:
        """How long was measured, over all rounds."""
        return sum(round_.seconds for round_ in self.rounds)

    @property
    def processes(self) -> int:
        """The number of processes at once, each with its own pool."""
        return max((round_.most_at_once for round_ in self.rounds), default=1)


def _mean_level(intervals: Sequence[Interval], gauge: str) -> float:
    known = [interval for interval in intervals if gauge in interval.gauges]
    length = sum(interval.length for interval in known)
    return sum(interval.gauges[gauge].integral for interval in known) / max(length, 1)


@dataclass(frozen=True)
class Measurements:
    """All runs that are read together; problems: files that could not be read at all.

    experiment: the content of experiment.json and additions from the runs, as in summary.json.
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
    def runs(self) -> list[RunFacts]:
        """Every run, pool by pool."""
        return [run for pool in self.pools for run in pool.runs]

    @property
    def name(self) -> str:
        """The experiment's name; empty if unknown."""
        return str(self.experiment["name"])

    @property
    def load(self) -> Load:
        """The planned load, otherwise that of the first run."""
        planned = self.plan.load != Load()
        return self.plan.load if planned or not self.runs else self.runs[0].header.load


def gather(runs: Sequence[Run], experiment: Mapping[str, Any] | None = None) -> Measurements:
    """The same as `arranged`, for runs in memory."""
    return arranged([Round.of(run) for run in runs], experiment)


def arranged(
    rounds: Sequence[Round],
    experiment: Mapping[str, Any] | None = None,
    problems: Sequence[str] = (),
) -> Measurements:
    """Sort runs into pools, in the experiment's order, else in the order in which they first ran.

    experiment: the content of experiment.json, if there is one.
    Raises UsageError if one name stands for different settings, or if the runs differ in more than
    their pools.
    """
    refuse_incomparable([round_.run for round_ in rounds])
    plan = plan_of(experiment or {})
    by_pool: dict[str, list[Round]] = defaultdict(list)
    settings = {pool.name: pool for pool in plan.pool}
    # Only the runs know the settings that an application's pool keeps.
    of_application = bool(plan.session or plan.engine or plan.driven)
    kept = {n for n, pool in settings.items() if of_application or pool.poolclass == AS_IS}
    for round_ in sorted(rounds, key=lambda round_: round_.run.header.started):
        name, found = round_.run.pool_name, round_.run.header.pool
        by_pool[name].append(round_)
        if name in kept:
            settings[name] = found
            kept.remove(name)
        if settings.setdefault(name, found) != found:
            path = round_.run.path
            raise UsageError(f"{path}: the pool {name!r} has other settings in another run")
    pools = [PoolRuns(name, values, by_pool[name]) for name, values in settings.items()]
    baseline = plan.baseline or pools[0].name
    told = {**_told_by_runs(pools), **(experiment or {}), "baseline": baseline}
    if of_application and experiment and "pool" in experiment:
        told["pool"] = [asdict(settings[pool.name]) for pool in plan.pool]
    return Measurements(told, plan, _with_given_names(pools, plan), baseline, problems)


def _with_given_names(pools: Sequence[PoolRuns], plan: ExperimentPlan) -> list[PoolRuns]:
    """The pools, each with its given name."""
    names = given_names([pool.variant for pool in pools], [one.name for one in plan.driven])
    return [replace(pool, given=name) for pool, name in zip(pools, names, strict=True)]


def _told_by_runs(pools: Sequence[PoolRuns]) -> dict[str, Any]:
    """The facts about the experiment in its runs."""
    first = next((run for pool in pools for run in pool.runs), None)
    header = first.header if first else pools[0].header
    return {
        "name": header.name,
        "application": header.application,
        "application_pool": header.application_pool and asdict(header.application_pool),
        "scenario": " ".join(header.scenario.files),
        "rounds": max(len(pool.runs) for pool in pools),
        "seed": header.load.seed,
        "load": first.told.get("load", {}) if first else {},
        "options": header.scenario.options,
        "pool": [asdict(pool.settings) for pool in pools],
    }
