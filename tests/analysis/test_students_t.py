"""Student's distribution against SciPy's, and against its forms without an integral."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from loadtest.analysis.statistics.students_t import student_cdf, student_quantile

# Rounds, Welch's degrees of freedom in between, and the seconds of long runs.
FREEDOMS = (1, 1.3, 2, 3, 4, 4.7, 9, 19, 58.2, 59, 400, 999, 3599, 80_000)
# Below and above the level of an interim analysis, and of a corrected comparison.
SHARES = (0.5, 0.6, 0.9, 0.95, 0.975, 0.9909, 0.995, 1 - 0.0182 / 12, 0.99997428)


@pytest.mark.parametrize("freedom", FREEDOMS)
def test_the_quantile_is_scipys(freedom: float) -> None:
    found = [student_quantile(freedom, share) for share in SHARES]
    digits = 1e-11 if freedom < 100 else 1e-7  # the gamma functions of many lose digits
    assert found == pytest.approx(stats.t.ppf(SHARES, freedom).tolist(), rel=digits, abs=1e-15)


@pytest.mark.parametrize("freedom", FREEDOMS)
def test_the_cdf_is_scipys(freedom: float) -> None:
    at = [*np.linspace(-12, 12, 49).tolist(), -1e13, -300.0, 300.0, 1e13]
    found = [student_cdf(freedom, t) for t in at]
    assert found == pytest.approx(stats.t.cdf(at, freedom).tolist(), rel=0, abs=1e-10)
    assert all(0 <= share <= 1 for share in found)


@pytest.mark.parametrize("t", [-40.0, -1.0, -0.2, 0.0, 0.7, 3.0, 1000.0])
def test_one_and_two_degrees_of_freedom_have_a_closed_form(t: float) -> None:
    assert student_cdf(1, t) == pytest.approx(0.5 + math.atan(t) / math.pi, abs=1e-15)
    assert student_cdf(2, t) == pytest.approx(0.5 + t / (2 * math.sqrt(2 + t * t)), abs=1e-15)


def test_the_quantile_of_a_small_share_is_negative() -> None:
    assert student_quantile(4, 0.025) == -student_quantile(4, 0.975)
    assert student_quantile(4, 0.975) == pytest.approx(2.776445105)  # Student's table
    assert student_quantile(4, 0.5) == 0.0
