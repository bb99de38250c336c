"""Which runs a search does, and what becomes of those that are disturbed, fail or end early."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, make_url

from loadtest.analysis.comparison.verdict import verdict_exit_code
from loadtest.analysis.round import Round
from loadtest.analysis.summarize import summarize
from loadtest.experiment import search_runs as searching
from loadtest.experiment.run_plan import RunPlan
from loadtest.experiment.search_runs import longest_seconds, search, searched_pools
from loadtest.experiment.single_run import Database, Enough, run_once
from loadtest.model.errors import CannotGoOn, LoadtestError
from loadtest.model.experiment import Experiment
from loadtest.model.interval import Interval
from loadtest.model.load import LoadConfig
from loadtest.model.pool import parse_pool, pool_of_size
from loadtest.model.summary import Summary
from loadtest.report.render import read_measurements
from loadtest.runfile.reader import read_run
from tests.analysis.builders import SECOND, header, interval
from tests.analysis.builders import run as write_run
from tests.experiment.test_rounds import Notes

DATABASE = Database(make_url("mysql+pymysql://me:s3cr3t@127.0.0.1:9/x"), private=False)
DATABASES = {"": DATABASE}
HELD = Path("scenarios/held_connection.py")


def experiment(at_most: int = 100, **more: Any) -> Experiment:
    """A search in which forty users want a connection all the time."""
    load = LoadConfig(users=40, warmup=1, duration=8)
    plan = Experiment(
        name="held-tune", scenario=HELD, load=load, rounds=1, pool=(parse_pool("5+10"),), **more
    )
    return plan.model_copy(update={"pool": searched_pools(plan, at_most, 1)})


@dataclass
class Machine:
    """Stands for Locust: ten requests a second for each connection, up to 120.

    happens: what comes about in a run instead, by its pool's name.
    """

    happens: dict[str, list[Callable[[], int]]] = field(default_factory=dict)
    done: list[tuple[str, int, int]] = field(default_factory=list)

    def run_in(self, folder: Path, plan: RunPlan, at: Database, watch: Any) -> None:
        assert at is DATABASE
        self.done.append((plan.pool.name, plan.round, plan.seed))
        least = self.happens.get(plan.pool.name, [])
        cpu = least.pop(0)() if least else 0
        each = self._seconds(plan.pool.pool_size + plan.pool.max_overflow, cpu)
        reason, parts = "finished", []
        try:
            for part in each:
                parts.append(part)
                watch(part)
        except Enough as enough:
            reason = f"enough: {enough}"
        load = {**header()["load"], "seed": plan.seed}
        settings = plan.pool.model_dump()
        write_run(folder, parts, round_=plan.round, reason=reason, load=load, pool=settings["name"])

    @staticmethod
    def _seconds(connections: int, cpu: int) -> list[Interval]:
        requests = 10 * min(connections, 12)
        return [
            interval(
                second,
                counters={"requests": requests + second % 2, "checkouts": requests, "cpu": cpu},
                gauges={"users": 40, "waiting": 40 - min(connections, 12)},
                wait=[200 if connections < 12 else 10] * requests,
                request=[100] * requests,
                hold=[100] * requests,
            )
            for second in range(8)
        ]


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Does all runs of a search."""
    made = Machine()
    monkeypatch.setattr(searching, "run_in", made.run_in)
    monkeypatch.setattr(
        "tests.analysis.builders.parse_pool",
        lambda name: parse_pool("default:5+10" if name == "default" else name),
    )
    return made


def summary_of(folder: Path) -> Summary:
    return summarize(read_measurements([folder]))


def test_a_search_finds_the_smallest_pool_and_its_folder_tells_all_of_it(
    machine: Machine, tmp_path: Path
) -> None:
    told = Notes()
    plan = experiment(objective="checkout.wait_seconds.p95 <= 50ms")
    assert search(plan, DATABASES, tmp_path, told)
    summary = summary_of(tmp_path)
    assert summary.search
    assert (summary.search.outcome, summary.search.size, verdict_exit_code(summary)) == (
        "found",
        12,
        0,
    )
    assert machine.done[0] == ("default", 1, 1)
    assert {(11, 3), (12, 3)} <= {(int(n[:-2]), r) for n, r, _ in machine.done if n[-2:] == "+0"}
    assert all(seed == round_ for _, round_, seed in machine.done)
    assert len(machine.done) <= 14
    planned = json.loads((tmp_path / "experiment.json").read_text())
    assert planned["search"] == {"most": 40, "disturbed": []}
    assert planned["pool"][0]["name"] == "default"
    assert any("11+0: " in line and "misses the objective" in line for line in told.told)


def test_a_run_that_is_clear_early_ends_early_and_later_rounds_do_not(
    machine: Machine, tmp_path: Path
) -> None:
    search(experiment(objective="checkout.wait_seconds.p95 <= 50ms"), DATABASES, tmp_path, Notes())
    first, second = (read_run(tmp_path / "runs" / f"11+0-{n}.jsonl") for n in (1, 2))
    assert first.footer
    assert str(first.footer.end).startswith("enough: surely misses checkout.wait_seconds")
    assert Round.of(first).seconds < Round.of(second).seconds == 8


def test_a_disturbed_run_is_done_again_and_put_aside(machine: Machine, tmp_path: Path) -> None:
    machine.happens["default"] = [lambda: SECOND]
    assert search(experiment(), DATABASES, tmp_path, told := Notes())
    assert [name for name, *_ in machine.done].count("default") == 2
    assert "  disturbed, repeating the run: generator_bound" in told.told
    assert read_run(tmp_path / "disturbed" / "default-1.jsonl").finished
    summary = summary_of(tmp_path)
    assert summary.pool("default").valid
    assert "1 of them disturbed and repeated" in summary.verdict.text


