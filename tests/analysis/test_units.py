"""Numbers as people read them."""

import pytest

from loadtest.analysis import units


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (0, "0 s"),
        (2e-6, "2.00 µs"),
        (0.0000355, "35.5 µs"),
        (0.00099949, "999 µs"),
        (0.0009996, "1.00 ms"),
        (0.00213, "2.13 ms"),
        (0.41, "410 ms"),
        (0.9996, "1.00 s"),
        (1.211, "1.21 s"),
        (99.96, "100 s"),
        (1234.0, "1,234 s"),
    ],
)
def test_a_duration_has_three_digits_and_the_unit_that_fits(seconds: float, text: str) -> None:
    assert units.duration(seconds) == text


def test_a_round_duration_has_no_zeros_behind_the_point() -> None:
    said = [units.round_duration(s) for s in (0.0, 1e-5, 0.001, 0.3, 1.2, 10.0)]
    assert said == ["0 s", "10 µs", "1 ms", "300 ms", "1.2 s", "10 s"]


@pytest.mark.parametrize(
    ("fraction", "text"),
    [(None, "–"), (0, "0 %"), (0.0004, "< 0.1 %"), (0.002, "0.2 %"), (0.634, "63 %"), (1, "100 %")],
)
def test_a_share_is_never_rounded_to_nothing(fraction: float, text: str) -> None:
    assert units.percent(fraction) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e-5, "< 0.001"),
        (0.052, "0.052"),
        (0.119, "0.12"),
        (0.982, "0.98"),
        (1.067, "1.07"),
        (8.77, "8.8"),
        (123.4, "123"),
    ],
)
def test_a_ratio_near_one_has_two_decimals(value: float, text: str) -> None:
    assert units.ratio(value) == text


def test_rates_counts_and_sizes() -> None:
    assert [units.rate(x) for x in (0, 6.534, 82.44, 689.3, 12345.6)] == [
        "0",
        "6.53",
        "82.4",
        "689",
        "12,346",
    ]
    assert (units.count(1234), units.count(None)) == ("1,234", "–")
    assert [units.level(x) for x in (0.01, 0.31, 9.96, 285.2)] == ["0", "0.3", "10", "285"]
    assert [units.level(x) for x in (0, 7, 285)] == ["0", "7", "285"]
    assert units.size(8 * 2**30) == "8.00 GiB"
    assert units.at_least(0.41, bound=True) == "≥ 410 ms"


def test_words_in_a_sentence() -> None:
    assert units.listed(["a"]) == "a"
    assert units.listed(["a", "b", "c"]) == "a, b and c"
    assert units.plural(1, "round") == "1 round"
    assert units.plural(5, "round") == "5 rounds"
