"""Which runs an experiment has, in which order, and what becomes of those that fail."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from loadtest.experiment import rounds
from loadtest.experiment.run_plan import RunPlan
from loadtest.experiment.single_run import Database
from loadtest.model.errors import CannotGoOn, LoadtestError
from loadtest.model.experiment import Experiment
from loadtest.model.interval import Interval
from loadtest.model.load import LoadConfig
from loadtest.model.pool import parse_pool
from loadtest.runfile.folders import new_folder

DATABASE = Database(make_url("mysql+pymysql://me:s3cr3t@127.0.0.1:9/x"), private=False)
DATABASES = {"": DATABASE}


def experiment(*pools: str, rounds: Any = 1, **more: Any) -> Experiment:
    """An experiment with these pools, of 2 s of warm-up and 5 s of load."""
    return Experiment(
        name="test",
        scenario=Path("scenarios/point_select.py"),
        rounds=rounds,
        load=LoadConfig(users=16, warmup=2, duration=5),
        pool=tuple(parse_pool(pool) for pool in pools),
        **more,
    )


class Notes:
    """A Progress that writes down what it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def begin(self, plan: RunPlan) -> None:
        self.told.append(f"begin {plan.pool.name} {plan.round}")

    def interval(self, interval: Interval) -> None:
        self.told.append(f"second {interval.second}")

    def end(self, plan: RunPlan) -> None:
        self.told.append(f"end {plan.pool.name} {plan.round}")

    def failed(self, plan: RunPlan, error: LoadtestError) -> None:
        self.told.append(f"failed {plan.pool.name} {plan.round}: {error}")

    def tell(self, text: str) -> None:
        self.told.append(text)

    def disturbed(self, text: str) -> None:
        self.told.append(text)


def order(plan_list: list[RunPlan]) -> list[tuple[int, str]]:
    return [(plan.round, plan.pool.name) for plan in plan_list]


def test_every_pool_runs_once_a_round_and_each_round_begins_with_another() -> None:
    runs = rounds.plans(experiment("a:1+0", "b:2+0", "c:3+0", rounds=4))

    assert order(runs) == [
        *((1, "a"), (1, "b"), (1, "c")),
        *((2, "c"), (2, "a"), (2, "b")),
        *((3, "b"), (3, "c"), (3, "a")),
        *((4, "a"), (4, "b"), (4, "c")),
    ]


@pytest.mark.parametrize("number", [1, 2, 3, 5])
def test_over_as_many_rounds_as_pools_every_pool_has_had_every_place(number: int) -> None:
    pools = [f"p{n}:{n + 1}+0" for n in range(number)]
    runs = rounds.plans(experiment(*pools, rounds=number))

    names = [plan.pool.name for plan in runs]
    places = [names[start : start + number] for start in range(0, len(names), number)]
    for place in range(number):
        assert sorted(turn[place] for turn in places) == sorted(f"p{n}" for n in range(number))


def test_the_time_is_that_of_all_runs_with_what_each_needs_besides() -> None:
    expected = rounds.expected_seconds(experiment("1+0", "2+0", rounds=3))

    assert expected == 6 * (2 + 5 + rounds.SECONDS_BESIDE_LOAD)


def test_the_number_of_runs_and_their_time_are_announced() -> None:
    planned = experiment("1+0", "2+0", rounds=3)

    assert rounds.runs_in_words(planned) == "6 runs, about 0 min 57 s"
    assert rounds.runs_in_words(planned, most=31) == "at most 31 runs, about 4 min 54 s"


def test_the_plan_is_written_down_before_the_first_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = experiment("1+0", "2+0", options={"point_rows": 7})
    written: list[Any] = []

    def look(*_: Any) -> None:
        written.append(json.loads((tmp_path / "experiment.json").read_text()))

    monkeypatch.setattr(rounds, "run_once", look)
    assert rounds.run_all(plan, DATABASES, tmp_path, Notes())

    assert written[0]["options"] == {"point_rows": 7}
    assert [pool["pool_size"] for pool in written[0]["pool"]] == [1, 2]
    assert Experiment.model_validate(written[0]) == plan


def test_progress_is_told_of_every_run_and_every_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(plan: RunPlan, at: Database, folder: Path, watch: Any) -> None:
        assert (at, folder) == (DATABASE, tmp_path)
        watch(Interval(plan.round))

    monkeypatch.setattr(rounds, "run_once", run)
    notes = Notes()
    assert rounds.run_all(experiment("1+0", "2+0", rounds=2), DATABASES, tmp_path, notes)

    assert notes.told == [
        *("begin 1+0 1", "second 1", "end 1+0 1", "begin 2+0 1", "second 1", "end 2+0 1"),
        *("begin 2+0 2", "second 2", "end 2+0 2", "begin 1+0 2", "second 2", "end 1+0 2"),
    ]


