"""One run: the command line it has, how it is watched, and what is said when it fails."""

import json
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, make_url

from loadtest.experiment.run_plan import RunPlan
from loadtest.experiment.single_run import Database, _new_intervals, run_once
from loadtest.model.errors import (
    EndedForOthers,
    LoadtestError,
    MoreThanAnnounced,
    ServerInTrouble,
    UsageError,
)
from loadtest.model.experiment import Experiment
from loadtest.model.interval import SERVER, Interval
from loadtest.model.load import LoadConfig
from loadtest.model.pool import PoolConfig, parse_pool
from loadtest.runfile.reader import read_run
from tests.conftest import ROOT, without_database

PASSWORD = "s3cr3t-p4ssw0rd"
NOWHERE = f"mysql+pymysql://me:{PASSWORD}@127.0.0.1:9/x"
SCENARIOS = ROOT / "scenarios"


def plan(pool: PoolConfig | str = "20+0", **more: Any) -> RunPlan:
    """A plan of a short run of a scenario."""
    settings = {
        "name": "test",
        "scenario": SCENARIOS / "point_select.py",
        "load": LoadConfig(users=2, warmup=0, duration=1),
        **more,
    }
    pool = parse_pool(pool) if isinstance(pool, str) else pool
    return RunPlan(Experiment(**settings, pool=(pool,)), pool, 1)


def options(arguments: list[str]) -> dict[str, str]:
    """Options with their values, as a command line pairs them."""
    return {
        name: value
        for name, value in zip(arguments, [*arguments[1:], ""], strict=True)
        if name.startswith("-")
    }


class TestArguments:
    """What Locust is started with."""

    def test_the_load_is_that_of_the_experiment(self) -> None:
        load = LoadConfig(users=300, spawn_rate=100, warmup=2, duration=10)
        found = options(plan(load=load, seed=7).arguments())

        assert found["-u"] == "300"
        assert found["-r"] == "100"
        assert found["-t"] == "12s"
        assert found["--warmup"] == "2s"
        assert found["--seed"] == "7"
        assert found["--exit-code-on-error"] == "0"
        assert "--headless" in found

    def test_every_round_has_a_seed_of_its_own(self) -> None:
        first = plan(seed=7)
        assert options(replace(first, round=3).arguments())["--seed"] == "9"

    def test_without_a_rate_all_users_start_at_once(self) -> None:
        assert options(plan(load=LoadConfig(users=70)).arguments())["-r"] == "70"

    def test_a_queue_pool_has_its_size_and_what_differs_from_the_defaults(self) -> None:
        pool = PoolConfig(
            name="odd",
            pool_size=3,
            pool_timeout=0.5,
            pool_pre_ping=True,
            pool_reset_on_return="none",
            isolation_level="READ COMMITTED",
        )
        found = options(plan(pool).arguments())

        assert found["--pool-size"] == "3"
        assert found["--max-overflow"] == "10"
        assert float(found["--pool-timeout"]) == 0.5
        assert "--pool-pre-ping" in found
        assert found["--pool-reset-on-return"] == "none"
        assert found["--isolation-level"] == "READ COMMITTED"
        assert found["--pool-name"] == "odd"
        assert "--pool-use-lifo" not in found
        assert "--pool-recycle" not in found

    def test_a_null_pool_is_not_given_what_it_does_not_take(self) -> None:
        found = options(plan("poolclass=NullPool,pool_pre_ping=true").arguments())

        assert found["--poolclass"] == "NullPool"
        assert found["--pool-name"] == "nullpool"
        assert "--pool-pre-ping" in found
        assert not {"--pool-size", "--max-overflow", "--pool-timeout"} & set(found)

    def test_the_scenarios_options_and_classes_are_passed_on(self) -> None:
        chosen = plan(
            options={"point_rows": 5, "fast": True, "slow": False},
            user_classes=("PointSelect", "Other"),
        ).arguments()

        assert options(chosen)["--point-rows"] == "5"
        assert "--fast" in chosen
        assert "--slow" not in chosen
        assert chosen[-2:] == ["PointSelect", "Other"]

    def test_an_application_is_named_and_its_own_pool_asked_for(self) -> None:
        own = options(plan("mine:as-is", engine="myapp.db:engine").arguments())
        other = options(plan("5+10", session="myapp.db:Session").arguments())

        assert own["--engine"] == "myapp.db:engine"
        assert (own["--poolclass"], own["--pool-name"]) == ("as-is", "mine")
        assert not {"--pool-size", "--session"} & set(own)
        assert other["--session"] == "myapp.db:Session"
        assert (other["--pool-size"], other["--max-overflow"]) == ("5", "10")

    @pytest.mark.parametrize(
        "pool",
        [
            "20+0",
            "3000+inf",
            "small:5+10",
            "poolclass=NullPool",
            "pool_size=4,pool_timeout=0.25,pool_recycle=60,pool_use_lifo=true",
            "isolation_level=AUTOCOMMIT,pool_reset_on_return=commit",
        ],
    )
    def test_locust_makes_the_same_pool_of_them(self, pool: str) -> None:
        from locust.argument_parser import get_parser

        from loadtest.load import plugin  # noqa: F401 - it adds the options
        from loadtest.load.options.pool_options import pool_config

        arguments = plan(pool).arguments()
        parsed = get_parser(default_config_files=[]).parse_args(arguments)

        assert pool_config(parsed) == parse_pool(pool)


