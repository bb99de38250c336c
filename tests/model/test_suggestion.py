"""A misspelt name is answered with the names that are like it."""

from pathlib import Path

import pytest

from loadtest.experiment.bundled_scenarios import copy_scenario
from loadtest.model.errors import UsageError
from loadtest.model.experiment import read_experiment
from loadtest.model.objective import parse_objective
from loadtest.model.pool import parse_pool
from loadtest.model.suggestion import did_you_mean, did_you_mean_file


def test_similar_names_are_suggested_whatever_their_capitals() -> None:
    assert did_you_mean("defualt", ["default", "20+0"]) == "; did you mean default?"
    assert did_you_mean("queuepool", ["QueuePool", "NullPool"]).startswith(
        "; did you mean QueuePool"
    )
    assert did_you_mean("wholly", ["other", "20+0"]) == ""
    assert did_you_mean("anything", []) == ""


def test_a_file_is_like_those_of_its_kind_beside_it(tmp_path: Path) -> None:
    for name in ("hot_row.py", "hot_row.toml", "cold.py"):
        (tmp_path / name).touch()
    assert did_you_mean_file(tmp_path / "hot_rwo.py") == "; did you mean hot_row.py?"
    assert did_you_mean_file(tmp_path / "hot_rwo.toml") == "; did you mean hot_row.toml?"
    assert did_you_mean_file(tmp_path / "hot_row") == "; did you mean hot_row.py?"
    assert did_you_mean_file(tmp_path / "nowhere" / "hot_row.py") == ""
    assert did_you_mean_file(tmp_path / "hot_rwo.**") == ""
    assert did_you_mean_file(tmp_path / "no\0where" / "hot_row.py") == ""


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("asis", "as-is"),
        ("as_is,pool_size=20", "as-is"),
        ("NullPool", "poolclass=NullPool"),
        ("poolclass=nulpool", "NullPool"),
    ],
)
def test_a_misspelt_pool_is_answered(text: str, meant: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_pool(text)
    assert f"did you mean {meant}" in str(refused.value)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("error.rate <= 1%", "errors.rate"),
        ("stages.rush.error_rates <= 1%", "stages.rush.error_rate"),
        ("stages.Ansturm.wait_second.p95 <= 1s", "stages.Ansturm.wait_seconds.p95"),
    ],
)
def test_a_misspelt_path_is_answered(text: str, meant: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_objective(text)
    assert meant in str(refused.value).partition("did you mean ")[2]


def test_misspelt_files_and_scenarios_are_answered(tmp_path: Path) -> None:
    (tmp_path / "flash_sale.toml").touch()
    with pytest.raises(UsageError, match=r"did you mean flash_sale\.toml"):
        read_experiment(tmp_path / "flash_sail.toml")
    with pytest.raises(UsageError, match="did you mean hot_row"):
        copy_scenario("hot_rwo", tmp_path)


def test_a_stage_may_be_called_by_any_letters() -> None:
    (bound,) = parse_objective("stages.Ansturm-दिन.error_rate <= 1%")
    assert bound.path == "stages.Ansturm-दिन.error_rate"
