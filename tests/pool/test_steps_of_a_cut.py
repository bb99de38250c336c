"""With more places, holds and checkouts a cut has more steps, not longer ones."""

from __future__ import annotations

import pytest
from measuring import waiting
from test_place_recorder import FunctionNames, PlacesBench, name_of

from loadtest.pool.numbered_names import NumberedNames
from loadtest.pool.task_usage import as_rows


class Steps:
    """Counts the steps of cuts."""

    def __init__(self, bench: PlacesBench) -> None:
        self.bench, self.number = bench, 0
        bench.recorder.let_others_run = self._count

    def _count(self) -> None:
        self.number += 1

    def of_cut(self) -> int:
        """The steps of the next cut."""
        self.number = 0
        self.bench.cut()
        return self.number


def name_many(self: FunctionNames) -> None:
    """As the usual names, but more."""
    self.names = NumberedNames(300, "(other places)")


def test_each_hold_in_progress_is_a_step() -> None:
    with PlacesBench(pool_size=50) as bench:
        steps = Steps(bench)
        bench.one().close()
        bench.cut()
        few = steps.of_cut()
        held = [bench.one() for _ in range(40)]
        bench.cut()
        # Each may have ended, is added to its place, and is looked for in the code.
        assert steps.of_cut() - few >= 3 * 40
        for connection in held:
            connection.close()


def test_each_place_is_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FunctionNames, "__init__", name_many)
    with PlacesBench() as bench:
        steps = Steps(bench)
        places = [name_of(bench, f"f{number}") for number in range(60)]

        def use(number: int) -> int:
            for place in places[:number]:
                place().close()
            return steps.of_cut()

        # The checkouts, the holds by route and by place, and two histograms.
        assert use(60) - use(1) >= 5 * 59


def test_each_shortage_and_noticed_checkout_is_a_step() -> None:
    with PlacesBench(pool_size=1, max_overflow=0) as bench:
        steps = Steps(bench)
        bench.one().close()
        few = steps.of_cut()
        held = bench.one()
        waiters = [waiting(lambda: bench.other().close()) for _ in range(20)]
        bench.forward(30)
        held.close()
        for waiter in waiters:
            waiter.get()
        assert steps.of_cut() - few >= 4 * 20


@pytest.mark.parametrize("rows", [0, 1, 999, 1000, 1001, 2500])
def test_many_numbers_become_rows_in_steps(rows: int) -> None:
    numbers, steps = list(range(3 * rows)), list[int]()
    found = as_rows(taken := numbers.copy(), 3, lambda: steps.append(len(taken)))
    assert found.shape == (rows, 3)
    assert found.reshape(-1).tolist() == numbers
    assert not taken
    assert len(steps) == -(-rows // 1000)


def test_numbers_that_come_meanwhile_stay_in_the_list() -> None:
    numbers = list(range(5000))
    found = as_rows(numbers, 2, lambda: numbers.append(-1), 4500)
    assert found.reshape(-1).tolist() == list(range(4500))
    assert numbers == [*range(4500, 5000), -1, -1, -1]