def test_when_the_first_run_fails_the_others_are_not_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*_: Any) -> None:
        raise LoadtestError("no")

    monkeypatch.setattr(rounds, "run_once", run)
    notes = Notes()
    with pytest.raises(LoadtestError, match="no"):
        rounds.run_all(experiment("1+0", "2+0"), DATABASES, tmp_path, notes)

    assert notes.told == ["begin 1+0 1"]


def test_when_a_later_run_fails_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(plan: RunPlan, *_: Any) -> None:
        if plan.pool.name == "2+0":
            raise LoadtestError("too many connections")

    monkeypatch.setattr(rounds, "run_once", run)
    notes = Notes()
    assert rounds.run_all(experiment("1+0", "2+0", "3+0"), DATABASES, tmp_path, notes)

    assert notes.told[2:] == [
        "begin 2+0 1",
        "failed 2+0 1: too many connections",
        "begin 3+0 1",
        "end 3+0 1",
    ]


def test_latest_points_at_results_once_there_are_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = new_folder(tmp_path, "test", latest=False)
    before: list[bool] = []

    def run(plan: RunPlan, at: Database, folder: Path, watch: Any) -> None:
        before.append((tmp_path / "latest").exists())
        plan.file_in(folder).touch()
        raise KeyboardInterrupt

    monkeypatch.setattr(rounds, "run_once", run)
    assert not rounds.run_all(experiment("1+0"), DATABASES, folder, Notes())

    assert before == [False]
    assert (tmp_path / "latest").resolve() == folder


def test_a_run_that_fails_at_its_start_is_not_the_latest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*_: Any) -> None:
        raise LoadtestError("no")

    monkeypatch.setattr(rounds, "run_once", run)
    folder = new_folder(tmp_path, "test", latest=False)
    with pytest.raises(LoadtestError):
        rounds.run_all(experiment("1+0"), DATABASES, folder, Notes())

    assert not (tmp_path / "latest").is_symlink()


def test_an_interrupt_ends_the_experiment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(plan: RunPlan, *_: Any) -> None:
        if plan.pool.name == "2+0":
            raise KeyboardInterrupt

    monkeypatch.setattr(rounds, "run_once", run)
    notes = Notes()
    assert not rounds.run_all(experiment("1+0", "2+0", "3+0"), DATABASES, tmp_path, notes)

    assert notes.told == ["begin 1+0 1", "end 1+0 1", "begin 2+0 1"]


@pytest.mark.parametrize(("enough_after", "rounds_done"), [(1, 5), (3, 15), (9, 20)])
def test_as_many_rounds_as_it_takes_are_looked_at_four_times_at_most(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, enough_after: int, rounds_done: int
) -> None:
    monkeypatch.setattr(rounds, "run_once", lambda *_: None)
    looks = []

    def enough(folder: Path) -> bool:
        looks.append(folder)
        return len(looks) >= enough_after

    plan, notes = experiment("1+0", "2+0", rounds="auto"), Notes()
    assert rounds.run_all(plan, DATABASES, tmp_path, notes, enough)
    assert notes.told[-1].endswith(f" {rounds_done}")
    assert len(notes.told) == 2 * 2 * rounds_done
    # After the last rounds there is nothing left to ask.
    assert len(looks) == min(enough_after, 3)


def test_after_what_ends_everything_no_further_run_is_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(plan: RunPlan, *_: Any) -> None:
        if plan.pool.name == "2+0":
            raise CannotGoOn("no room")

    monkeypatch.setattr(rounds, "run_once", run)
    notes = Notes()
    with pytest.raises(CannotGoOn, match="no room"):
        rounds.run_all(experiment("1+0", "2+0", "3+0"), DATABASES, tmp_path, notes)
    assert notes.told == ["begin 1+0 1", "end 1+0 1", "begin 2+0 1"]


@pytest.mark.parametrize("error", [None, LoadtestError("no database answers")])
def test_a_private_server_that_is_gone_ends_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: LoadtestError | None
) -> None:
    there = [True, False]

    def run(*_: Any) -> None:
        if error and len(there) == 1:
            raise error

    monkeypatch.setattr(rounds, "run_once", run)
    gone = replace(DATABASE, running=lambda: there.pop(0), last_error=lambda: "Out of disk space")
    notes = Notes()
    with pytest.raises(CannotGoOn, match="the private server is gone: Out of disk space"):
        rounds.run_all(experiment("1+0", "2+0", "3+0"), {"": gone}, tmp_path, notes)
    assert notes.told == ["begin 1+0 1", "end 1+0 1", "begin 2+0 1"]


def test_a_latest_that_is_no_link_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "latest" / "of_mine").mkdir(parents=True)
    folder, (plan, *_) = new_folder(tmp_path, "x", latest=False), rounds.plans(experiment("1+0"))
    monkeypatch.setattr(rounds, "run_once", lambda *_: plan.file_in(folder).touch())
    with pytest.raises(LoadtestError, match=f"^{tmp_path / 'latest'}: "):
        rounds.run_in(folder, plan, DATABASE, lambda _: None)
