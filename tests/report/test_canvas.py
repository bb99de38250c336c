"""Labels beside lines."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.report.figures.toolkit.canvas import push_apart, shortened


def test_labels_that_do_not_touch_stay_where_they_are() -> None:
    assert push_apart([0.1, 0.9, 0.5], 0.1) == [0.1, 0.9, 0.5]


def test_labels_that_would_cover_each_other_move_apart_evenly() -> None:
    assert push_apart([0.5, 0.5, 0.9], 0.1) == pytest.approx([0.45, 0.55, 0.9])


def test_labels_stay_beside_their_panel() -> None:
    assert push_apart([0.0, 0.0, 0.5, 1.0, 1.0], 0.1, 0, 1) == pytest.approx([0, 0.1, 0.5, 0.9, 1])
    assert push_apart([0.0, 0.05, 0.15], 0.1, 0, 1) == pytest.approx([0, 0.1, 0.2])


@pytest.mark.parametrize(
    ("name", "shown"),
    [("20+0", "20+0"), ("orders-of-last-year:9", "orders-o…-year:9"), ("a" * 16, "a" * 16)],
)
def test_of_a_long_name_both_ends_are_shown(name: str, shown: str) -> None:
    assert shortened(name) == shown


@given(st.lists(st.floats(0, 1), max_size=8), st.floats(0.01, 0.2))
def test_moved_labels_keep_order_and_distance(places: list[float], gap: float) -> None:
    moved = push_apart(places, gap)
    order = sorted(range(len(places)), key=lambda n: places[n])
    steps = [moved[b] - moved[a] for a, b in pairwise(order)]
    assert all(step >= gap - 1e-6 for step in steps)
