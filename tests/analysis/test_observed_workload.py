"""What a result tells of its users, and what follows for other pools."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec import structs

from loadtest.analysis.pool_runs import gather
from loadtest.analysis.prediction.observed_workload import observe
from loadtest.analysis.prediction.samples import samples, scaled
from loadtest.analysis.prediction.settings_grid import parse_overflows, parse_sizes, settings_grid
from loadtest.analysis.prediction.validation import pools_to_measure
from loadtest.analysis.prediction.whatif import predict, predict_pool
from loadtest.model.distribution import Distribution
from loadtest.model.errors import InvalidMeasurement, UsageError
from loadtest.model.pool import PoolConfig, parse_pool
from loadtest.runfile.reader import Run
from tests.analysis.builders import SECOND, interval, run

USERS = 40


def measured(
    folder: Path,
    pool: str = "10+0",
    *,
    rate: int = 100,
    in_use: int = 10,
    waiting: int = 20,
    load: Mapping[str, Any] | None = None,
    seconds: int = 4,
    counters: Mapping[str, int] | None = None,
    **histograms: Sequence[int],
) -> Run:
    """A run of 40 users; each second the same; histograms in milliseconds."""
    times = {"hold": [1000 * in_use // rate] * rate, "wait": [200] * rate, "think": [50] * rate}
    done = {"checkouts": rate, "requests": rate, "cpu": SECOND // 4}
    one = [
        interval(
            second,
            counters=done | dict(counters or {}),
            gauges={"users": USERS, "in_use": in_use, "waiting": waiting, "open": in_use},
            **(times | histograms),
        )
        for second in range(seconds)
    ]
    facts = {"users": USERS, "duration": float(seconds), "warmup": 2.0, "seed": 1}
    return run(folder, one, pool, load=facts | dict(load or {}))


def assert_throughput(runs: Sequence[Run], pool: str, expected: float, within: float) -> None:
    """What a pool is predicted to do."""
    predicted = predict_pool(observe(gather(runs)), parse_pool(pool))
    assert predicted.throughput == pytest.approx(expected, rel=within)


class TestSamples:
    """Equally likely values that stand for a histogram."""

    def test_mean_and_percentiles_are_kept(self) -> None:
        values = np.random.default_rng(1).lognormal(-3, 1, 20_000)
        drawn = samples(Distribution.of((values * 1e9).astype(np.int64)))

        assert np.mean(drawn) == pytest.approx(values.mean(), rel=1e-6)
        for percent in (5, 50, 95, 99):
            assert np.percentile(drawn, percent) == pytest.approx(
                np.percentile(values, percent), rel=0.03
            )
        assert list(drawn) == sorted(drawn)
        assert max(drawn) <= values.max()

    def test_few_values_are_all_there(self) -> None:
        drawn = np.array(samples(Distribution.of([1_000_000, 100_000_000])))

        assert (np.abs(drawn - 0.001) < 0.0001).sum() == 500
        assert (np.abs(drawn - 0.1) < 0.002).sum() == 500

    def test_nothing_is_nothing_and_zeros_are_zeros(self) -> None:
        assert samples(Distribution()) == ()
        assert set(samples(Distribution.of([0, 0]))) == {0.0}

    def test_the_same_shape_with_another_mean(self) -> None:
        assert scaled((1.0, 3.0), 4.0) == (2.0, 6.0)
        assert scaled((), 4.0) == (4.0,)
        assert scaled((0.0, 0.0), 4.0) == (4.0,)


class TestWorkload:
    """Who asked, how often and for how long."""

    def test_the_time_outside_is_what_littles_law_leaves(self, tmp_path: Path) -> None:
        observed = observe(gather([measured(tmp_path)]))

        # 40 users, of whom 20 wait and 10 hold, ask 100 times a second.
        assert np.mean(observed.workload.outside) == pytest.approx(0.1)
        assert np.mean(observed.workload.hold.samples[0]) == pytest.approx(0.1)
        assert any("spends 100 ms outside the pool" in note for note in observed.notes)

    def test_all_users_have_room_in_a_larger_pool(self, tmp_path: Path) -> None:
        runs = [measured(tmp_path)]

        assert_throughput(runs, "40+0", USERS / 0.2, 0.02)
        assert_throughput(runs, "5+0", 5 / 0.1, 0.02)
        assert_throughput(runs, "10+0", 100, 0.02)

    def test_one_pool_alone_is_said_to_leave_hold_constant(self, tmp_path: Path) -> None:
        (note,) = [n for n in observe(gather([measured(tmp_path)])).notes if "Hold" in n]
        assert "constant, as it was measured at 10 connections in use only" in note

    def test_hold_lies_between_what_was_measured_at_several_levels(self, tmp_path: Path) -> None:
        runs = [
            measured(tmp_path, "10+0"),
            measured(tmp_path, "20+0", in_use=20, waiting=10, rate=50),
        ]
        observed = observe(gather(runs))

        assert any("measured at 10 and 20 connections in use" in note for note in observed.notes)
        low, high, share = observed.workload.hold.between(15)
        assert (np.mean(low), np.mean(high)) == (pytest.approx(0.1), pytest.approx(0.4))
        # Twice as many hold four times as long: the power is two.
        between = 0.1 * 1.5**2
        assert 0.1 + share * 0.3 == pytest.approx(between)
        assert_throughput(runs, "15+0", 15 / between, 0.03)
        marks = [
            predict_pool(observed, parse_pool(f"{size}+0")).extrapolated for size in (5, 10, 15, 30)
        ]
        assert marks == [True, False, False, True]

    def test_pools_with_as_many_in_use_are_one_level(self, tmp_path: Path) -> None:
        runs = [measured(tmp_path, "10+0"), measured(tmp_path, "30+0")]
        assert observe(gather(runs)).workload.hold.levels == (10.0,)

    def test_open_loop(self, tmp_path: Path) -> None:
        load = {"arrival_rate": 50.0, "arrivals": "even", "drop_after": 2.0, "users": 500}
        runs = [
            measured(
                tmp_path,
                load=load,
                waiting=0,
                in_use=10,
                counters={"arrivals": 50},
                schedule_lag=[0] * 50,
            )
        ]
        work = observe(gather(runs)).workload

        # Every task makes two checkouts.
        assert (work.rate, work.even, work.drop_after) == (100.0, True, 2.0)
        predicted = predict_pool(observe(gather(runs)), parse_pool("5+0"))
        assert predicted.overloaded
        assert predicted.throughput == pytest.approx(50, rel=0.03)

    def test_several_processes_share_the_users_and_add_up(self, tmp_path: Path) -> None:
        alone = measured(tmp_path / "one")
        load = structs.replace(alone.header.load, users=2 * USERS)
        twice = dataclasses.replace(
            alone,
            header=structs.replace(alone.header, load=load),
            intervals=[
                dataclasses.replace(one, process=name) for one in alone.intervals for name in "ab"
            ],
        )
        observed = observe(gather([twice]))

        assert (observed.processes, observed.workload.users) == (2, USERS)
        predicted = predict_pool(observed, parse_pool("10+0"))
        assert predicted.throughput == pytest.approx(200, rel=0.02)
        assert predicted.peak == 20

    def test_timeouts_come_with_a_shorter_patience(self, tmp_path: Path) -> None:
        observed = observe(gather([measured(tmp_path, waiting=28, in_use=10)]))
        patient, impatient = (
            predict_pool(observed, PoolConfig(pool_size=5, max_overflow=0, pool_timeout=timeout))
            for timeout in (30, 0.1)
        )

        assert patient.timeouts == 0
        assert impatient.timeouts > 0.3
        assert (impatient.wait.max or 0) <= 0.1 + 1e-9

    def test_what_is_no_steady_load_is_refused(self, tmp_path: Path) -> None:
        stages = [{"name": "calm", "duration": 2.0, "users": 5}]
        with pytest.raises(UsageError, match="not steady"):
            observe(gather([measured(tmp_path, load={"stages": stages})]))

    def test_without_a_valid_measurement_there_is_no_prediction(self, tmp_path: Path) -> None:
        with pytest.raises(InvalidMeasurement, match="measured properly"):
            observe(gather([measured(tmp_path, counters={"cpu": SECOND})]))

    def test_a_run_that_is_still_going_on_is_no_measurement_yet(self, tmp_path: Path) -> None:
        going_on = run(tmp_path, [interval(period="warmup")], reason=None)
        with pytest.raises(InvalidMeasurement, match="has no end, so this run is still"):
            observe(gather([going_on]))

    def test_pools_that_were_not_measured_properly_are_left_out_and_named(
        self, tmp_path: Path
    ) -> None:
        busy = measured(tmp_path, "20+0", in_use=20, counters={"cpu": SECOND})
        observed = observe(gather([measured(tmp_path), busy]))

        assert [one.name for one in observed.ran] == ["10+0"]
        assert any("Left out: 20+0" in note for note in observed.notes)


class TestGrid:
    """Settings as they are typed."""

    def test_few_sizes_are_all_of_them_and_many_grow_by_a_factor(self) -> None:
        assert parse_sizes("5..8") == [5, 6, 7, 8]
        assert parse_sizes("20,5,5") == [5, 20]
        many = parse_sizes("5..100")
        assert (many[0], many[-1]) == (5, 100)
        assert 15 < len(many) <= 20
        assert all(1 < high / low < 1.35 for low, high in pairwise(many))

    @pytest.mark.parametrize("text", ["0..5", "9..5", "many", "", "5,,6", "0", "-3", "1..2..3"])
    def test_what_is_no_size_is_refused(self, text: str) -> None:
        with pytest.raises(UsageError, match="--pool-size"):
            parse_sizes(text)

    def test_overflows(self) -> None:
        assert parse_overflows("0,10,inf") == [0, 10, -1]
        with pytest.raises(UsageError, match="--max-overflow"):
            parse_overflows("-2")

    def test_other_settings_are_those_of_the_measured_pool(self, tmp_path: Path) -> None:
        pool = "pool_size=10,max_overflow=0,pool_timeout=2,pool_use_lifo=true"
        observed = observe(gather([measured(tmp_path, pool)]))
        pools = settings_grid(observed, "9..12", "0,inf", None)

        assert [(one.pool_size, one.max_overflow) for one in pools][3:5] == [(12, 0), (9, -1)]
        assert {(one.pool_timeout, one.pool_use_lifo) for one in pools} == {(2.0, True)}
        assert settings_grid(observed, "9", "0", "500ms")[0].pool_timeout == 0.5
        with pytest.raises(UsageError, match="--pool-timeout"):
            settings_grid(observed, "9", "0", "soon")

    def test_a_range_has_the_sizes_that_were_measured(self, tmp_path: Path) -> None:
        observed = observe(gather([measured(tmp_path, "50+0")]))

        assert 50 not in parse_sizes("5..100")
        pools = settings_grid(observed, "45..100", "0", None)
        few = [pool for pool in pools if 45 <= pool.pool_size <= 50]
        prediction = predict(observed, few, workers=1)
        assert [one.settings.pool_size for one in prediction.cells if one.measured] == [50]
        assert [ran.name for ran, _ in prediction.checks] == ["50+0"]


class TestChoice:
    """Which settings are measured to see whether the prediction holds."""

    def test_few_many_and_between_but_none_that_was_measured(self, tmp_path: Path) -> None:
        observed = observe(gather([measured(tmp_path, "10+0")]))
        prediction = predict(
            observed, settings_grid(observed, "4,10,20,40,80", "0", None), workers=1
        )

        assert [pool.pool_size for pool in pools_to_measure(prediction)] == [4, 20, 40]

    def test_one_alone_is_taken_as_it_is(self, tmp_path: Path) -> None:
        observed = observe(gather([measured(tmp_path, "10+0")]))
        prediction = predict(observed, settings_grid(observed, "10", "0", None), workers=1)

        assert [pool.pool_size for pool in pools_to_measure(prediction)] == [10]

    def test_both_of_two_are_measured(self, tmp_path: Path) -> None:
        observed = observe(gather([measured(tmp_path, "10+0")]))
        prediction = predict(observed, settings_grid(observed, "4,10,20", "0", None), workers=1)

        assert [pool.pool_size for pool in pools_to_measure(prediction)] == [4, 20]
