"""The progress of the runs, and the numbers of the current one."""

from __future__ import annotations

from typing import Protocol, Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from loadtest.analysis.units import duration as as_time
from loadtest.model.deadlock import deadlock_notice
from loadtest.model.distribution import Distribution
from loadtest.model.errors import LoadtestError
from loadtest.model.interval import Interval
from loadtest.model.pool import PoolConfig
from loadtest.report.console import plain

# Nanoseconds that an interval must have to stand for a second.
LEAST_INTERVAL = 500_000_000


class PlannedRun(Protocol):
    """The facts about a run that is about to begin."""

    @property
    def pool(self) -> PoolConfig:
        """Its pool configuration."""

    @property
    def round(self) -> int:
        """Its round, from 1."""

    @property
    def seconds(self) -> float:
        """The duration of its load."""

    def command(self) -> str:
        """The command line that repeats it."""


class RunProgress:
    """A progress bar on a terminal, otherwise a line per run; nothing when quiet.

    most: the largest number of runs, if the plans are only some of them.
    """

    def __init__(
        self, console: Console, plans: list[PlannedRun], *, quiet: bool, most: int | None = None
    ) -> None:
        self._console = console
        self._quiet = quiet
        self._plans = f"/{len(plans)}" if most is None else f" of {most} at most,"
        self._number = 0
        self._title = ""
        self._total = 0.0
        self._failure = ""
        self._deadlock_told = False
        self._bar = Progress(
            BarColumn(bar_width=10),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.description}"),
            console=console,
            disable=quiet or not console.is_terminal,
            transient=True,
        )
        self._task = self._bar.add_task("", total=_seconds(plans, most))

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def begin(self, plan: PlannedRun) -> None:
        """Begin a run and print the command that repeats it."""
        self._number += 1
        self._deadlock_told = False
        self._title = f"{self._number}{self._plans} {plan.pool.name}"
        self._say(f"[dim]$ {escape(plan.command())}[/]")
        self._bar.update(self._task, description=self._title)

    def interval(self, interval: Interval) -> None:
        """Show what the current run measured in the last second; report a deadlock once.

        Intervals after the load, and short ones, show no rate.
        """
        if not self._deadlock_told and (notice := deadlock_notice(interval)):
            self._deadlock_told = True
            self._say(f"[red]{escape(f'{self._title}: {notice}')}[/]")
        self._bar.advance(self._task, interval.length / 1e9)
        if interval.period != "drain" and interval.length >= LEAST_INTERVAL:
            self._bar.update(self._task, description=f"{self._title} · {_now(interval)}")

    def end(self, plan: PlannedRun) -> None:
        """End a run."""
        self._total += plan.seconds
        self._bar.update(self._task, completed=self._total, description=self._title)

    def failed(self, plan: PlannedRun, error: LoadtestError) -> None:
        """Print why a run failed, unless the last one failed for the same reason."""
        self._total += plan.seconds
        said = "the same error" if str(error) == self._failure else str(error)
        self._failure = str(error)
        text = f"{plan.pool.name}, round {plan.round}: {said}"
        self._console.print(plain(text, self._console, "red"), soft_wrap=True)

    def tell(self, text: str) -> None:
        """Print a text between two runs."""
        self._say(escape(text))

    def disturbed(self, text: str) -> None:
        """Print why a run is repeated, and go back to its beginning."""
        self._say(escape(text))
        waiting = f"{self._title} · disturbed, waiting"
        self._bar.update(self._task, completed=self._total, description=waiting)

    def _say(self, text: str) -> None:
        if not self._quiet:
            self._console.print(text, soft_wrap=True, highlight=False)


def _seconds(plans: list[PlannedRun], most: int | None) -> float:
    together = sum(plan.seconds for plan in plans)
    return together if most is None else together * most / len(plans)


def _now(interval: Interval) -> str:
    done = interval.counters["requests"] - interval.counters["failures"]
    rate = done / (interval.length / 1e9) if interval.length else 0.0
    wait = interval.histograms.get("wait", Distribution()).percentile_seconds(95)
    overflow = interval.gauges["overflow"].max if "overflow" in interval.gauges else 0
    return f"{rate:,.0f}/s · wait p95 {as_time(wait)} · overflow {overflow}"
