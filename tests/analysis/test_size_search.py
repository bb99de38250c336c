"""The search for the smallest pool, on workloads whose answer is known."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtest.analysis.sizing.size_search import (
    MOST_ROUNDS,
    PRESENT_POOL,
    ROUNDS,
    SearchStep,
    Trial,
    Trials,
    best_throughput,
    is_contradicted,
    most_runs,
    next_size,
    next_step,
    smallest_good_size,
    worse_when_bigger,
)
from loadtest.model.experiment import MARGIN

Curve = Callable[[int], float]
SIZES = st.integers(1, 300)
untimed = settings(deadline=None)  # a machine may have other work


@dataclass
class Workload:
    """A throughput over the pool's size, and the smallest and largest size that do otherwise."""

    throughput: Curve
    most: int
    least: int = 1
    largest: int = 10**9
    noise: float = 0.0
    numbers: random.Random = field(default_factory=lambda: random.Random(1))
    measured: dict[int, list[float]] = field(default_factory=dict)

    def able(self, size: int) -> bool:
        return self.least <= size <= self.largest

    def run(self, size: int) -> Trial:
        value = self.throughput(size) * (1 + self.noise * self.numbers.gauss(0, 1))
        rounds = self.measured.setdefault(size, [])
        rounds.append(value)
        return Trial(sum(rounds) / len(rounds), met=self.able(size), rounds=len(rounds))

    def search(self, guess: int) -> Trials:
        """All trials of a search that begins there; it must end in time."""
        trials: dict[int, Trial] = {}
        step: SearchStep | None = SearchStep(min(guess, self.most), 1)
        while step:
            assert sum(trial.rounds for trial in trials.values()) < most_runs(self.most)
            trials[step.size] = self.run(step.size)
            assert trials[step.size].rounds == step.round
            step = next_step(trials, self.most)
        return trials

    def right(self) -> int:
        """The answer of one who tries every size."""
        able = [size for size in range(1, self.most + 1) if self.able(size)]
        least = (1 - MARGIN) * max(map(self.throughput, able))
        return min(size for size in able if self.throughput(size) >= least)


@untimed
@given(enough=SIZES, guess=SIZES, most=SIZES)
def test_where_more_connections_bring_more_up_to_a_limit_the_smallest_is_found(
    enough: int, guess: int, most: int
) -> None:
    work = Workload(lambda size: 100.0 * min(size, enough), most)
    assert smallest_good_size(work.search(guess)) == work.right()


@untimed
@given(enough=SIZES, least=SIZES, guess=SIZES, most=SIZES)
def test_an_objective_may_need_more_than_the_throughput(
    enough: int, least: int, guess: int, most: int
) -> None:
    work = Workload(lambda size: 100.0 * min(size, enough), most, least=min(least, most))
    assert smallest_good_size(work.search(guess)) == work.right()


@untimed
@given(half=SIZES, guess=SIZES, most=SIZES)
def test_of_a_throughput_that_rises_ever_more_slowly_little_is_lost(
    half: int, guess: int, most: int
) -> None:
    work = Workload(lambda size: size / (size + half), most)
    found = smallest_good_size(work.search(guess))
    assert found is not None
    assert found <= work.right() + 1
    assert work.throughput(found) >= (1 - MARGIN) * 0.97 * work.throughput(most)


@untimed
@given(top=st.integers(2, 150), shared=st.floats(0.05, 0.3), guess=SIZES, most=SIZES)
def test_a_hill_is_found_from_both_sides(top: int, shared: float, guess: int, most: int) -> None:
    # Gunther, Guerrilla Capacity Planning, 2007: contention, and crosstalk that makes it fall.
    crosstalk = 1 / top**2
    work = Workload(
        lambda size: size / (1 + shared * (size - 1) + crosstalk * size * (size - 1)), most
    )
    trials = work.search(guess)
    found, reached = smallest_good_size(trials), max(map(work.throughput, range(1, most + 1)))
    assert found is not None
    assert found <= work.right() + 1
    assert work.throughput(found) >= (1 - MARGIN) * 0.95 * reached


@untimed
@given(enough=st.integers(5, 100), off=st.floats(0.5, 2), seed=st.integers(0, 1000))
def test_noise_moves_the_answer_by_no_more_than_the_margin(
    enough: int, off: float, seed: int
) -> None:
    work = Workload(
        lambda size: 100.0 * min(size, enough), 100, noise=0.01, numbers=random.Random(seed)
    )
    found = smallest_good_size(work.search(max(1, round(off * enough))))
    assert found is not None
    assert abs(found - work.right()) <= max(1, 0.06 * enough)


@pytest.mark.parametrize("most", [30, 300, 3000, 30_000])
def test_the_sizes_tried_grow_with_the_logarithm(most: int) -> None:
    numbers = random.Random(most)
    tried = []
    for _ in range(200):
        enough, guess = numbers.randint(1, most), numbers.randint(1, most)
        work = Workload(lambda size, enough=enough: float(min(size, enough)), most)  # type: ignore[misc]
        tried.append(len(work.search(guess)))
    assert max(tried) <= 1.5 * math.log2(most) + 5


@pytest.mark.parametrize(("doubled", "goes_on"), [(100, False), (102, False), (103, True)])
def test_one_doubling_that_brings_less_than_half_of_the_margin_is_the_last(
    doubled: float, goes_on: bool
) -> None:
    size = next_size({10: Trial(100), 20: Trial(doubled)}, 100)
    assert (size == 40) == goes_on


