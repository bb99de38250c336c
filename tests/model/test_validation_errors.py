"""Every kind of wrong value is answered in the tool's own words."""

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from loadtest.model.experiment import Experiment
from loadtest.model.field_types import is_name
from loadtest.model.load import LoadConfig
from loadtest.model.pool import PoolConfig
from loadtest.model.validation_errors import refusal

GIVEN: dict[str, Any] = {"name": "x", "scenario": "x.py", "pool": [{}]}


def refusals(model: type[BaseModel], **values: Any) -> list[str]:
    """The words for everything that is wrong."""
    with pytest.raises(ValidationError) as refused:
        model.model_validate(values)
    return [refusal(error) for error in refused.value.errors()]


@pytest.mark.parametrize(
    ("model", "values", "words"),
    [
        (PoolConfig, {"pool_size": -1}, "must be at least 0 (got -1)"),
        (PoolConfig, {"pool_size": "many"}, "must be a whole number (got 'many')"),
        (PoolConfig, {"pool_size": 1.5}, "must be a whole number (got 1.5)"),
        (PoolConfig, {"pool_pre_ping": "perhaps"}, "must be true or false (got 'perhaps')"),
        (
            PoolConfig,
            {"pool_reset_on_return": "x"},
            "must be 'rollback', 'commit' or 'none' (got 'x')",
        ),
        (PoolConfig, {"name": 7}, "must be text (got 7)"),
        (LoadConfig, {"spawn_rate": 0}, "must be above 0 (got 0)"),
        (LoadConfig, {"spawn_rate": float("inf")}, "must be a finite number (got inf)"),
        (LoadConfig, {"stage": 3}, "must be a list (got 3)"),
        (Experiment, {**GIVEN, "margin": 1.5}, "must be below 1 (got 1.5)"),
        (Experiment, {**GIVEN, "load": 3}, "must be a table of keys and values (got 3)"),
        (Experiment, {**GIVEN, "options": [1]}, "must be a table of keys and values (got [1])"),
        (
            Experiment,
            {**GIVEN, "options": {"rows": [1]}},
            "[1] is neither text nor a number nor true or false",
        ),
        (Experiment, {**GIVEN, "scenario": 3}, "must be a path (got 3)"),
        (Experiment, {"name": "x", "pool": [{}]}, "missing"),
    ],
)
def test_a_wrong_value_is_told_in_plain_words(
    model: type[BaseModel], values: dict[str, Any], words: str
) -> None:
    assert refusals(model, **values) == [words]


def test_a_kind_of_error_without_words_is_not_told_in_pydantics() -> None:
    error = {"type": "something_new", "msg": "Input should be new", "input": 3}
    assert refusal(error) == "is not a valid value (got 3)"


@pytest.mark.parametrize("name", ["Groß", "МАЛЫЙ", "صغير", "小さい", "छोटा", "a.b_c-d+1", "5+10"])
def test_a_name_has_letters_of_any_script(name: str) -> None:
    assert is_name(name)


@pytest.mark.parametrize(
    "name", ["", "a b", "a/b", "..\\x", "a:b", "<b>", "\u0301a", "a\u200db", "😀"]
)
def test_a_name_has_no_other_signs(name: str) -> None:
    assert not is_name(name)
