"""Formulas of queues, against values of their own and against each other."""

from __future__ import annotations

import math

import pytest

from loadtest.analysis.statistics import queueing
from tests.analysis.machine_repair import closed_throughput, closed_wait


class TestErlang:
    """Poisson arrivals and exponential holds."""

    def test_one_connection_is_the_textbook_queue(self) -> None:
        # M/M/1: W = rho S / (1 - rho), P(W > t) = rho exp(-(1 - rho) t / S).
        assert queueing.erlang_c(1, 0.8) == pytest.approx(0.8)
        assert queueing.erlang_c_wait(1, 80, 0.01) == pytest.approx(0.04)
        p95 = math.log(0.8 / 0.05) * 0.01 / 0.2
        assert queueing.wait_percentile(1, 80, 0.01, 0.95) == pytest.approx(p95)

    def test_a_published_value(self) -> None:
        # 10 erlangs on 15 trunks: Erlang's own tables say 0.0365 blocked.
        assert queueing.erlang_b(15, 10) == pytest.approx(0.0365, abs=5e-5)

    @pytest.mark.parametrize("connections", [1, 3, 20, 300])
    def test_the_share_that_waits_is_also_the_sum_of_its_states(self, connections: int) -> None:
        offered = 0.9 * connections
        logs = [n * math.log(offered) - math.lgamma(n + 1) for n in range(connections + 1)]
        states = [math.exp(one - max(logs)) for one in logs]
        busy = states[-1] / (1 - offered / connections)

        expected = busy / (sum(states[:-1]) + busy)

        assert queueing.erlang_c(connections, offered) == pytest.approx(expected)

    def test_the_mean_is_the_integral_of_the_percentiles(self) -> None:
        shares = [(n + 0.5) / 20_000 for n in range(20_000)]
        waits = [queueing.wait_percentile(5, 40, 0.1, share) for share in shares]

        mean = sum(waits) / len(waits)

        assert mean == pytest.approx(queueing.erlang_c_wait(5, 40, 0.1), rel=1e-3)

    def test_who_arrives_while_some_are_free_does_not_wait(self) -> None:
        assert queueing.wait_percentile(10, 10, 0.1, 0.95) == 0

    @pytest.mark.parametrize("rate", [50, 60])
    def test_an_overload_has_no_end(self, rate: float) -> None:
        assert queueing.erlang_c(5, rate * 0.1) == 1
        assert queueing.erlang_c_wait(5, rate, 0.1) == math.inf
        assert queueing.wait_percentile(5, rate, 0.1, 0.5) == math.inf

    def test_numbers_that_cannot_be_are_refused(self) -> None:
        with pytest.raises(ValueError, match="at least one connection"):
            queueing.erlang_b(0, 1)
        with pytest.raises(ValueError, match="not negative"):
            queueing.erlang_c_wait(1, -1, 0.1)
        with pytest.raises(ValueError, match="below 1"):
            queueing.wait_percentile(1, 1, 0.1, 1.0)


class TestClosedLoop:
    """A number of users that ask again after a while."""

    def test_one_connection_and_two_users_by_hand(self) -> None:
        # Z = S: states 0, 1, 2 at the pool have the weights 1, 2, 2.
        assert closed_throughput(2, 1, 0.1, 0.1) == pytest.approx(0.8 / 0.1)
        assert closed_wait(2, 1, 0.1, 0.1) == pytest.approx(2 / 8 - 0.2)

    def test_enough_connections_hold_nobody_up(self) -> None:
        assert closed_throughput(50, 50, 0.3, 0.1) == pytest.approx(50 / 0.4)
        assert closed_wait(50, 50, 0.3, 0.1) == pytest.approx(0, abs=1e-12)

    def test_ten_thousand_users_stay_within_what_numbers_can_hold(self) -> None:
        reached = closed_throughput(10_000, 20, 0.5, 0.05)
        assert reached == pytest.approx(20 / 0.05)

    @pytest.mark.parametrize("connections", [1, 4, 10, 40])
    def test_it_stays_below_the_bound(self, connections: int) -> None:
        reached = closed_throughput(30, connections, 0.2, 0.1)
        bound = queueing.most_throughput(30, connections, 0.2, 0.1)

        assert 0.7 * bound < reached <= bound * (1 + 1e-12)

    def test_without_pause_or_hold(self) -> None:
        assert closed_throughput(9, 3, 0.0, 0.1) == pytest.approx(30)
        assert queueing.most_throughput(9, 3, 0.1, 0.0) == pytest.approx(90)
        assert queueing.most_throughput(9, 3, 0.0, 0.0) == math.inf
