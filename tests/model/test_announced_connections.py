"""The sentence about connections beyond the announced number names what held them."""

from __future__ import annotations

import pytest

from loadtest.model.announced_connections import beyond_announced
from loadtest.model.interval import Interval
from loadtest.model.task_use import TaskUse

HEAD = "tried to open more than the 10 connections announced"


@pytest.mark.parametrize(
    ("tasks", "why"),
    [
        ({}, ""),
        ({"buy": TaskUse(holds=3)}, ""),
        (
            {"buy": TaskUse(kept=9), "look": TaskUse(kept=1, nested=5)},
            ": 10 of them were still held after the task had ended ('buy', 'look')",
        ),
        (
            {"buy": TaskUse(nested=2), "look": TaskUse(holds=1)},
            ": tasks took a further connection while they held one ('buy')",
        ),
    ],
)
def test_leaks_come_before_further_connections(tasks: dict[str, TaskUse], why: str) -> None:
    second = Interval(0, "vm:6682", tasks=tasks)
    assert beyond_announced(second, 10, 1) == f"the users {HEAD}{why}"


def test_of_several_processes_the_one_is_named() -> None:
    second = Interval(0, "vm:6682")
    assert beyond_announced(second, 10, 2) == f"vm:6682 {HEAD} for each process"
