"""The progress of the runs, and the numbers of the current one."""

from __future__ import annotations

from typing import Protocol, Self

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from loadtest.model.deadlock import deadlock_notice
from loadtest.model.errors import LoadtestError
from loadtest.model.interval import Interval
from loadtest.model.pool import PoolConfig
from loadtest.report.console import fitting, plain, text_table
from loadtest.report.round_table import RoundTable, shown_time, time_column

# A narrow terminal shows the table without these.
_SPARE_COLUMNS = ("95 % interval", "CPU")
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
    """The progress of the runs: a table and a bar on a terminal, otherwise a line per run.

    Nothing when quiet. most: the largest number of runs, if the plans are only some of them.
    verbose: whether the command that repeats a run is printed.
    """

    def __init__(
        self,
        console: Console,
        plans: list[PlannedRun],
        *,
        quiet: bool,
        verbose: bool = False,
        most: int | None = None,
    ) -> None:
        self._console = console
        self._quiet, self._verbose = quiet, verbose
        self._plans = f"/{len(plans)}" if most is None else f" of {most} at most,"
        self._number = 0
        self._title = ""
        self._total = 0.0
        self._failure = ""
        self._deadlock_told = False
        self._now = ""
        names = [plan.pool.name for plan in plans] if most is None else []
        rounds = max(plan.round for plan in plans) if most is None else None
        self._table = RoundTable(list(dict.fromkeys(names)), rounds)
        self._compares = most is not None or len(plans) > 1
        self._bar = Progress(
            BarColumn(bar_width=None),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeRemainingColumn(compact=True),
            TextColumn("left"),
            console=console,
            expand=True,
        )
        self._task = self._bar.add_task("", total=_seconds(plans, most))
        self._shown = not quiet and console.is_terminal
        self._live = Live(console=console, transient=True, get_renderable=self.picture)

    def __enter__(self) -> Self:
        if self._shown:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def picture(self) -> Group:
        """The table of the pools, the numbers of the last second, and the bar."""
        rows = [*self._table.rows()] if self._compares else []
        columns = fitting(self._console, self._table.columns(), rows, _SPARE_COLUMNS)
        table = text_table(self._console, *columns)
        now = plain(self._now, self._console)
        return Group(*([table] if rows else []), now, self._bar)

    def begin(self, plan: PlannedRun) -> None:
        """Begin a run."""
        self._number += 1
        self._deadlock_told = False
        self._table.forget()
        self._title = self._now = f"{self._number}{self._plans} {plan.pool.name}"
        if self._verbose:
            self._say(f"[dim]$ {escape(plan.command())}[/]")

    def interval(self, interval: Interval) -> None:
        """Show what the current run measured in the last second; report a deadlock once.

        Intervals after the load, and short ones, show no rate.
        """
        if not self._deadlock_told and (notice := deadlock_notice(interval)):
            self._deadlock_told = True
            self._say(f"[red]{escape(f'{self._title}: {notice}')}[/]")
        self._table.take(interval)
        self._bar.advance(self._task, interval.length / 1e9)
        if interval.period != "drain" and interval.length >= LEAST_INTERVAL:
            self._now = f"{self._title} · {_now(interval)}"

    def end(self, plan: PlannedRun) -> None:
        """End a run; without a terminal, print its numbers."""
        self._total += plan.seconds
        found = self._table.end(plan.pool.name)
        self._bar.update(self._task, completed=self._total)
        self._now = self._title
        if found and not self._console.is_terminal:
            self._say(escape(f"{self._title}: {found}"))

    def failed(self, plan: PlannedRun, error: LoadtestError) -> None:
        """Print why a run failed, unless the last one failed for the same reason."""
        self._total += plan.seconds
        self._table.forget()
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
        self._table.forget()
        self._now = f"{self._title} · disturbed, waiting"
        self._bar.update(self._task, completed=self._total)

    def _say(self, text: str) -> None:
        if not self._quiet:
            self._console.print(text, soft_wrap=True, highlight=False)


def _seconds(plans: list[PlannedRun], most: int | None) -> float:
    together = sum(plan.seconds for plan in plans)
    return together if most is None else together * most / len(plans)


def _now(interval: Interval) -> str:
    done = interval.counters["requests"] - interval.counters["failures"]
    rate = done / (interval.length / 1e9) if interval.length else 0.0
    overflow = interval.gauges.get("overflow")
    of_pool = f" · overflow {overflow.max}" if overflow else ""
    return f"{rate:,.0f}/s · {time_column(interval)} {shown_time(interval)}{of_pool}"
