"""Labels beside lines."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.report.figures.canvas import spread


def test_labels_that_do_not_touch_stay_where_they_are() -> None:
    assert spread([0.1, 0.9, 0.5], 0.1) == [0.1, 0.9, 0.5]


def test_labels_that_would_cover_each_other_move_apart_evenly() -> None:
    assert spread([0.5, 0.5, 0.9], 0.1) == pytest.approx([0.45, 0.55, 0.9])


@given(st.lists(st.floats(0, 1), max_size=8), st.floats(0.01, 0.2))
def test_moved_labels_keep_order_and_distance(places: list[float], gap: float) -> None:
    moved = spread(places, gap)
    order = sorted(range(len(places)), key=lambda n: places[n])
    steps = [moved[b] - moved[a] for a, b in pairwise(order)]
    assert all(step >= gap - 1e-6 for step in steps)