def test_the_answer_and_its_neighbour_are_confirmed_by_three_rounds() -> None:
    trials = Workload(lambda size: 100.0 * min(size, 20), 100).search(20)
    assert smallest_good_size(trials) == 19
    assert [trials[size].rounds for size in (18, 19)] == [ROUNDS, ROUNDS]


def test_an_answer_that_is_not_sure_gets_five_rounds() -> None:
    trials = {4: Trial(50, met=False, rounds=3), 5: Trial(100, sure=None, rounds=3), 10: Trial(100)}
    assert next_step(trials, 10) == SearchStep(5, 4)
    assert next_step({**trials, 5: Trial(100, sure=None, rounds=MOST_ROUNDS)}, 10) is None


def test_an_answer_whose_rounds_do_not_agree_gets_five_rounds() -> None:
    trials = {4: Trial(50, rounds=3), 5: Trial(100, rounds=3, steady=False), 10: Trial(100)}
    assert next_step(trials, 10) == SearchStep(5, 4)


def test_where_the_pool_there_is_now_did_more_than_the_answer_both_get_more_rounds() -> None:
    trials = {8: Trial(80, rounds=3), 9: Trial(90, rounds=3), 10: Trial(80, rounds=2)}
    now = Trial(100)
    assert next_step(trials, 10) is None
    assert next_step(trials, 10, present=now) == SearchStep(PRESENT_POOL, 2)
    twice = Trial(100, rounds=2)
    assert next_step(trials, 10, present=twice) == SearchStep(10, 3)
    assert next_step({**trials, 10: Trial(80, rounds=3)}, 10, present=twice) == SearchStep(10, 4)
    most = {**trials, 9: Trial(90, rounds=5), 10: Trial(80, rounds=5)}
    assert next_step(most, 10, present=twice) is None
    assert is_contradicted(most, twice)
    # The largest was disturbed: with more rounds it is the best, and nine are too few.
    assert smallest_good_size({**trials, 10: Trial(97, rounds=4)}) == 10
    assert not is_contradicted({**trials, 10: Trial(97, rounds=4)}, twice)


@pytest.mark.parametrize("now", [Trial(100, valid=False), Trial(100, met=False), Trial(104)])
def test_what_cannot_be_used_or_is_no_better_contradicts_nothing(now: Trial) -> None:
    trials = {9: Trial(50, rounds=3), 10: Trial(100, rounds=3)}
    assert not is_contradicted({**trials, 10: Trial(100 if now.able else 10)}, now)


def test_a_larger_size_is_only_called_worse_after_a_second_round() -> None:
    trials = {4: Trial(50, rounds=3), 5: Trial(100, rounds=3), 7: Trial(80)}
    assert next_step(trials, 7) == SearchStep(7, 2)
    assert next_step({**trials, 7: Trial(80, rounds=2)}, 7) is None


def test_an_answer_that_fails_in_later_rounds_is_none_any_more() -> None:
    trials = {4: Trial(50, met=False), 5: Trial(100), 10: Trial(100)}
    assert (smallest_good_size(trials), next_size(trials, 10)) == (5, None)
    failed = {**trials, 5: Trial(100, met=False, rounds=2)}
    assert (smallest_good_size(failed), next_size(failed, 10)) == (10, 7)


def test_a_better_throughput_seen_later_counts_for_all_sizes() -> None:
    trials = {4: Trial(90), 5: Trial(96), 10: Trial(96)}
    assert smallest_good_size(trials) == 5
    assert smallest_good_size({**trials, 20: Trial(120)}) == 20
    assert best_throughput({**trials, 20: Trial(120, met=False)}) == 96


def test_what_was_not_measured_well_is_no_answer() -> None:
    trials = {5: Trial(100, valid=False), 10: Trial(90), 20: Trial(90)}
    assert smallest_good_size(trials) == 10
    assert next_size(trials, 20) == 7
    for size in (7, 6, 4, 3, 2):
        assert size not in trials
        trials[size] = Trial(30 if size == 2 else 90)
    assert next_size(trials, 20) is None


def test_where_nothing_keeps_to_the_objective_the_largest_was_tried() -> None:
    work = Workload(lambda size: 100.0 * min(size, 20), 100, least=101)
    trials = work.search(10)
    assert smallest_good_size(trials) is None
    assert sorted(trials) == [10, 20, 40, 80, 100]


def test_where_only_few_connections_keep_to_it_they_are_found() -> None:
    work = Workload(lambda size: 100 / size, 100, largest=4)
    trials = work.search(60)
    assert smallest_good_size(trials) == 1


def test_a_bigger_pool_that_is_worse_is_named() -> None:
    assert worse_when_bigger({5: Trial(100), 10: Trial(98), 20: Trial(60)}) == 20
    assert worse_when_bigger({5: Trial(100), 10: Trial(99, met=False)}) == 10
    assert worse_when_bigger({5: Trial(100), 10: Trial(99), 20: Trial(50, valid=False)}) is None
    plateau = {5: Trial(96), 10: Trial(94), 20: Trial(100)}
    assert worse_when_bigger(plateau) is None, "a larger one is good again"
    assert worse_when_bigger({**plateau, 40: Trial(80), 80: Trial(60)}) == 40
