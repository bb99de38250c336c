"""Invalid inputs: each is accepted, or refused with a message.

Hypothesis makes the choices of the mutations, so that it shrinks an input that fails and tries it
again the next time. `pytest tests/fuzz --hypothesis-profile=fuzz` tries twenty times as many.
"""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.mutations import another_value, mutated
from tests.fuzz.targets import QUICK, SLOW

QUICK_INPUTS, SLOW_INPUTS = 3 * settings.default.max_examples, settings.default.max_examples // 3
choices = st.randoms(use_true_random=False)


@pytest.mark.parametrize("name", QUICK)
@settings(max_examples=QUICK_INPUTS, suppress_health_check=list(HealthCheck))
@given(random=choices)
def test_a_text_or_a_request(name: str, random: Random) -> None:
    QUICK[name](random)


@pytest.mark.parametrize("name", SLOW)
@settings(max_examples=SLOW_INPUTS, suppress_health_check=list(HealthCheck))
@given(random=choices)
def test_a_result_or_its_metrics(name: str, random: Random) -> None:
    SLOW[name](random)


def test_changes_change_something_and_are_the_same_each_time() -> None:
    content = b"pool_size=20,max_overflow=0"
    made = [mutated(Random(number), content) for number in range(100)]
    assert made == [mutated(Random(number), content) for number in range(100)]
    assert len(set(made)) > 90
    record = {"a": [1, {"b": 2}], "c": "d"}
    others = [another_value(Random(number), record) for number in range(100)]
    assert sum(other != record for other in others) > 90
    assert record == {"a": [1, {"b": 2}], "c": "d"}