def test_repeats_use_up_no_runs_and_the_last_one_is_counted(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "most_runs", lambda most: 2)
    machine.happens = {name: [lambda: SECOND] for name in ("default", "40+0")}
    assert search(experiment(), DATABASES, tmp_path, told := Notes())
    assert [name for name, *_ in machine.done] == ["default", "default", "40+0", "40+0"]
    assert [line for line in told.told if line.startswith("begin")] == [
        "begin default 1",
        "begin 40+0 1",
    ]
    assert (
        "4 runs of 1 size, 2 of them disturbed and repeated," in summary_of(tmp_path).verdict.text
    )


def test_where_everything_is_disturbed_the_search_stops(machine: Machine, tmp_path: Path) -> None:
    machine.happens = {name: [lambda: SECOND] * 9 for name in ("default", "40+0")}
    assert search(experiment(), DATABASES, tmp_path, Notes())
    assert [name for name, *_ in machine.done] == ["default", "default", "40+0", "40+0"]
    assert verdict_exit_code(summary_of(tmp_path)) == 4


def _interrupt() -> int:
    raise KeyboardInterrupt


def _fail() -> int:
    raise LoadtestError("no")


def test_a_search_that_is_interrupted_keeps_what_it_has(machine: Machine, tmp_path: Path) -> None:
    machine.happens["30+0"] = [_interrupt]
    assert not search(experiment(), DATABASES, tmp_path, Notes())
    summary = summary_of(tmp_path)
    assert verdict_exit_code(summary) == 5
    assert "the best so far is pool_size=40, max_overflow=0" in summary.verdict.text


def test_a_size_that_measures_nothing_is_no_answer(machine: Machine, tmp_path: Path) -> None:
    machine.happens["30+0"] = [_fail]
    assert search(experiment(), DATABASES, tmp_path, told := Notes())
    assert "failed 30+0 1: no" in told.told
    summary = summary_of(tmp_path)
    assert not summary.pool("30+0").valid
    assert summary.search
    assert (summary.search.outcome, summary.search.size) == ("found", 12)


def test_where_the_size_below_cannot_be_measured_the_answer_is_not_sure(
    machine: Machine, tmp_path: Path
) -> None:
    machine.happens["11+0"] = [_fail]
    assert search(experiment(), DATABASES, tmp_path, Notes())
    summary = summary_of(tmp_path)
    assert summary.search
    assert (summary.search.size, verdict_exit_code(summary)) == (12, 5)
    assert "a smaller size could not be measured" in summary.verdict.text


def test_a_pilot_that_measures_nothing_ends_the_search(machine: Machine, tmp_path: Path) -> None:
    machine.happens["default"] = [_fail]
    with pytest.raises(LoadtestError, match="no"):
        search(experiment(), DATABASES, tmp_path, Notes())


@pytest.mark.parametrize(("at_most", "most"), [(100, 40), (8, 8)])
def test_no_more_connections_than_users_are_tried(at_most: int, most: int) -> None:
    plan = experiment(at_most)
    assert [pool.name for pool in plan.pool] == ["default", f"{most}+0"]
    assert longest_seconds(plan) % (1 + 8 + 2.5) == 0
    opened = plan.model_copy(update={"load": LoadConfig(arrival_rate=5)})
    assert searched_pools(opened, at_most, 1)[1] == pool_of_size(at_most)


@pytest.mark.server
@pytest.mark.usefixtures("warm")
def test_a_run_that_is_told_enough_ends_in_good_order(tmp_path: Path, url: URL) -> None:
    load = LoadConfig(users=3, warmup=0, duration=60)
    plan = Experiment(name="x", scenario=HELD, load=load, pool=(parse_pool("3+0"),))
    (tmp_path / "runs").mkdir()

    def watch(interval: Interval) -> None:
        raise Enough("seen")

    ended = run_once(RunPlan(plan, plan.pool[0], 1), Database(url, private=False), tmp_path, watch)
    assert ended.footer
    assert str(ended.footer.end) == "enough: seen"
    assert ended.footer.totals.counters["requests"] > 0
    assert not ended.problems
    assert Round.of(ended).seconds < 30


@pytest.mark.server
@pytest.mark.long
@pytest.mark.alone
def test_three_users_who_hold_a_connection_all_the_time_need_three(
    loadtest: Any, tmp_path: Path
) -> None:
    ended = loadtest(
        *("tune", HELD, "-u", 3, "-t", "4s", "--warmup", "1s", "--option", "held_work=0.1"),
        *("--results", tmp_path, "--json"),
        repeats=True,
    )
    found = json.loads(ended.stdout)
    assert found["search"]["size"] == 3, ended.stderr + ended.stdout
    # On a machine that has other work, too, rounds may differ too much to be sure.
    sure = found["search"]["outcome"] == "found"
    assert (ended.returncode, found["verdict"]["recommended"]) == (
        (0, "3+0") if sure else (5, None)
    )
    assert sure or found["search"]["outcome"] == "undecided"
    again = loadtest("report", tmp_path / "latest", "--json", figures=True)
    assert json.loads(again.stdout)["verdict"] == found["verdict"]
    assert (tmp_path / "latest" / "figures" / "search.svg").exists()


def test_what_ends_everything_ends_a_search(machine: Machine, tmp_path: Path) -> None:
    def gone() -> int:
        raise CannotGoOn("gone")

    machine.happens["30+0"] = [gone]
    with pytest.raises(CannotGoOn, match="gone"):
        search(experiment(), DATABASES, tmp_path, Notes())
