"""The levels of a pool whose connections stay open follow from those in use."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from loadtest.model.steps import go_on
from loadtest.pool.checkout_batch import Batch
from loadtest.pool.levels import level_steps
from loadtest.pool.pool_gauges import _changing, pool_gauges
from loadtest.pool.task_usage import as_rows

BEGIN, NOW = 1000, 2000
moments = st.integers(BEGIN - 50, NOW)
spans = st.lists(st.tuples(moments, moments).map(sorted), max_size=6)


def batch_of(
    holds: list[list[int]], opened: list[int], closes: list[tuple[int, int, str]]
) -> Batch:
    """A batch with these holds and connections."""
    return Batch(
        begin=BEGIN,
        now=NOW,
        openings=0,
        contexts=0,
        quick=as_rows([], 3),
        noticed=[],
        holds=as_rows([edge for hold in holds for edge in hold], 2),
        ended=as_rows([], 6),
        held=as_rows([], 2),
        uses={},
        resets=as_rows([], 1)[:, 0],
        closes=closes,
        opened=opened,
        holders=[],
        levels={},
        waiting=[],
        requests=[],
        failures=[],
        abandoned=[],
        lags=[],
        thinks=[],
        schedule_lags=[],
        let_others_run=go_on,
    )


@given(
    spans,
    st.lists(st.integers(1, BEGIN), max_size=8),
    st.lists(st.integers(1, BEGIN), max_size=2),
    st.none() | st.integers(1, 5),
)
def test_they_are_those_of_all_openings_and_closes(
    holds: list[list[int]], opened: list[int], closed: list[int], size: int | None
) -> None:
    batch = batch_of(holds, opened, [(1, moment, "recycle") for moment in closed])
    found = pool_gauges(batch, size)
    expected = _changing(batch, level_steps([batch.spans], (BEGIN, NOW)), size)
    assert {name: found[name] for name in expected} == expected


def test_a_connection_that_is_opened_or_closed_meanwhile_counts_from_then() -> None:
    closes = [(1, BEGIN + 400, "recycle")]
    gauges = pool_gauges(batch_of([[1, NOW]], [1, BEGIN + 100], closes), 1)
    level = gauges["open"]
    assert (level.integral, level.min, level.max, level.last) == (1000 + 900 + 400, 2, 3, 2)
    assert pool_gauges(batch_of([], [1], closes), 1)["open"].integral == 1000 + 400
    assert gauges["idle"].integral == level.integral - 1000
    assert gauges["overflow"].integral == level.integral - 1000
