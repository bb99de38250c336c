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
        counters, gauges = {"requests": number}, {"overflow": 0}
        progress.interval(
            interval(counters=counters, gauges=gauges, length=length, period=period, wait=[3])  # type: ignore[arg-type]
        )
    return shown_by(console, progress).splitlines()[0]


def shown_by(console: Console, progress: RunProgress) -> str:
    """The picture of the progress, as text."""
    with console.capture() as picture:
        console.print(progress.picture())
    return picture.get()


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


def terminal() -> Console:
    """A terminal of 80 columns without colours."""
    return Console(file=io.StringIO(), force_terminal=True, color_system=None, width=80)


def test_the_line_fits_a_terminal_of_80_columns_and_the_bar_fills_it() -> None:
    plan, console = RunPlan(PLAN.experiment, parse_pool("3000+inf"), 1), terminal()
    progress = RunProgress(console, [plan] * 15, quiet=False)
    progress.begin(plan)
    progress.interval(interval(counters={"requests": 1234}, gauges={"overflow": 290}, wait=[3]))
    *_, line, bar = shown_by(console, progress).splitlines()
    assert line == "1/15 3000+inf · 1,234/s · wait p95 3.00 ms · overflow 290"
    assert len(bar) == 80
    assert bar.endswith(" left")


def rows_of(picture: str) -> list[str]:
    """The lines of a picture with single blanks."""
    return [" ".join(line.split()) for line in picture.splitlines()]


def compared(console: Console, *, verbose: bool = False) -> RunProgress:
    """Two rounds of two pools, of which the last run goes on; a run was repeated."""
    pools = (POOL, parse_pool("small:5+10"))
    plans = [RunPlan(PLAN.experiment, pool, number) for number in (1, 2) for pool in pools]
    progress = RunProgress(console, plans, quiet=False, verbose=verbose)
    for number, plan in enumerate(plans, start=1):
        progress.begin(plan)
        if number == 2:
            progress.interval(interval(counters={"requests": 9_000}))
            progress.disturbed("disturbed, repeating the run")
        progress.interval(interval(counters={"requests": 5_000}, period="warmup"))
        counters = {"requests": 100 * number, "failures": number, "cpu": SECOND // 4}
        for _ in range(2):
            progress.interval(interval(counters=counters, wait=[3]))
        if number < 4:
            progress.end(plan)
    return progress


def test_the_table_of_a_comparison_fills_up_round_by_round() -> None:
    console = terminal()
    headings, _, first, second, *_ = rows_of(shown_by(console, compared(console)))
    assert headings == "pool rounds ok/s 95 % interval wait p95 errors CPU"
    assert first == "20+0 2/2 198 0 – 1,456 3.00 ms 1.0 % 25 %"
    assert second == "small 1/2 198 3.00 ms 1.0 % 25 %"


def test_without_a_terminal_it_is_a_line_for_each_run() -> None:
    console = Console(file=io.StringIO(), width=200)
    compared(console)
    assert console.file.getvalue().splitlines() == [  # type: ignore[attr-defined]
        "1/4 20+0: 99.0 ok/s, wait p95 3.00 ms, 1.0 % errors",
        "disturbed, repeating the run",
        "2/4 small: 198 ok/s, wait p95 3.00 ms, 1.0 % errors",
        "3/4 20+0: 297 ok/s, wait p95 3.00 ms, 1.0 % errors",
    ]


def test_requests_are_shown_if_the_pool_is_in_another_process() -> None:
    console = terminal()
    progress = RunProgress(console, [PLAN, PLAN], quiet=False)
    progress.begin(PLAN)
    progress.interval(interval(counters={"requests": 7, "cpu": 0}, request=[3]))
    assert "1/2 20+0 · 7/s · request p95 3.00 ms" in rows_of(shown_by(console, progress))
    progress.end(PLAN)
    headings, _, row, *_ = rows_of(shown_by(console, progress))
    assert headings == "pool rounds ok/s 95 % interval request p95 errors CPU"
    assert row == "20+0 1/1 7.00 3.00 ms 0 % 0 %"


def test_a_search_adds_a_row_for_each_size_and_counts_its_rounds() -> None:
    console = terminal()
    progress = RunProgress(console, [PLAN], quiet=False, most=9)
    for _ in range(2):
        progress.begin(PLAN)
        progress.interval(interval(counters={"requests": 7, "cpu": 0}, wait=[3]))
        progress.end(PLAN)
    assert "20+0 2 7.00 7.00 – 7.00 3.00 ms 0 % 0 %" in rows_of(shown_by(console, progress))


def test_a_run_that_failed_is_in_no_row() -> None:
    console = terminal()
    progress = RunProgress(console, [PLAN, PLAN], quiet=False)
    progress.begin(PLAN)
    progress.interval(interval(counters={"requests": 7}))
    progress.failed(PLAN, LoadtestError("no"))
    progress.end(PLAN)
    assert "20+0 0/1 – – – –" in rows_of(shown_by(console, progress))


def told(*, quiet: bool, verbose: bool = False) -> str:
    """All that a run says in a file."""
    console = Console(file=io.StringIO(), width=200)
    with RunProgress(console, [PLAN], quiet=quiet, verbose=verbose) as progress:
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
    line, bar = shown_by(console, progress).splitlines()
    assert line == "1/1 20+0 · disturbed, waiting"
    assert " 0% " in bar


def test_only_if_asked_it_prints_the_command_of_each_run() -> None:
    ended = "a round is done once more\n1/1 20+0: 9.00 ok/s, wait p95 3.00 ms, 0 % errors\n"
    assert told(quiet=False) == ended
    assert told(quiet=False, verbose=True) == f"$ {PLAN.command()}\n{ended}"


def test_quiet_prints_nothing() -> None:
    assert told(quiet=True) == told(quiet=True, verbose=True) == ""
