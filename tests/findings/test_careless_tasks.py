"""Tasks that keep connections, hold them while they do something else, or take a second one."""

from __future__ import annotations

import pytest

from tests.findings.runs import Found, Provoked

pytestmark = pytest.mark.provoked


@pytest.fixture(scope="module")
def keeping(provoked: Provoked) -> dict[str, Found]:
    load = "-u 5 -r 5 -t 3s --pool-size 100 --max-overflow 0"
    more = {"kept": load, "given_back": f"{load} --give-back"}
    return provoked.found_in("keeping", "keeping.py", private=True, **more)


@pytest.fixture(scope="module")
def holding(provoked: Provoked) -> dict[str, Found]:
    load = "-u 20 -r 20 -t 3s --pool-size 4 --max-overflow 0"
    # One after the other: how many threads run on the server is part of the evidence.
    return {
        name: provoked.found_in(f"idle-hold-{name}", "idle_hold.py", run=arguments)["run"]
        for name, arguments in {"held": load, "early": f"{load} --commit-first"}.items()
    }


@pytest.fixture(scope="module")
def nested(provoked: Provoked) -> dict[str, Found]:
    load = "-u 6 -r 6 -t 3s --max-overflow 0 --pool-timeout 0.3"
    return provoked.found_in(
        "nested",
        "nested.py",
        private=True,
        small=f"{load} --pool-size 3",
        large=f"{load} --pool-size 20",
        in_turn=f"{load} --pool-size 3 --commit-first",
    )


def test_a_task_that_never_closes_what_it_takes_leaks(keeping: dict[str, Found]) -> None:
    leak = keeping["kept"]["leak"]
    assert list(leak.evidence["kept"]) == ["careless"]
    assert leak.evidence["kept"]["careless"] > 10
    assert "'careless'" in leak.message
    assert "leak" not in keeping["given_back"]


def test_the_pool_counts_leaked_connections_that_no_checkout_accounts_for(
    keeping: dict[str, Found],
) -> None:
    evidence = keeping["kept"]["connections_unaccounted"].evidence
    assert evidence["checked_out"] > 5
    assert evidence["accounted"] < 2
    assert "connections_unaccounted" not in keeping["given_back"]


@pytest.mark.alone
def test_a_task_that_holds_a_connection_while_it_does_something_else_is_named(
    holding: dict[str, Found],
) -> None:
    long_hold = holding["held"]["long_hold"]
    assert long_hold.severity == "warning"
    assert long_hold.evidence["task"] == "ask"
    assert long_hold.evidence["hold"] > 0.05
    assert 0.05 < long_hold.evidence["querying"] < 0.5
    assert "users wait for a connection" in long_hold.message
    assert "long_hold" not in holding["early"]


def test_second_connections_in_a_pool_without_enough_are_a_deadlock(
    nested: dict[str, Found],
) -> None:
    finding = nested["small"]["nested_checkout"]
    assert finding.severity == "error"
    assert (finding.evidence["least"], finding.evidence["limit"]) == (7, 3)
    assert finding.evidence["nested"]["audit"] > 3
    assert "errors_pool_timeout" in nested["small"]


def test_second_connections_in_a_pool_with_enough_are_no_danger(nested: dict[str, Found]) -> None:
    finding = nested["large"]["nested_checkout"]
    assert finding.severity == "info"
    assert (finding.evidence["least"], finding.evidence["limit"]) == (7, 20)
    assert "errors_pool_timeout" not in nested["large"]


def test_connections_that_are_taken_one_after_the_other_are_not_nested(
    nested: dict[str, Found],
) -> None:
    assert not {"nested_checkout", "errors_pool_timeout"} & nested["in_turn"].keys()
