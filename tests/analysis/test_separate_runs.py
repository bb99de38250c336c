"""Runs that were started one by one: what they cannot decide, and the command that does."""

from __future__ import annotations

import shlex
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from loadtest.analysis.comparison.separate_runs import pool_option
from loadtest.analysis.summarize import summarize_runs
from loadtest.cli.main import app
from loadtest.model.pool import PoolSettings, parse_pool
from tests.analysis.builders import header, steady

LOAD = header()["load"]


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("20+0", "20+0"),
        ("3000+inf", "3000+inf"),
        ("small:20+0", "small:20+0"),
        ("20+0:5+10", "20+0:5+10"),
        ("pool_size=20,max_overflow=0,pool_timeout=0.5,pool_pre_ping=true", ""),
        ("poolclass=NullPool", "nullpool:poolclass=NullPool"),
        ("x:poolclass=FairPool,pool_size=7,pool_reset_on_return=none", ""),
        ("isolated:pool_size=7,isolation_level=READ COMMITTED", ""),
    ],
)
def test_a_pool_is_written_as_the_command_takes_it(text: str, short: str) -> None:
    pool = parse_pool(text)
    settings = PoolSettings(**{one.name: getattr(pool, one.name) for one in fields(PoolSettings)})
    written = pool_option(settings)
    assert dict(parse_pool(written)) == dict(pool)
    assert written == short or not short


def last_line(folder: Path, rounds: int = 1, **more: Any) -> str:
    """The end of the verdict about two pools that ran in folders of their own."""
    runs = [
        *steady(folder / "one", "5+10", [300] * rounds, **more),
        *steady(folder / "two", "small:20+0", [700] * rounds, **more),
    ]
    return summarize_runs(runs).verdict.text.splitlines()[-1]


def test_their_difference_may_be_the_machines_and_a_command_decides_it(tmp_path: Path) -> None:
    load = {**LOAD, "warmup": 0.5, "arrival_rate": 40.0}
    why, _, command = last_line(tmp_path, load=load).rpartition(": ")
    assert why == (
        "Each pool ran once, on its own: there is no interval between rounds, and the order of the "
        "runs was not interleaved, so a difference may be the machine's. Interleaved rounds decide "
        "it"
    )
    assert command == (
        "loadtest compare scenarios/hot_row.py --pool 5+10 --pool small:20+0 -u 300 "
        "--arrival-rate 40 -t 1.5s --warmup 0.5s --option hot_rows=50 --rounds 5"
    )
    group: Any = get_command(app)
    assert group.commands["compare"].make_context("compare", shlex.split(command)[2:]).params


def test_the_command_is_described_where_it_cannot_be_written(tmp_path: Path) -> None:
    several = {"files": ["one.py", "two.py"], "user_classes": ["One", "Two"]}
    said = "loadtest compare with the same scenario, load and pools, and --rounds 5."
    assert last_line(tmp_path / "files", scenario=several).endswith(said)
    assert last_line(tmp_path / "own", application="shop.db:Session").endswith(said)
    assert last_line(tmp_path / "rounds", rounds=5).startswith("The pools ran in separate exper")


def test_rounds_of_one_experiment_are_not_separate(tmp_path: Path) -> None:
    runs = steady(tmp_path, "5+10", [300]) + steady(tmp_path, "20+0", [700])
    assert "machine's" not in summarize_runs(runs).verdict.text
    assert "machine's" not in summarize_runs(runs[:1]).verdict.text
