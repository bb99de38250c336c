"""The fuzzer for a moment, always with the same inputs; `python -m tests.fuzz` takes its time."""

from __future__ import annotations

from random import Random

import pytest

from tests.fuzz.__main__ import fed
from tests.fuzz.mutations import another_value, mutated
from tests.fuzz.targets import TARGETS

SLOW = ("file-of-bytes", "file-of-values", "plan-of-values", "metrics")


@pytest.mark.parametrize("name", TARGETS)
def test_every_input_is_taken_or_refused_with_a_message(name: str) -> None:
    inputs = 30 if name in SLOW else 1000
    done, failures = fed(TARGETS[name], range(inputs))
    assert done == inputs
    assert failures == {}


def test_what_is_no_message_is_found_and_can_be_repeated() -> None:
    def broken(random: Random) -> None:
        assert random.random() < 0.9

    done, failures = fed(broken, range(200))
    assert done == 200
    (failure,) = failures.values()
    assert Random(failure["number"]).random() >= 0.9
    assert "AssertionError" in failure["trace"]


def test_time_that_is_up_ends_it() -> None:
    assert fed(lambda _: None, range(10**9), seconds=0.0)[0] == 0


def test_changes_change_something_and_are_the_same_each_time() -> None:
    content = b"pool_size=20,max_overflow=0"
    made = [mutated(Random(number), content) for number in range(100)]
    assert made == [mutated(Random(number), content) for number in range(100)]
    assert len(set(made)) > 90
    record = {"a": [1, {"b": 2}], "c": "d"}
    others = [another_value(Random(number), record) for number in range(100)]
    assert sum(other != record for other in others) > 90
    assert record == {"a": [1, {"b": 2}], "c": "d"}
