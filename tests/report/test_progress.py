"""What is shown while a run goes on."""

import io
from pathlib import Path

from rich.console import Console

from loadtest.experiment.run_plan import RunPlan
from loadtest.model.errors import LoadtestError
from loadtest.model.experiment import Experiment
from loadtest.model.load import LoadConfig
from loadtest.model.pool import parse_pool
from loadtest.report.progress import RunProgress
from tests.analysis.builders import MILLISECOND, SECOND, interval

POOL = parse_pool("20+0")
LOAD = LoadConfig(users=3, warmup=0, duration=2)
PLAN = RunPlan(Experiment(name="x", scenario=Path("x.py"), load=LOAD, pool=(POOL,)), POOL, 1)


def shown(*seconds: tuple[int, int, str]) -> str:
    """The progress line after intervals with these requests, nanoseconds and period."""
    console = Console(file=io.StringIO(), force_terminal=True, width=200)
    progress = RunProgress(console, [PLAN], quiet=False)
    progress.begin(PLAN)
    for number, length, period in seconds:
        counters = {"requests": number}
        progress.interval(interval(counters=counters, length=length, period=period, wait=[3]))  # type: ignore[arg-type]
    return str(progress._bar.tasks[0].description)


def test_the_rate_is_of_a_second_however_long_it_was() -> None:
    assert shown((230, SECOND, "measured")) == "1/1 20+0 · 230/s · wait p95 3.00 ms · overflow 0"
    assert " 200/s " in shown((220, 1100 * MILLISECOND, "warmup"))


def test_a_bit_of_a_second_says_nothing_about_a_rate() -> None:
    whole = (230, SECOND, "measured")
    assert " 230/s " in shown(whole, (9, 10 * MILLISECOND, "measured"))
    assert " 230/s " in shown(whole, (865, SECOND, "drain"))


def test_a_failed_run_is_one_line_in_a_file() -> None:
    console = Console(file=io.StringIO(), width=40)
    RunProgress(console, [PLAN], quiet=False).failed(PLAN, LoadtestError("no" * 60))
    assert console.file.getvalue() == f"20+0, round 1: {'no' * 60}\n"  # type: ignore[attr-defined]


def test_what_was_said_of_the_last_failure_is_not_repeated() -> None:
    console = Console(file=io.StringIO(), width=40)
    progress = RunProgress(console, [PLAN], quiet=False)
    for words in ("no", "no", "never"):
        progress.failed(PLAN, LoadtestError(words))
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert [line.rpartition(": ")[2] for line in lines] == ["no", "the same error", "never"]


def test_the_line_fits_a_terminal_of_80_columns_with_every_figure() -> None:
    pool = parse_pool("3000+inf")
    plan = RunPlan(PLAN.experiment, pool, 1)
    console = Console(file=io.StringIO(), force_terminal=True, no_color=True, width=80)
    progress = RunProgress(console, [plan] * 15, quiet=False)
    progress.begin(plan)
    progress.interval(interval(counters={"requests": 1234}, gauges={"overflow": 290}, wait=[3]))
    console.print(progress._bar.get_renderable())
    line = "1/15 3000+inf · 1,234/s · wait p95 3.00 ms · overflow 290"
    assert line in console.file.getvalue()  # type: ignore[attr-defined]


def told(*, quiet: bool) -> str:
    """All that a run says in a file."""
    console = Console(file=io.StringIO(), width=200)
    with RunProgress(console, [PLAN], quiet=quiet) as progress:
        progress.begin(PLAN)
        progress.interval(interval(counters={"requests": 9}, wait=[3]))
        progress.tell("a round is done once more")
        progress.end(PLAN)
    return str(console.file.getvalue())  # type: ignore[attr-defined]


def test_while_a_disturbed_run_waits_the_bar_goes_back_and_says_so() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=200)
    progress = RunProgress(console, [PLAN], quiet=False)
    progress.begin(PLAN)
    progress.interval(interval(counters={"requests": 9}))
    progress.disturbed("disturbed, repeating the run")
    bar = progress._bar.tasks[0]
    assert (bar.description, bar.completed) == ("1/1 20+0 · disturbed, waiting", 0.0)


def test_in_a_file_it_is_the_command_of_each_run_without_colours() -> None:
    assert told(quiet=False) == f"$ {PLAN.command()}\na round is done once more\n"


def test_whoever_wants_it_quiet_hears_nothing() -> None:
    assert told(quiet=True) == ""
