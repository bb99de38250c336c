"""Which runs can be compared, and two results against each other."""

from pathlib import Path
from typing import Any

import pytest

from loadtest.analysis.comparison.result_diff import (
    compare_results,
    diff_exit_code,
    generator_drifts,
    invalid_pools,
    unmatched_pools,
)
from loadtest.analysis.pool_runs import Measurements, gather
from loadtest.model.errors import UsageError
from loadtest.runfile.reader import Run
from tests.analysis.builders import header, interval, run, steady

FAST, SLOW = [700, 705, 690, 702, 699], [600, 605, 592, 603, 598]
LOAD = header()["load"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"load": {**LOAD, "users": 100}}, "load.users is 300 in"),
        ({"load": {**LOAD, "seed": 2}}, "load.seed is 1 in"),
        ({"server": {"version": "11.4"}}, "server version is 10.11.6-MariaDB in"),
        ({"scenario": {"files": ["scenarios/order_flow.py"]}}, "scenario is hot_row.py in"),
        ({"host": {"cpus": 64}}, "CPUs is 2 in"),
        ({"application": "shop.db:Session"}, "application is None in"),
    ],
)
def test_runs_that_differ_in_more_than_their_pool_are_refused(
    tmp_path: Path, more: dict[str, Any], said: str
) -> None:
    runs = steady(tmp_path, "20+0", [100]) + steady(tmp_path, "5+10", [100], **more)
    with pytest.raises(UsageError, match=said) as caught:
        gather(runs)
    assert str(tmp_path) in str(caught.value)


SHOP = {"name": "shop", "command": "uvicorn shop", "database": "sqlite+aiosqlite"}


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"database": "postgresql+asyncpg"}, "database of the application is sqlite in .*, postgr"),
        ({"command": "gunicorn shop"}, "command of the application is uvicorn shop in .*, gunicor"),
    ],
)
def test_different_applications_are_refused(
    tmp_path: Path, other: dict[str, str], said: str
) -> None:
    runs = steady(tmp_path, "20+0", [100], driven=SHOP)
    same = steady(tmp_path, "9+0", [100], driven={**SHOP, "database": "sqlite+pysqlite"})
    assert len(gather(runs + same).pools) == 2
    with pytest.raises(UsageError, match=said):
        gather(runs + steady(tmp_path, "5+10", [100], driven={**SHOP, **other}))


def test_a_driven_run_and_a_scenarios_are_refused_for_this_reason_alone(tmp_path: Path) -> None:
    runs = steady(tmp_path, "20+0", [100], driven=SHOP)
    other = steady(tmp_path, "5+10", [100], load={**LOAD, "users": 100})
    with pytest.raises(UsageError, match=r"20\+0-1.jsonl drove an application behind") as caught:
        gather(other + runs)
    assert len(caught.value.problems) == 1
    assert "in " + str(other[0].path) in str(caught.value)


def test_a_result_from_before_an_option_is_one_that_did_not_use_it(tmp_path: Path) -> None:
    later = {**LOAD, "stages": [], "faults": [], "prefill": False}
    runs = steady(tmp_path, "20+0", [100]) + steady(tmp_path, "5+10", [100], load=later)
    assert len(gather(runs).pools) == 2
    broken = {**LOAD, "faults": [{"kind": "freeze", "at": 1.0, "length": 1.0}]}
    with pytest.raises(UsageError, match=r"load\.faults is None in"):
        gather(runs + steady(tmp_path, "9+9", [100], load=broken))


def test_a_result_from_before_a_servers_variable_was_read_may_be_of_the_same_server(
    tmp_path: Path,
) -> None:
    def told(pool: str, **variables: str) -> list[Run]:
        server = header()["server"]
        return steady(
            tmp_path,
            pool,
            [100],
            server={**server, "variables": {**server["variables"], **variables}},
        )

    before, now = told("20+0"), told("5+10", innodb_snapshot_isolation="ON")
    assert len(gather(before + now).pools) == 2
    with pytest.raises(UsageError, match=r"server\.innodb_snapshot_isolation is ON in"):
        gather(now + told("9+9", innodb_snapshot_isolation="OFF"))
    with pytest.raises(UsageError, match=r"server\.tx_isolation is None in"):
        gather(before + told("8+8", tx_isolation="READ-COMMITTED"))


def test_what_a_fault_leaves_open_need_not_be_said(tmp_path: Path) -> None:
    now = {"kind": "freeze", "at": 1.0, "length": 1.0}
    loads = [{**LOAD, "faults": [fault]} for fault in (now, {**now, "delay": None})]
    runs = [
        run(tmp_path, [interval()], name, load=load)
        for name, load in zip(("20+0", "5+10"), loads, strict=True)
    ]
    assert len(gather(runs).pools) == 2


def test_rounds_may_have_seeds_of_their_own_which_their_pools_share(tmp_path: Path) -> None:
    def pool(name: str, *seeds: int) -> list[Run]:
        return [
            run(tmp_path, [interval()], name, number, load={**LOAD, "seed": seed})
            for number, seed in enumerate(seeds, start=1)
        ]

    assert len(gather([*pool("20+0", 1, 2), *pool("5+10", 1, 2)]).pools) == 2
    with pytest.raises(UsageError, match=r"load.seed is 2 in .*20\+0-2"):
        gather([*pool("20+0", 1, 2), *pool("5+10", 1, 1)])


