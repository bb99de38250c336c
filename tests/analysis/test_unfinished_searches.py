"""Why a search has no certain answer, and what to do then."""

from pathlib import Path
from typing import Any

import pytest

from loadtest.analysis.sizing.size_search import most_runs
from tests.analysis.builders import SECOND, interval, run, steady
from tests.analysis.test_tuning import searched


def not_valid(folder: Path, pool: str) -> Any:
    busy = {"requests": 600, "checkouts": 600, "cpu": SECOND}
    return run(folder, [interval(s, counters=busy, request=[1] * 600) for s in (0, 1)], pool)


@pytest.mark.parametrize("objective", ["", "errors.rate <= 1%"])
def test_an_answer_beside_invalid_runs_is_named_as_the_only_measured_size(
    tmp_path: Path, objective: str
) -> None:
    runs = [
        not_valid(tmp_path, "default:5+10"),
        not_valid(tmp_path, "22+0"),
        *steady(tmp_path, "11+0", [640]),
    ]
    headline = searched(runs, objective).verdict.text.splitlines()[0]
    assert headline == (
        "Undecided: the best so far is pool_size=11, max_overflow=0, and only 11+0 could be "
        "measured: the other runs are not valid; repeat the search on an idle machine."
    )


@pytest.mark.parametrize(
    ("rounds", "said"),
    [
        (2, "the search ended early; repeat it and let it run to its end."),
        (most_runs(40), f"the search used up its {most_runs(40)} runs; repeat the search on an"),
    ],
)
def test_an_unfinished_search_gives_its_reason(tmp_path: Path, rounds: int, said: str) -> None:
    pilot = steady(tmp_path, "default:5+10", [600])
    found = searched([*pilot, *steady(tmp_path, "20+0", [640] * (rounds - 1))]).verdict.text
    assert said in found
