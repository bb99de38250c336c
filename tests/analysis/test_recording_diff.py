"""Recordings before and after a change: whether it helped, at similar load."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from loadtest.analysis.comparison.comparer import ComparisonRule
from loadtest.analysis.comparison.recording_diff import compare_blocks, paired_recordings
from loadtest.analysis.comparison.recording_diff_words import diff_answer, diff_notes
from loadtest.analysis.recordings.read_recording import Recording, read_recording
from loadtest.model.errors import UsageError
from loadtest.model.interval import Interval
from loadtest.model.summary import Comparison
from tests.analysis.builders import SECOND, START, interval
from tests.analysis.recorded_pools import write_recording

MINUTES = 12
FIRST_MINUTE = -START % 60
RULE = ComparisonRule()
SHOP = {"name": "shop", "poolclass": "QueuePool", "pool_size": 5, "max_overflow": 0}


def minutes_of(
    wait: Callable[[int], int],
    rate: Callable[[int], int] = lambda _: 10,
    hold: int = 20,
    minutes: int = MINUTES,
) -> Iterable[Interval]:
    """Whole minutes, in intervals of ten seconds; wait (ms) and rate: by the number of a minute."""
    gauges = {"in_use": 2, "open": 3, "waiting": 0, "engines": 1}
    for part in range(6 * minutes):
        number = 10 * rate(part // 6)
        yield interval(
            FIRST_MINUTE + 10 * part,
            length=10 * SECOND,
            counters={"checkouts": number},
            gauges=gauges,
            wait=[wait(part // 6)] * number,
            hold=[hold] * number,
        )


def recording(folder: Path, intervals: Iterable[Interval], **more: Any) -> Recording:
    write_recording(folder, intervals, **{"pool": SHOP, **more})
    return read_recording([folder])


def noisy(mean: int, seed: int) -> Callable[[int], int]:
    """Waits (ms) of minutes that vary by a tenth."""
    values = mean * np.exp(0.1 * np.random.default_rng(seed).standard_normal(MINUTES))
    return lambda minute: int(values[minute])


def compared(before: Recording, after: Recording) -> dict[str, Comparison]:
    (paired,) = paired_recordings(before, after)
    return {one.metric: one for one in compare_blocks(paired, RULE)}


def test_a_fix_that_shortens_waits_is_better(tmp_path: Path) -> None:
    before = recording(tmp_path / "before", minutes_of(noisy(200, 1), hold=50))
    after = recording(tmp_path / "after", minutes_of(noisy(50, 2), hold=20))
    found = compared(before, after)
    wait = found["checkout.wait_seconds.mean"]
    assert (wait.role, wait.decision, wait.rounds) == ("primary", "better", MINUTES)
    assert wait.ci95 is not None
    low, high = wait.ci95
    assert low < 0.25 < high
    assert high / low < 1.5
    assert found["hold_seconds.mean"].ratio == pytest.approx(0.4, rel=0.02)
    assert found["hold_seconds.mean"].decision == "better"
    assert found["checkout.timeout_rate"].decision == "equivalent"
    assert found["connections.peak"].decision == "equivalent"
    (paired,) = paired_recordings(before, after)
    answer = diff_answer(paired, list(found.values()))
    assert answer.startswith("Waits became shorter for shop: on average 2")
    assert answer.endswith("after, at similar load.")


def test_without_a_change_nothing_is_better_or_worse(tmp_path: Path) -> None:
    before = recording(tmp_path / "before", minutes_of(noisy(100, 1)))
    after = recording(tmp_path / "after", minutes_of(noisy(100, 2)))
    decisions = {one.decision for one in compared(before, after).values()}
    assert decisions <= {"undecided", "equivalent"}


def test_fewer_timeouts_are_better_and_told(tmp_path: Path) -> None:
    def timing_out() -> Iterable[Interval]:
        for one in minutes_of(noisy(500, 1)):
            one.counters["timeouts"] = 20
            yield one

    before = recording(tmp_path / "before", timing_out())
    after = recording(tmp_path / "after", minutes_of(noisy(50, 2)))
    found = compared(before, after)
    assert found["checkout.timeout_rate"].decision == "better"
    (paired,) = paired_recordings(before, after)
    assert "timeouts 17 % before, 0 % after" in diff_answer(paired, list(found.values()))


def test_only_blocks_with_similar_load_are_compared(tmp_path: Path) -> None:
    """Waits grow with the load. A quieter week is not better."""

    def rising(minute: int) -> int:
        return 10 + 5 * minute

    before = recording(tmp_path / "before", minutes_of(rising, rising))
    after = recording(tmp_path / "after", minutes_of(rising, lambda _: 20, minutes=10))
    (paired,) = paired_recordings(before, after)
    assert {one.load for one, _ in paired.pairs} == {20.0}
    assert len(paired.pairs) == 1
    (blocks, *_) = diff_notes(before, after, [paired])
    assert blocks == (
        "shop: 1 pair of blocks of 60 s with 20.0 to 20.0 checkouts per second, of 12 blocks "
        "before and 10 after."
    )


def test_of_several_similar_loads_the_nearest_are_a_pair(tmp_path: Path) -> None:
    loads = [20, 22, 24, 26, 28, 30, 32, 34, 36, 38, 40, 42]
    before = recording(tmp_path / "before", minutes_of(noisy(9, 1), lambda m: loads[m]))
    after = recording(tmp_path / "after", minutes_of(noisy(9, 2), lambda m: loads[-1 - m]))
    (paired,) = paired_recordings(before, after)
    assert len(paired.pairs) == MINUTES
    assert all(one.load == other.load for one, other in paired.pairs)


def test_without_a_similar_load_nothing_is_compared(tmp_path: Path) -> None:
    before = recording(tmp_path / "before", minutes_of(noisy(9, 1)))
    after = recording(tmp_path / "after", minutes_of(noisy(9, 1), lambda _: 30))
    with pytest.raises(UsageError, match=r"10.0 to 10.0 checkouts per second before, 30.0 to"):
        paired_recordings(before, after)


def test_short_recordings_have_short_blocks(tmp_path: Path) -> None:
    before = recording(tmp_path / "before", minutes_of(noisy(9, 1), minutes=2))
    after = recording(tmp_path / "after", minutes_of(noisy(9, 1)))
    (paired,) = paired_recordings(before, after)
    assert (paired.seconds, len(paired.pairs)) == (10, 12)


def test_successive_minutes_that_resemble_each_other_count_less(tmp_path: Path) -> None:
    """The same values, in order and mixed: the same ratio, but a wider interval."""
    slow = [40 + 4 * minute for minute in range(MINUTES)]
    mixed = [slow[5 * minute % MINUTES] for minute in range(MINUTES)]
    before = recording(tmp_path / "before", minutes_of(lambda _: 60))
    widths = []
    for name, values in (("slow", slow), ("mixed", mixed)):
        after = recording(tmp_path / name, minutes_of(lambda m, v=values: v[m]))
        wait = compared(before, after)["checkout.wait_seconds.mean"]
        assert wait.ci95 is not None
        widths.append(wait.ci95[1] / wait.ci95[0])
    assert widths[0] > 1.5 * widths[1]


def test_other_settings_and_processes_are_named(tmp_path: Path) -> None:
    before = recording(tmp_path / "before", minutes_of(noisy(9, 1)))
    write_recording(tmp_path / "after", minutes_of(noisy(9, 1)), pool={**SHOP, "pool_size": 20})
    two = minutes_of(noisy(9, 1))
    after = recording(tmp_path / "after", two, process="web-2", pool={**SHOP, "pool_size": 20})
    notes = diff_notes(before, after, [])
    assert "shop: pool_size 5 before, 20 after." in notes
    assert "shop: processes 1 before, 2 after." in notes
    assert notes[-1].startswith("This is an observation, not an experiment")


def test_recordings_of_different_applications_are_refused(tmp_path: Path) -> None:
    before = recording(tmp_path / "before", minutes_of(noisy(9, 1)))
    other = {**SHOP, "name": "blog"}
    after = recording(tmp_path / "after", minutes_of(noisy(9, 1)), name="blog.web", pool=other)
    with pytest.raises(UsageError, match=r"different applications: shop.web with the pool shop, "):
        paired_recordings(before, after)


def test_the_same_pool_under_another_name_of_the_application_is_compared(tmp_path: Path) -> None:
    before = recording(tmp_path / "before", minutes_of(noisy(9, 1)))
    after = recording(tmp_path / "after", minutes_of(noisy(9, 1)), name="gunicorn")
    assert len(paired_recordings(before, after)) == 1
    assert "shop.web before, gunicorn after" in diff_notes(before, after, [])[0]


def test_a_pool_without_a_similar_load_does_not_hide_the_others(tmp_path: Path) -> None:
    audit = {**SHOP, "name": "audit"}
    for name, load in (("before", 1), ("after", 9)):
        write_recording(tmp_path / name, minutes_of(noisy(9, 1), lambda _, n=load: n), pool=audit)
    before = recording(tmp_path / "before", minutes_of(noisy(9, 1)))
    after = recording(tmp_path / "after", minutes_of(noisy(9, 1)))
    paired = paired_recordings(before, after)
    assert {one.names[1]: len(one.pairs) for one in paired} == {"shop": MINUTES, "audit": 0}
    assert "audit: no blocks of 60 s have a similar load" in " ".join(
        diff_notes(before, after, paired)
    )


def test_minutes_before_the_change_that_resemble_each_other_count_less(tmp_path: Path) -> None:
    """Pairs of nearest loads mix their order: a slow drift before is no quick noise."""
    slow = [40 + 4 * minute for minute in range(MINUTES)]
    loads = [20 + (5 * minute) % MINUTES for minute in range(MINUTES)]
    after = recording(tmp_path / "after", minutes_of(lambda _: 60, lambda m: 20 + m))
    widths = []
    for name, load in (("mixed", lambda m: loads[m]), ("same", lambda m: 20 + m)):
        before = recording(tmp_path / name, minutes_of(lambda m: slow[m], load))
        wait = compared(before, after)["checkout.wait_seconds.mean"]
        assert wait.ci95 is not None
        widths.append(wait.ci95[1] / wait.ci95[0])
    assert widths[0] == pytest.approx(widths[1], rel=0.01)
