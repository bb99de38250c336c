"""Stages in real runs, and what is read from them."""

import json
from pathlib import Path

import pytest
from sqlalchemy import URL

from loadtest.analysis.summarize import summarize_runs
from loadtest.load.users.staged_users import stage_steps
from loadtest.model.load import parse_stages
from loadtest.runfile.reader import Run, read_run
from tests.conftest import ROOT
from tests.processes import run_locust


def staged(folder: Path, url: URL, stages: str, *more: object) -> Run:
    result = folder / "run.jsonl"
    ended = run_locust(
        folder / "log",
        *("-f", ROOT / "scenarios" / "point_select.py", "--headless", "--only-summary"),
        *("--pool-size", 10, "--max-overflow", 0, "--results", result, "--stages", stages, *more),
        env={"LOADTEST_DATABASE_URL": url.render_as_string(hide_password=False)},
    )
    assert ended.wait() == 0, ended.output
    return read_run(result)


def test_a_ramp_of_users_goes_second_by_second_and_ends_where_it_should() -> None:
    (step,) = stage_steps(parse_stages("3s:7"))
    assert step == (3, 7)
    ramp = list(stage_steps(parse_stages("3500ms:10-45")))
    assert [users for _, users in ramp] == [15, 25, 35, 45]
    assert sum(seconds for seconds, _ in ramp) == pytest.approx(3.5)


@pytest.mark.server
def test_users_follow_their_stages(tmp_path: Path, url: URL) -> None:
    run = staged(tmp_path, url, "few=1s:3,1s:12,2s:5", "--warmup", "1s")

    assert run.header.load.users == 12
    assert run.header.load.duration == 4
    at_last = {(i.stage, i.gauges["users"].last) for i in run.measured()}
    assert {("few", 3), ("2", 12), ("3", 5)} <= at_last
    assert {i.stage for i in run.intervals if i.period == "warmup"} == {""}


@pytest.mark.server
@pytest.mark.long
def test_arrivals_follow_their_stages_and_a_burst_is_of_the_stage_that_it_begins(
    tmp_path: Path, url: URL
) -> None:
    run = staged(
        tmp_path, url, "calm=2s:20/s,burst=2s:0/s+40,rise=2s:0-100/s", "--arrivals", "even"
    )

    pool = summarize_runs([run]).pools[0]
    offered = [stage.arrivals_per_second * stage.seconds for stage in pool.stages]
    assert [stage.name for stage in pool.stages] == ["calm", "burst", "rise"]
    # The last one ends when Locust ends the run, a little sooner: its integral is 25 t^2.
    assert offered == pytest.approx([40, 40, 25 * pool.stages[2].seconds ** 2], abs=4)
    assert [stage.begin for stage in pool.stages] == [0, 2, 4]
    assert sum(stage.seconds for stage in pool.stages) == pytest.approx(pool.seconds)
    assert json.loads(json.dumps(pool.model_dump(mode="json")))["stages"][1]["name"] == "burst"


@pytest.mark.server
@pytest.mark.long
def test_stages_that_cannot_be_end_the_run_before_it_begins(tmp_path: Path, url: URL) -> None:
    ended = run_locust(
        tmp_path / "log",
        *("-f", ROOT / "scenarios" / "point_select.py", "--headless", "--stages", "3s"),
        env={"LOADTEST_DATABASE_URL": url.render_as_string(hide_password=False)},
    )
    assert ended.wait() == 2
    assert "--stages 3s: write 10s:50" in ended.output.replace("stage '3s': ", "")