def test_every_difference_is_named_once(tmp_path: Path) -> None:
    load = {**LOAD, "users": 100, "duration": 9.0}
    runs = steady(tmp_path, "20+0", [100]) + steady(tmp_path, "5+10", [100, 100], load=load)
    with pytest.raises(UsageError) as caught:
        gather(runs)
    assert [problem.split()[3] for problem in caught.value.problems] == [
        "load.duration",
        "load.users",
    ]


def test_the_same_scenario_in_another_folder_is_the_same(tmp_path: Path) -> None:
    scenario = {**header()["scenario"], "files": ["elsewhere/hot_row.py"]}
    runs = steady(tmp_path, "20+0", [100]) + steady(tmp_path, "5+10", [100], scenario=scenario)
    assert len(gather(runs).pools) == 2


def _result(folder: Path, rounds: list[int], pool: str = "20+0", **more: Any) -> Measurements:
    return gather(steady(folder, pool, rounds, **more))


def test_a_regression_is_found(tmp_path: Path) -> None:
    before = _result(tmp_path / "a", FAST)
    found = compare_results(before, _result(tmp_path / "b", SLOW))
    assert (found[0].decision, found[0].metric) == ("worse", "throughput.per_second")
    assert found[0].ratio == pytest.approx(0.857, abs=0.001)
    assert diff_exit_code(found, []) == 3
    assert diff_exit_code(compare_results(before, _result(tmp_path / "c", FAST)), []) == 0


def test_a_secondary_metric_is_a_regression_too(tmp_path: Path) -> None:
    found = compare_results(_result(tmp_path / "a", FAST), _result(tmp_path / "b", FAST, wait=30))
    assert found[0].decision == "equivalent"
    worse = {one.metric for one in found if one.decision == "worse"}
    assert "checkout.wait_seconds.p99" in worse
    assert diff_exit_code(found, []) == 3


def test_what_is_not_valid_decides_nothing(tmp_path: Path) -> None:
    busy = [interval(counters={"requests": 900, "cpu": 1_000_000_000})]
    runs = [run(tmp_path / "b", busy, round_=number) for number in range(1, 6)]
    results = _result(tmp_path / "a", FAST), gather(runs)
    assert invalid_pools(*results) == ["20+0"]
    assert diff_exit_code(compare_results(*results), invalid_pools(*results)) == 4


def test_a_machine_that_was_slower_is_named(tmp_path: Path) -> None:
    def result(name: str, cpus: list[int]) -> Measurements:
        counters = [{"requests": 100, "cpu": cpu} for cpu in cpus]
        rounds = enumerate(([interval(counters=each)] for each in counters), start=1)
        return gather([run(tmp_path / name, parts, round_=number) for number, parts in rounds])

    before = result("a", [300_000_000, 310_000_000, 305_000_000, 302_000_000, 308_000_000])
    same = result("b", [302_000_000, 309_000_000, 306_000_000, 301_000_000, 307_000_000])
    slower = result("c", [360_000_000, 370_000_000, 366_000_000, 362_000_000, 368_000_000])
    assert generator_drifts(before, same) == []
    assert "spent 1.20 times" in generator_drifts(before, slower)[0]
    assert "machine was faster" in generator_drifts(slower, before)[0]
    assert generator_drifts(result("d", [300_000_000]), result("e", [600_000_000])) == []


def test_too_few_rounds_are_undecided(tmp_path: Path) -> None:
    found = compare_results(_result(tmp_path / "a", FAST[:2]), _result(tmp_path / "b", SLOW))
    assert found[0].further_rounds is not None
    assert diff_exit_code(found, []) == 5


def test_pools_of_one_name_are_compared_and_strangers_refused(tmp_path: Path) -> None:
    one = gather(steady(tmp_path / "a", "20+0", FAST) + steady(tmp_path / "a", "9+9", FAST))
    two = gather(steady(tmp_path / "b", "20+0", FAST) + steady(tmp_path / "b", "8+8", FAST))
    assert {found.pool for found in compare_results(one, two)} == {"20+0"}
    other = gather(steady(tmp_path / "c", "7+7", FAST) + steady(tmp_path / "c", "8+8", FAST))
    with pytest.raises(UsageError, match=r"no pool is in both results: 20\+0, 9\+9 before"):
        compare_results(one, other)


def test_results_under_another_load_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"load\.users is 300 in"):
        compare_results(
            _result(tmp_path / "a", FAST),
            _result(tmp_path / "b", FAST, load={**LOAD, "users": 20}),
        )


def test_pools_that_are_in_one_result_only_are_named(tmp_path: Path) -> None:
    one = gather(steady(tmp_path / "a", "20+0", FAST) + steady(tmp_path / "a", "9+9", FAST))
    two = gather(steady(tmp_path / "b", "20+0", FAST) + steady(tmp_path / "b", "8+8", FAST))
    assert unmatched_pools(one, two) == [
        "9+9 is only in the result before, so it is not compared",
        "8+8 is only in the result after, so it is not compared",
    ]
    assert unmatched_pools(one, one) == []
    renamed = gather(steady(tmp_path / "c", "7+7", FAST))
    assert unmatched_pools(gather(steady(tmp_path / "d", "20+0", FAST)), renamed) == []


def test_results_of_two_servers_are_no_comparison_of_servers(tmp_path: Path) -> None:
    runs = [
        run(tmp_path / name, [interval(request=[1])], "20+0", server=facts)
        for name, facts in {
            "mariadb": {"name": "mariadb", "version": "10.11.19-MariaDB"},
            "mysql": {"name": "mysql", "version": "9.7.4"},
        }.items()
    ]
    with pytest.raises(UsageError, match=r"server version is 10\.11\.19-MariaDB in .*, 9\.7\.4 in"):
        gather(runs)
