"""Mistakes in options are told in the words of the command line, with the options that work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from loadtest.cli.compare import _read, _two_pools
from loadtest.cli.option_mistakes import (
    bundled_instead,
    refuse_the_same,
    refuse_what_is_no_scenario,
)
from loadtest.cli.shared_options import (
    ApplicationOptions,
    LoadOptions,
    ScenarioOptions,
    experiment_of,
)
from loadtest.model.errors import UsageError
from loadtest.model.pool import parse_pool
from tests.cli.test_cli import Loadtest


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    path = tmp_path / "blog_load.py"
    path.touch()
    return path


def problem_of(scenario: Path, load: dict[str, Any], **more: Any) -> str:
    with pytest.raises(UsageError) as refusal:
        experiment_of(
            scenario, ["5+10"], ApplicationOptions(), LoadOptions(**load), ScenarioOptions(), **more
        )
    return str(refusal.value)


@pytest.mark.parametrize(
    ("load", "more", "problem"),
    [
        ({"time": "soon"}, {}, "--time: 'soon' is not a duration; write 30s, 500ms or 2m"),
        ({"users": 0}, {}, "--users: must be at least 1 (got 0)"),
        ({"spawn_rate": 0.0}, {}, "--spawn-rate: must be above 0 (got 0.0)"),
        (
            {"time": "0.1s", "warmup": "0s"},
            {},
            "--warmup plus --time is 0.1 s: the sum must be whole seconds",
        ),
        ({}, {"margin": 1.5}, "--margin: must be below 1 (got 1.5)"),
        ({}, {"objective": "x <= 1"}, "--objective: 'x <= 1': x is not a value of a pool in"),
    ],
)
def test_a_mistake_has_the_name_of_its_option(
    scenario: Path, load: dict[str, Any], more: dict[str, Any], problem: str
) -> None:
    assert problem_of(scenario, load, **more).startswith(problem)


@pytest.mark.parametrize("pool", ["5+10", "small:5+10"])
def test_the_same_pool_twice_is_refused_with_names_for_both(pool: str) -> None:
    with pytest.raises(UsageError, match=r"--pool a:5\+10 --pool b:5\+10$"):
        refuse_the_same([pool, "20+0", pool])
    refuse_the_same(["a:5+10", "b:5+10"])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("5+10,20+0", "give each pool its option: --pool 5+10 --pool 20+0"),
        ("a:5+10, b:20+inf", "give each pool its option: --pool a:5+10 --pool b:20+inf"),
        ("poolsize=20", "; did you mean pool_size?"),
        ("recycle=3", "; did you mean pool_recycle?"),
        ("size=20", "; did you mean pool_size?"),
        ("20", "a pool is SIZE+OVERFLOW on its own, like 20+0, or pool_size=20,max_overflow=0"),
        (
            "pool_size=20 max_overflow=5",
            "separate settings with a comma: pool_size=20,max_overflow=5",
        ),
        (
            "pool_size=20; isolation_level=READ COMMITTED",
            "separate settings with a comma: pool_size=20,isolation_level=READ COMMITTED",
        ),
    ],
)
def test_a_pool_that_cannot_be_read_is_refused_with_what_is_meant(text: str, words: str) -> None:
    with pytest.raises(UsageError) as refusal:
        parse_pool(text)
    assert str(refusal.value).endswith(words)


@pytest.mark.parametrize(
    ("session", "given", "two"),
    [
        ("", [], "--pool 5+10 --pool 20+0"),
        ("", ["30+0"], "--pool 5+10 --pool 30+0"),
        ("", ["as-is"], "--session MODULE:NAME --pool as-is --pool 20+0"),
        ("blog.db:Session", ["20+0"], "--pool as-is --pool 20+0"),
        ("blog.db:Session", ["as-is"], "--pool as-is --pool 20+0"),
        ("blog.db:Session", [], "--pool as-is --pool 20+0"),
    ],
)
def test_a_comparison_of_one_pool_is_refused_with_two(
    session: str, given: list[str], two: str
) -> None:
    assert _two_pools(given, ApplicationOptions(session)) == two


def test_the_pool_of_no_application_is_refused_with_what_to_add() -> None:
    with pytest.raises(ValueError, match="add --session MODULE:NAME"):
        parse_pool("as-is").check_application("")


def test_a_bundled_scenario_that_is_not_here_can_be_copied() -> None:
    with pytest.raises(UsageError) as refusal:
        refuse_what_is_no_scenario(Path("nowhere/hot_row.py"))
    assert str(refusal.value) == (
        "there is no scenario nowhere/hot_row.py: copy it with loadtest scenarios hot_row -o "
        "nowhere"
    )
    assert bundled_instead(Path("spike.toml")) == ": copy it with loadtest scenarios spike -o ."
    assert bundled_instead(Path("cold_row.py")) == ""


def test_a_misspelt_bundled_scenario_is_suggested_with_how_to_copy_it() -> None:
    with pytest.raises(UsageError) as refusal:
        _read(Path("nowhere/hot_rwo.toml"), None, "", [])
    assert str(refusal.value) == (
        "there is no experiment nowhere/hot_rwo.toml; did you mean hot_row? Copy it with loadtest "
        "scenarios NAME -o nowhere"
    )


def test_an_experiment_beside_a_misspelt_one_is_suggested_first(tmp_path: Path) -> None:
    (tmp_path / "hot_raw.toml").touch()
    with pytest.raises(UsageError, match=r"did you mean hot_raw\.toml\?$"):
        _read(tmp_path / "hot_rwo.toml", None, "", [])


def test_a_missing_experiment_is_named_before_options_that_it_may_contain(
    loadtest: Loadtest, tmp_path: Path
) -> None:
    ended = loadtest("compare", tmp_path / "load.toml", "--session", "blog.db:Session")
    assert ended.returncode == 2
    assert ended.stderr == f"{tmp_path}/load.toml: cannot be read: No such file or directory\n"
