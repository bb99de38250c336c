"""How much of a slow request is waiting: the share in requests that took about as long."""

from __future__ import annotations

import pytest

from loadtest.analysis.driven.slow_requests import LEAST_TOLD, explained
from loadtest.model.durations import Durations
from loadtest.model.request_use import RequestUse

MILLISECOND = 1_000_000


def told(*requests: tuple[int, int, int]) -> RequestUse:
    """Requests: how many of them, their duration, and their waits (ms)."""
    use = RequestUse()
    for number, time, waited in requests:
        for _ in range(number):
            use.tell(time * MILLISECOND, waited * MILLISECOND)
    return use


def waiting(use: RequestUse, p95: float) -> tuple[float, int] | None:
    """The waiting part of a p95, and the number of requests that told it."""
    found = explained(use, Durations(p95=p95)).get("p95")
    return (found.waiting_seconds, found.told) if found else None


def test_only_requests_that_took_about_as_long_explain_it() -> None:
    use = told((900, 20, 0), (50, 240, 170), (2, 2000, 1990))
    assert waiting(use, 0.24) == (pytest.approx(0.17), 50)
    assert waiting(use, 0.02) == (0, 900)


def test_a_mixture_of_waits_is_a_lower_bound_of_their_mean() -> None:
    # Both are in the band of 240 ms: half of the requests wait for half of their time.
    found = [waiting(told((n, 230, 115), (n, 250, 0)), 0.24) for n in (10, 1000)]
    (few, _), (many, number) = (one or (0.0, 0) for one in found)
    mean = 0.24 * 115 / 480
    assert 0.5 * mean < few < 0.75 * mean
    assert 0.95 * mean < many < mean
    assert number == 2000


def test_slower_requests_do_not_explain_a_percentile() -> None:
    # The requests of the next bands wait longer: they are not asked.
    assert waiting(told((LEAST_TOLD - 1, 240, 0), (30, 290, 280)), 0.24) is None
    assert waiting(told((LEAST_TOLD, 240, 0), (30, 290, 280)), 0.24) == (0, LEAST_TOLD)


def test_the_waits_of_an_older_file_have_the_largest_spread() -> None:
    known = told((100, 240, 170))
    old = RequestUse.from_json({**known.to_json(), "squares": []})
    (least, _), (less, _) = (waiting(use, 0.24) or (0.0, 0) for use in (known, old))
    assert least == pytest.approx(0.17)
    assert 0.14 < less < 0.16


def test_a_percentile_that_is_a_lower_bound_is_not_explained() -> None:
    times = Durations(p50=0.24, p95=0.24, at_least=("p95",))
    assert list(explained(told((100, 240, 170)), times)) == ["p50"]


def test_too_few_requests_explain_nothing() -> None:
    assert waiting(told((LEAST_TOLD - 1, 240, 170), (100, 20, 0)), 0.24) is None
    assert explained(RequestUse(100), Durations(p50=0.1, p95=0.24, p99=0.5)) == {}
    assert explained(told((100, 240, 170)), Durations()) == {}


def test_requests_without_a_duration_explain_nothing() -> None:
    assert waiting(told((100, 0, 0)), 0.0) is None


def test_each_percentile_has_its_own_explanation() -> None:
    use = told((900, 20, 0), (90, 240, 170), (20, 480, 470))
    found = explained(use, Durations(p50=0.02, p90=0.2, p95=0.24, p99=0.48))
    assert list(found) == ["p50", "p95", "p99"]
    assert found["p99"].waiting_seconds == pytest.approx(0.47)
    assert found["p99"].seconds == 0.48
