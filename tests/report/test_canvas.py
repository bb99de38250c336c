"""Lines in steps, and labels beside lines."""

from itertools import groupby, pairwise

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.report.figures.toolkit import canvas
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


def test_steps_are_drawn_as_matplotlibs_stairs_with_sharp_corners_behind_lines() -> None:
    _, (axes,) = canvas.panels(1, 1.0, left=0.5, right=0.5)
    levels, edges = [3.0, 1.0, np.nan, 2.0], [0, 1, 2, 3, 4]
    canvas.draw_steps(axes, levels, edges, {"color": "#0072b2", "lw": 2.2})
    stairs = axes.stairs(levels, edges, baseline=None)
    (steps,) = axes.lines
    drawn, expected = np.asarray(steps.get_xydata()), stairs.get_path().vertices
    assert _corners(drawn[np.isfinite(drawn).all(axis=1)]) == _corners(expected)
    assert steps.get_zorder() == stairs.get_zorder()
    looks = stairs.get_joinstyle(), stairs.get_capstyle()
    assert looks == (steps.get_solid_joinstyle(), steps.get_solid_capstyle())
    assert looks == (steps.get_dash_joinstyle(), steps.get_dash_capstyle())


def _corners(points: npt.NDArray[np.float64]) -> list[list[float]]:
    return [corner for corner, _ in groupby(points.tolist())]
