"""Runs whose beginning is unlike the rest, by MSER-5."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from loadtest.analysis.findings.settling import truncation
from loadtest.runfile.reader import Run
from tests.analysis.builders import SECOND, interval, run
from tests.findings.runs import found


def _batches(*means: int) -> list[int]:
    """Batches of five values with these means, which are not the same five times."""
    return [mean + difference for mean in means for difference in (-3, 2, 0, 0, 1)]


@pytest.mark.parametrize(
    ("means", "left_out"),
    [
        # (sum of squared deviations) / (batches left)²: 1.204, 0.192, 0.25, 0.296
        ((0, 6, 8, 6, 8, 6), 5),
        # 35/18, 24/15, 15/12, 8/9: it falls as far as may be left out
        ((12, 10, 8, 6, 4, 2), 15),
        # 2/9, 0.256, 0.333, 0.444: all alike
        ((6, 8, 6, 8, 6, 8), 0),
        ((7, 7, 7, 7), 0),
        ((), 0),
    ],
)
def test_what_is_left_out_is_what_makes_the_mean_most_certain(
    means: tuple[int, ...], left_out: int
) -> None:
    assert truncation(_batches(*means)) == left_out


def test_values_that_fill_no_batch_do_not_count() -> None:
    assert truncation([*_batches(0, 6, 8, 6, 8, 6), 1000, 1000]) == 5


def _run(folder: Path, per_second: Iterable[int], first: int = SECOND) -> Run:
    seconds = enumerate(per_second)
    return run(
        folder,
        [
            interval(second, length=SECOND if second else first, counters={"requests": requests})
            for second, requests in seconds
        ],
    )


def test_a_beginning_that_differs_is_told_with_what_it_costs(tmp_path: Path) -> None:
    finding = found(_run(tmp_path, [100] * 10 + [200] * 25))["unsettled"]
    assert finding.evidence["left_out"] == 10
    assert finding.evidence["change"] == pytest.approx(200 / (6000 / 35) - 1)
    assert "had not settled in its first 10 seconds" in finding.message
    assert "17 % higher" in finding.message


def test_a_run_that_falls_to_its_end_never_settled(tmp_path: Path) -> None:
    finding = found(_run(tmp_path, range(400, 40, -10)))["unsettled"]
    assert "never settled" in finding.message
    assert "Measure for longer" in finding.message


def test_a_run_of_thirty_seconds_counts_although_it_measures_a_little_less(tmp_path: Path) -> None:
    per_second = [100] * 10 + [200] * 20
    assert "unsettled" in found(_run(tmp_path, per_second, first=int(0.99 * SECOND)))


@pytest.mark.parametrize(
    "per_second",
    [
        [200, 201] * 20,
        [100] * 10 + [200] * 15,  # too short to tell
        [195] * 10 + [200] * 30,  # 0.6 % of a difference
    ],
)
def test_runs_that_are_even_or_short_are_not(tmp_path: Path, per_second: list[int]) -> None:
    assert "unsettled" not in found(_run(tmp_path, per_second))
