"""How pools differ from the application's own is told; a search keeps what it does not search."""

from __future__ import annotations

from dataclasses import asdict, replace
from io import StringIO
from pathlib import Path
from typing import Any

from msgspec import structs
from rich.console import Console

from loadtest.analysis.pool_settings import changed_settings, create_engine_line
from loadtest.analysis.summarize import summarize_runs
from loadtest.model.pool import PoolSettings, parse_pool
from loadtest.model.summary import Summary
from loadtest.report.html import report_page
from loadtest.report.markdown import markdown
from loadtest.report.terminal import print_summary
from loadtest.runfile.reader import Run
from tests.analysis.builders import steady
from tests.model.test_kept_settings import STORE

OWN = PoolSettings(**STORE)
DIFFERS = (
    "10+0 differs from the pool of store:Session: pool_size=10 instead of 3, max_overflow=0 "
    "instead of 2"
)


def runs_of(folder: Path, text: str, per_second: list[int], **more: Any) -> list[Run]:
    """Runs with the application's pool in which these settings were changed."""
    pool = PoolSettings(**dict(parse_pool(text).of_application().on(STORE)))
    own = {"application": "store:Session", "application_pool": STORE}
    runs = steady(folder, text, per_second, **own, **more)
    return [replace(run, header=structs.replace(run.header, pool=pool)) for run in runs]


def compared(folder: Path) -> Summary:
    runs = [
        *runs_of(folder, "as-is", [600] * 5, peak=5),
        *runs_of(folder, "10+0", [900] * 5, peak=10),
    ]
    planned = [parse_pool(text).of_application() for text in ("as-is", "10+0")]
    plan = {"session": "store:Session", "pool": [pool.model_dump() for pool in planned]}
    return summarize_runs(runs, plan)


def test_only_differences_are_told() -> None:
    pools = [replace(OWN, name="as-is"), replace(OWN, name="10+0", pool_size=10, max_overflow=0)]
    assert changed_settings(pools, OWN, "store:Session") == [DIFFERS]
    bare = PoolSettings("bare", pool_size=3, max_overflow=2)
    (text,) = changed_settings([bare], OWN, "store:Session")
    assert text.partition(": ")[2].startswith("pool_timeout=30 instead of 10, pool_recycle=-1 in")
    assert "pool_pre_ping=False instead of True, pool_use_lifo=False instead of True" in text


def test_a_nullpool_has_neither_sizes_nor_a_timeout_that_differ() -> None:
    pool = PoolSettings(**dict(parse_pool("poolclass=NullPool").of_application().on(STORE)))
    (text,) = changed_settings([pool], OWN, "store:Session")
    assert text.partition(": ")[2] == "poolclass=NullPool instead of QueuePool"


def test_the_experiment_has_the_settings_that_were_measured(tmp_path: Path) -> None:
    summary = compared(tmp_path)
    as_is, small = summary.experiment["pool"]
    assert (as_is["pool_size"], as_is["pool_timeout"]) == (3, 10)
    assert (small["pool_size"], small["pool_timeout"]) == (10, 10)
    assert [as_is, small] == [asdict(pool.pool) for pool in summary.pools]


def test_another_class_is_a_difference() -> None:
    own = PoolSettings("", "NullPool", None, None)
    (text,) = changed_settings([PoolSettings("20+0", pool_size=20, max_overflow=0)], own, "a:b")
    assert text == (
        "20+0 differs from the pool of a:b: pool_size=20 instead of none, max_overflow=0 instead "
        "of none, poolclass=QueuePool instead of NullPool"
    )


def test_runs_know_what_the_plan_leaves_to_the_application(tmp_path: Path) -> None:
    summary = compared(tmp_path)
    settings = {pool.name: pool.pool for pool in summary.pools}
    assert settings["as-is"] == replace(OWN, name="as-is")
    assert settings["10+0"] == replace(OWN, name="10+0", pool_size=10, max_overflow=0)
    assert summary.experiment["application_pool"]["pool_recycle"] == 280


def test_the_line_to_paste_keeps_the_applications_settings(tmp_path: Path) -> None:
    summary = compared(tmp_path)
    assert summary.verdict.recommended == "10+0"
    assert summary.settings
    kept = "pool_timeout=10, pool_recycle=280, pool_pre_ping=True, pool_use_lifo=True"
    assert create_engine_line(summary.settings) == (
        f"engine = create_engine(url, pool_size=10, max_overflow=0, {kept}, "
        'pool_reset_on_return="commit")'
    )
    assert kept in summary.verdict.text.splitlines()[0]


def test_the_differences_are_in_every_report(tmp_path: Path) -> None:
    summary = compared(tmp_path)
    console = Console(file=StringIO(), width=200)
    print_summary(summary, console)
    assert DIFFERS in console.file.getvalue()  # type: ignore[attr-defined]
    assert f"- {DIFFERS}" in markdown(summary)
    page = report_page(summary, [])
    assert f"<p>{DIFFERS}.</p>" in page
    assert "as-is differs" not in page


def searched(folder: Path, wait: int) -> Summary:
    """The summary of a search in an application that found 20, where 19 lets users wait longer."""
    runs = [
        *runs_of(folder, "as-is", [600], wait=90, peak=5),
        *runs_of(folder, "19+0", [640, 642, 641], wait=2 * wait, peak=19),
        *runs_of(folder, "20+0", [640, 642, 641], wait=wait),
        *runs_of(folder, "40+0", [645], wait=1),
    ]
    planned = [parse_pool(t).of_application() for t in ("as-is", "19+0", "20+0", "40+0")]
    plan = {
        "name": "x",
        "session": "store:Session",
        "objective": f"checkout.wait_seconds.p95 <= {1.5 * wait:g}ms",
        "margin": 0.05,
        "load": {"users": 300, "warmup": 1.0, "duration": 2.0},
        "pool": [pool.model_dump() for pool in planned],
        "search": {"most": 40},
    }
    return summarize_runs(runs, plan)


def test_a_search_keeps_the_settings_and_suggests_a_timeout_separately(tmp_path: Path) -> None:
    summary = searched(tmp_path, wait=30)
    assert summary.search
    assert (summary.search.size, summary.search.pool_timeout) == (20, 1)
    headline, *rest = summary.verdict.text.splitlines()
    assert headline.startswith(
        "Set pool_size=20, max_overflow=0, pool_timeout=10, pool_recycle=280, pool_pre_ping=True"
    )
    assert any(
        line.startswith(
            "pool_timeout was the application's own, 10 seconds. Suggested instead: pool_timeout=1"
        )
        for line in rest
    )
    assert summary.settings == replace(OWN, name="20+0", pool_size=20, max_overflow=0)


def test_a_search_suggests_no_longer_timeout_than_the_application_has(tmp_path: Path) -> None:
    summary = searched(tmp_path, wait=5000)
    assert summary.search
    assert summary.search.pool_timeout
    assert summary.search.pool_timeout > OWN.pool_timeout
    (line,) = [one for one in summary.verdict.text.splitlines() if "pool_timeout stays" in one]
    assert line.startswith("pool_timeout stays at the application's own 10 seconds: no wait with")
