"""A search with several numbers of processes: what runs, and which number is recommended."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from loadtest.analysis.comparison.verdict import verdict_exit_code
from loadtest.analysis.summarize import summarize
from loadtest.experiment import search_runs as searching
from loadtest.experiment.driving.servers.driven_server import DrivenServer
from loadtest.experiment.run_plan import RunPlan
from loadtest.experiment.search_runs import (
    longest_seconds,
    most_search_runs,
    search,
    searched_pools,
)
from loadtest.experiment.single_run import Database, Enough
from loadtest.model.driven_application import DrivenApplication
from loadtest.model.errors import LoadtestError
from loadtest.model.experiment import Experiment
from loadtest.model.interval import Interval
from loadtest.model.load import LoadConfig
from loadtest.model.pool import PoolConfig, parse_pool
from loadtest.model.request_use import RequestUse, times_of_name
from loadtest.model.summary import Summary
from loadtest.report.figures import search_curve
from loadtest.report.html import report_page
from loadtest.report.markdown import markdown
from loadtest.report.process_rows import process_rows
from loadtest.report.render import read_measurements
from tests.analysis.builders import header as run_header
from tests.analysis.builders import interval
from tests.analysis.builders import run as write_run
from tests.experiment.test_rounds import Notes

WITHIN = 'request["GET /rows"].p95 <= 120ms'
USERS = 8


def experiment(objective: str = WITHIN, processes: str = "1,2", at_most: int = USERS) -> Experiment:
    """A search with several numbers of processes, in which eight users send requests."""
    application = DrivenApplication(
        command="shop -w {app_processes}", ready="http://127.0.0.1:8800/", processes=processes
    )
    plan = Experiment(
        name="shop-tune",
        scenario=Path("visitors.py"),
        load=LoadConfig(users=USERS, warmup=1, duration=4),
        rounds=1,
        pool=(parse_pool("5+10"),),
        application=(application,),
        objective=objective,
    )
    return plan.model_copy(update={"pool": searched_pools(plan, at_most, 1)})


@dataclass
class Fleet:
    """Stands for Locust and an application: ten requests a second for each connection.

    needed: the connections in all with which requests are fast, and of which more bring nothing, by
    the number of processes. fails: the pool whose runs fail. ends_at: the number of processes with
    which the user ends the search.
    """

    needed: dict[int, int] = field(default_factory=lambda: {1: 99, 2: 4, 4: 4})
    fails: str = ""
    ends_at: int = 0
    done: list[tuple[int, str]] = field(default_factory=list)
    ceilings: dict[str, int] = field(default_factory=dict)

    def run_in(self, folder: Path, plan: RunPlan, at: Database, watch: Any) -> None:
        (number,) = plan.experiment.processes
        name = plan.pool.name
        self.done.append((number, name))
        self.ceilings |= at.driven.ceilings
        if name == self.fails:
            raise LoadtestError("no")
        if number == self.ends_at:
            raise KeyboardInterrupt
        size = USERS if plan.pool.poolclass == "as-is" else plan.pool.pool_size
        reason, parts = "finished", list[Interval]()
        try:
            for part in self._seconds(number, number * size):
                parts.append(part)
                watch(part)
        except Enough as enough:
            reason = f"enough: {enough}"
        load = {**run_header()["load"], "seed": plan.seed}
        write_run(folder, parts, round_=plan.round, reason=reason, load=load, pool=name)

    def _seconds(self, number: int, connections: int) -> list[Interval]:
        needed = self.needed[number]
        requests, time = 10 * min(connections, needed), 100 if connections >= needed else 300
        times: dict[str, Any] = {"request": [time] * requests, "hold": [100] * requests}
        found = [
            interval(
                second,
                counters={"requests": requests, "checkouts": requests},
                gauges={"users": USERS, "waiting": max(0, USERS - connections)},
                wait=[10] * requests,
                **times,
                **{times_of_name("GET /rows"): [time] * requests},
            )
            for second in range(4)
        ]
        for one in found:
            one.requests = {"GET /rows": RequestUse(count=requests)}
        return found


@pytest.fixture(scope="module")
def patched() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.analysis.builders.parse_pool", _named)
        yield patch


def _named(name: str) -> PoolConfig:
    short = name.partition(".")[0]
    return parse_pool(f"{name}:{'5+10' if short == 'as-is' else short}")


@pytest.fixture
def fleet(patched: pytest.MonkeyPatch) -> Fleet:
    """Does all runs of a search."""
    made = Fleet()
    patched.setattr(searching, "run_in", made.run_in)
    return made


def searched(folder: Path, plan: Experiment, **room: Any) -> Summary:
    at = Database(None, private=False, driven=DrivenServer(**room))
    search(plan, {"": at}, folder, Notes())
    return summarize(read_measurements([folder]))


@dataclass(frozen=True)
class Done:
    """A search with one, two and four processes, at its end."""

    folder: Path
    summary: Summary
    runs: list[tuple[int, str]]


@pytest.fixture(scope="module")
def done(patched: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Done:
    made, folder = Fleet(), tmp_path_factory.mktemp("done")
    patched.setattr(searching, "run_in", made.run_in)
    return Done(folder, searched(folder, experiment(processes="1,2,4")), made.done)


def test_the_fewest_connections_in_all_are_recommended_and_of_equals_fewer_processes(
    done: Done,
) -> None:
    found, verdict = done.summary.search, done.summary.verdict
    assert found
    assert (found.outcome, found.processes, found.size, found.connections) == ("found", 2, 2, 4)
    each = [(one.processes, one.outcome, one.size, one.connections) for one in found.by_processes]
    assert each == [(1, "missed", None, None), (2, "found", 2, 4), (4, "found", 1, 4)]
    assert (verdict.recommended, verdict_exit_code(done.summary)) == ("2+0.2-processes", 0)
    headline, *rest = verdict.text.splitlines()
    assert headline.startswith(
        "Run 2 processes with pool_size=2, max_overflow=0 each, 4 connections in all: 40.0 requests"
    )
    assert rest[0].startswith(f"1 process: No pool of 1 to 8 connections meets {WITHIN}.")
    assert rest[1] == "4 processes: 4 × 1 = 4 connections do 40.0 per second, 100 % of that."
    assert any(line.startswith("1+0.2-processes is too small: ") for line in rest)


def test_every_number_begins_with_the_present_pool_and_the_folder_tells_all(done: Done) -> None:
    begun = dict(reversed(done.runs))
    assert begun == {1: "as-is.1-process", 2: "as-is.2-processes", 4: "as-is.4-processes"}
    assert [number for number, _ in done.runs] == sorted(number for number, _ in done.runs)
    told = json.loads((done.folder / "experiment.json").read_text())
    assert [part["processes"] for part in told["search"]["by_processes"]] == [1, 2, 4]
    assert told["driven"][0]["processes"] == [1, 2, 4]
    written = done.summary.to_json()["search"]
    assert [part["connections"] for part in written["by_processes"]] == [None, 4, 4]


def test_an_application_with_a_name_is_searched_alike(fleet: Fleet, tmp_path: Path) -> None:
    plan = experiment(processes="2")
    (application,) = plan.application
    own = application.model_copy(update={"name": "loop"})
    at = {"loop": Database(None, private=False)}
    assert search(plan.model_copy(update={"application": (own,)}), at, tmp_path, Notes())
    assert fleet.done


def test_the_longest_time_is_that_of_all_numbers() -> None:
    three, one = experiment(processes="1,2,4"), experiment(processes="2")
    assert most_search_runs(three) == 3 * most_search_runs(one)
    assert longest_seconds(three) == most_search_runs(three) * 7.5


def test_the_report_has_a_row_and_a_curve_for_each_number(done: Done) -> None:
    rows = process_rows(done.summary)
    assert [(*row[:4], *row[6:]) for row in rows] == [
        ("1", "–", "–", "–", "–", "no pool meets the objective"),
        ("2", "2", "4", "40.0", "100 ms", "recommended"),
        ("4", "1", "4", "40.0", "100 ms", "smallest pool found"),
    ]
    drawing = search_curve.draw(read_measurements([done.folder]), done.summary)
    assert drawing
    assert drawing.title == "2 processes with 2 connections each are enough"
    assert all(f"{n} process" in drawing.svg for n in (1, 2, 4))
    # Only the answer has the colour of a pool.
    assert len(set(re.findall(r"--pool-\d", drawing.svg))) == 1
    assert ">The processes</h2>" in report_page(done.summary, [drawing])
    assert "| 2 | 2 | 4 | 40.0 |" in markdown(done.summary)


def test_without_an_objective_a_number_that_does_less_is_not_recommended(
    fleet: Fleet, tmp_path: Path
) -> None:
    fleet.needed[1] = 2
    summary = searched(tmp_path, experiment(""))
    assert summary.search
    assert (summary.search.processes, summary.search.connections) == (2, 4)
    said = "1 process: 1 × 2 = 2 connections do 20.0 per second, 50 % of that; this loses"
    assert said in summary.verdict.text
    assert [row[-2:] for row in process_rows(summary)] == [
        ("–", "smallest pool found"),
        ("–", "recommended"),
    ]


def test_with_users_and_an_objective_only_the_objective_counts(
    fleet: Fleet, tmp_path: Path
) -> None:
    fleet.needed[1] = 2
    summary = searched(tmp_path, experiment())
    assert summary.verdict.recommended == "2+0.1-process"
    assert summary.verdict.text.startswith("Run 1 process with pool_size=2, max_overflow=0: 20.0 ")


def test_no_pool_of_any_number_is_an_answer_too(fleet: Fleet, tmp_path: Path) -> None:
    fleet.needed = {1: 99, 2: 99}
    summary = searched(tmp_path, experiment())
    assert summary.search
    assert (summary.search.outcome, verdict_exit_code(summary)) == ("missed", 3)
    assert summary.verdict.text.startswith(f"No number of processes has a pool that meets {WITHIN}")
    drawing = search_curve.draw(read_measurements([tmp_path]), summary)
    assert drawing
    assert drawing.title == "No pool size meets the objective"


def test_a_number_that_may_be_better_but_is_not_known_leaves_it_open(
    fleet: Fleet, tmp_path: Path
) -> None:
    fleet.needed = {2: 6, 4: 4}
    fleet.fails = "1+0.4-processes"  # 4 × 1 connections would be fewer than 2 × 3
    summary = searched(tmp_path, experiment(processes="2,4"))
    assert summary.search
    outcomes = {one.processes: one.outcome for one in summary.search.by_processes}
    assert outcomes == {2: "found", 4: "undecided"}
    assert (summary.search.outcome, verdict_exit_code(summary)) == ("undecided", 5)
    assert summary.verdict.recommended is None
    assert summary.verdict.text.startswith(
        "Undecided: the fewest connections so far need 2 processes with pool_size=3"
    )
    assert "2 processes: 2 × 3 = 6 connections do 60.0 per second." in summary.verdict.text


def test_an_undecided_number_that_cannot_be_better_does_not_matter(
    fleet: Fleet, tmp_path: Path
) -> None:
    fleet.needed = {2: 6, 4: 8}
    fleet.fails = "2+0.4-processes"  # 1 is too small, and 4 × 2 are more than 2 × 3
    summary = searched(tmp_path, experiment(processes="2,4"))
    assert summary.search
    assert summary.search.by_processes[1].outcome == "undecided"
    assert summary.verdict.recommended == "3+0.2-processes"


def test_pools_are_as_large_as_the_server_allows_and_have_their_own_ceilings(
    fleet: Fleet, tmp_path: Path
) -> None:
    room, known = {1: 6, 2: 3}, {"as-is": 15, "8+0": 8}
    summary = searched(tmp_path, experiment(), largest_pools=room, ceilings=known)
    assert summary.search
    assert {one.processes: one.most for one in summary.search.by_processes} == room
    assert max(int(name[0]) for number, name in fleet.done if number == 2 and "+" in name) == 3
    assert fleet.ceilings["as-is.2-processes"] == 15
    assert fleet.ceilings["2+0.2-processes"] == 2


def test_one_number_of_processes_is_an_ordinary_search(fleet: Fleet, tmp_path: Path) -> None:
    summary = searched(tmp_path, experiment(processes="2"))
    assert summary.search
    assert summary.verdict.recommended == "2+0"
    assert (summary.search.processes, summary.search.connections) == (2, 4)
    assert summary.search.by_processes == ()
    assert process_rows(summary) == []
    said = "With 2 processes, each with such a pool, these are 4 connections together."
    assert said in summary.verdict.text.splitlines()


def test_a_search_that_ends_early_names_the_numbers_that_it_did_not_reach(
    fleet: Fleet, tmp_path: Path
) -> None:
    fleet.ends_at = 2
    summary = searched(tmp_path, experiment(processes="1,2,4"))
    assert summary.search
    assert summary.search.outcome == "undecided"
    said = summary.verdict.text
    assert "2 processes: not measured, because the search ended early." in said
    assert "4 processes: not measured, because the search ended early." in said