def test_a_command_is_one_line_for_a_shell() -> None:
    chosen = plan(
        PoolConfig(isolation_level="READ COMMITTED"), scenario=Path("a folder/it's mine.py")
    )

    assert shlex.split(chosen.command()) == ["locust", *chosen.arguments()]
    assert "\n" not in chosen.command()


def test_the_result_is_named_after_pool_and_round(tmp_path: Path) -> None:
    chosen = RunPlan(plan("small:5+0").experiment, parse_pool("small:5+0"), 3)

    assert chosen.file_in(tmp_path) == tmp_path / "runs" / "small-3.jsonl"


def test_intervals_are_given_out_once_each_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    lines = [
        json.dumps({"type": "header", "format": 1, "pool": {"name": "5+10"}}),
        *(json.dumps(Interval(second, "p").to_json()) for second in (1, 2)),
        json.dumps(Interval(2, SERVER).to_json()),
        json.dumps(Interval(3, "p").to_json()),
        json.dumps({"type": "footer", "reason": "finished", "totals": {}}),
    ]
    text = "".join(f"{line}\n" for line in lines)
    seen: list[list[int]] = []
    path.touch()
    with path.open("rb") as reading, path.open("a", encoding="utf-8") as writing:
        middle_of_second = len(lines[0]) + len(lines[1]) + 2 + len(lines[2]) // 2
        before_newline = sum(map(len, lines[:5])) + 4
        begin = 0
        for end in (3, middle_of_second, middle_of_second + 1, before_newline, len(text)):
            writing.write(text[begin:end])
            writing.flush()
            begin = end
            seen.append([interval.second for interval in _new_intervals(reading)])

    assert seen == [[], [1], [], [2], [3]]


@pytest.mark.parametrize("error", [ServerInTrouble("it refused"), MoreThanAnnounced("one more")])
def test_a_result_tells_that_its_run_was_ended_for_others(error: EndedForOthers) -> None:
    told = EndedForOthers.of(error.end)
    assert (type(told), str(told), error.exit_code) == (type(error), str(error), 4)
    assert EndedForOthers.of(LoadtestError("no more users").end) is None


def database(url: URL | str) -> Database:
    return Database(make_url(url), private=False)


@pytest.mark.usefixtures("warm")
def test_a_run_that_fails_says_what_locust_said_last(tmp_path: Path) -> None:
    scenario = tmp_path / "broken.py"
    scenario.write_text("print('line\\n' * 50)\nraise RuntimeError('nothing to run here')\n")
    (tmp_path / "runs").mkdir()

    with pytest.raises(LoadtestError) as raised:
        run_once(plan(scenario=scenario), database(NOWHERE), tmp_path, print)

    message = str(raised.value)
    assert "nothing to run here" in message
    assert str(tmp_path / "runs" / "20+0-1.log") in message
    assert len(message.splitlines()) < 20
    assert PASSWORD not in message


@pytest.mark.usefixtures("warm")
def test_a_database_that_does_not_answer_is_what_is_said(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()

    with pytest.raises(UsageError, match=r"\Ano database answers at 127\.0\.0\.1:9.*\Z"):
        run_once(
            plan(),
            database(f"mysql+pymysql://me:{PASSWORD}@127.0.0.1:9/x"),
            tmp_path,
            lambda _: None,
        )

    log = (tmp_path / "runs" / "20+0-1.log").read_text()
    assert PASSWORD not in log
    assert not plan().file_in(tmp_path).exists()


@pytest.mark.server
@pytest.mark.usefixtures("warm")
def test_a_run_is_watched_while_it_goes_on(tmp_path: Path, url: URL) -> None:
    (tmp_path / "runs").mkdir()
    seen: list[Interval] = []
    chosen = plan("tiny:1+1", load=LoadConfig(users=4, warmup=1, duration=2))

    done = run_once(chosen, database(url), tmp_path, seen.append)

    assert list(done.problems) == []
    assert done.told["pool"] == chosen.pool.model_dump()
    assert done.header.load.warmup == 1
    assert done.header.round == 1
    assert done.header.name == "test"
    assert {interval.period for interval in done.intervals} == {"warmup", "measured", "drain"}
    assert seen
    assert seen == list(done.intervals)[: len(seen)]


@pytest.mark.long
@pytest.mark.server
def test_a_command_can_be_pasted_into_a_shell(tmp_path: Path, url: URL) -> None:
    chosen = plan("pool_size=2,max_overflow=0,isolation_level=READ COMMITTED")
    result = tmp_path / "pasted.jsonl"
    assert url.password
    assert url.password not in chosen.command()

    pasted = subprocess.run(
        f"{chosen.command()} --results {shlex.quote(str(result))}",
        shell=True,
        env={
            **without_database(),
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "LOADTEST_DATABASE_URL": url.render_as_string(hide_password=False),
        },
        capture_output=True,
        text=True,
        check=False,
    )

    assert pasted.returncode == 0, pasted.stderr
    repeated = read_run(result)
    assert list(repeated.problems) == []
    assert repeated.told["pool"] == chosen.pool.model_dump()
    assert repeated.header.load.users == 2
