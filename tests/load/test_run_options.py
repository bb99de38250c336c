"""The options of a run: from Locust's command line to a pool, and back to a command line."""

from __future__ import annotations

from locust.argument_parser import get_parser

import json
import shlex
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine

from loadtest.load.options import run_options
from loadtest.load.options.form_check import check_form
from loadtest.load.options.pool_options import pool_config, settle_pool
from loadtest.load.run_header import load_facts, repeat_command
from loadtest.model.errors import UsageError
from loadtest.model.pool import PoolConfig
from tests.model.test_kept_settings import STORE


class Scenario:
    """A scenario with options of its own."""

    @classmethod
    def add_options(cls, group: Any) -> None:
        group.add_argument("--rows-for-tests", type=int, default=10, help="rows")
        group.add_argument("--odd-for-tests", action="store_true", default=False, help="odd rows")


def parsed(*arguments: str) -> tuple[Namespace, run_options.Added]:
    """Options as Locust parses them with the tool's and a scenario's own added."""
    parser = get_parser(default_config_files=[])
    added = run_options.Added([], [])
    if "--pool-size" not in parser._option_string_actions:
        added = run_options.add_options(parser, [Scenario])
    return parser.parse_args([*arguments]), added


@pytest.fixture(autouse=True)
def _without_the_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where another test has imported the plugin, its options would be there already."""
    from locust import events

    monkeypatch.setattr(events.init_command_line_parser, "_handlers", [])
    monkeypatch.delenv("LOADTEST_DATABASE_URL", raising=False)


def pool(*arguments: str) -> PoolConfig:
    return pool_config(parsed(*arguments)[0])


def test_without_options_it_is_sqlalchemys_own_pool() -> None:
    engine = create_engine("mysql+pymysql://me@127.0.0.1/x")

    default = pool()

    assert default == PoolConfig()
    assert default.name == "5+10"
    assert engine.pool.size() == default.pool_size  # type: ignore[attr-defined]
    assert engine.pool._max_overflow == default.max_overflow  # type: ignore[attr-defined]
    assert engine.pool._timeout == default.pool_timeout  # type: ignore[attr-defined]


def test_every_setting_of_a_pool_can_be_given() -> None:
    asked = PoolConfig(
        name="all",
        pool_size=7,
        max_overflow=-1,
        pool_timeout=0.5,
        pool_recycle=60,
        pool_pre_ping=True,
        pool_use_lifo=True,
        pool_reset_on_return="commit",
        isolation_level="AUTOCOMMIT",
    )
    given = "--pool-name all --pool-size 7 --max-overflow -1 --pool-timeout 0.5 --pool-recycle 60"
    more = "--pool-pre-ping --pool-use-lifo --pool-reset-on-return commit"

    assert pool(*given.split(), *more.split(), "--isolation-level", "AUTOCOMMIT") == asked


def test_a_null_pool_is_none_the_worse_for_a_form_that_sends_everything() -> None:
    options, _ = parsed("--poolclass", "NullPool")
    assert (options.pool_size, options.max_overflow) == (5, 10)

    assert pool_config(options) == PoolConfig(poolclass="NullPool")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--max-overflow -7", "max_overflow: must be at least -1"),
        ("--pool-size -1", "pool_size: must be at least 0"),
        ("--pool-timeout -1", "pool_timeout: must be at least 0"),
        ("--pool-recycle -2", "pool_recycle: must be at least -1"),
        ("--poolclass NullPool --pool-size 9", "NullPool keeps no connections; remove pool"),
        ("--pool-name ../up", "name: '../up' is not a name"),
    ],
)
def test_settings_that_cannot_be_are_refused(arguments: str, message: str) -> None:
    with pytest.raises(UsageError) as raised:
        pool(*arguments.split())

    assert str(raised.value).startswith(f"pool settings: {message}")


@pytest.mark.parametrize(
    ("text", "seconds"), [("0s", 0), ("5", 5), ("1500ms", 1.5), ("2m", 120), ("0.5s", 0.5)]
)
def test_a_warm_up_is_a_duration(text: str, seconds: float) -> None:
    assert run_options.warmup_seconds(parsed("--warmup", text)[0]) == seconds


def test_a_warm_up_must_leave_something_to_measure() -> None:
    with pytest.raises(UsageError, match="leaves no time to measure"):
        run_options.warmup_seconds(parsed("--warmup", "4s", "-t", "4s")[0])
    with pytest.raises(UsageError, match="'a while' is not a duration"):
        run_options.warmup_seconds(parsed("--warmup", "a while")[0])


def test_the_duration_is_what_is_measured() -> None:
    limited = load_facts(parsed("-t", "6s", "--warmup", "2s")[0], 50, 1)
    endless = load_facts(parsed("--warmup", "2s")[0], 50, 2)

    assert (limited["duration"], limited["warmup"]) == (4, 2)
    assert endless["duration"] is None
    assert (limited["users"], endless["processes"]) == (50, 2)


def test_a_run_that_is_repeated_has_the_same_options() -> None:
    given = [
        *("--headless", "-f", "a.py", "-u", "9", "-r", "4.5", "-t", "1m"),
        *("--pool-size", "3", "--max-overflow", "-1", "--pool-pre-ping", "--pool-timeout", "0.5"),
        *("--isolation-level", "READ COMMITTED", "--pool-name", "named", "--warmup", "2s"),
        *("--seed", "5", "--rows-for-tests", "77", "--odd-for-tests", "PickedUser"),
    ]
    elsewhere = [
        *("--database-url", "mysql+pymysql://me:s3cr3t@db/x", "--results", "here"),
        *("--metrics-port", "9999", "--run-name", "mine", "--round", "3"),
    ]
    options, added = parsed(*elsewhere, *given)

    command = repeat_command(options, added, ["a.py"])

    assert command[0] == "locust"
    again, _ = parsed(*command[1:])
    expected, _ = parsed(*given)
    assert vars(again) == vars(expected)
    assert "s3cr3t" not in shlex.join(command)


def test_the_defaults_need_no_options() -> None:
    options, added = parsed("-f", "a.py")

    command = repeat_command(options, added, ["a.py", "b.py"])
    assert command == ["locust", "-f", "a.py,b.py", "--headless", "-u", "1", "-r", "1"]


def test_a_start_form_is_checked_for_all_that_is_no_number_at_once() -> None:
    options, added = parsed("-f", "a.py")
    form = {"pool_size": "many", "pool_timeout": "2 s", "pool_name": "x", "user_count": "7"}

    with pytest.raises(UsageError) as caught:
        check_form(options, form, added)

    assert str(caught.value) == (
        "pool_size: 'many' is not a whole number: connections to keep open (0: no limit)\n"
        "pool_timeout: '2 s' is not a number: seconds to wait for a connection"
    )


def test_a_start_form_is_checked_for_what_the_pool_cannot_be() -> None:
    options, added = parsed("-f", "a.py")
    right = {
        "pool_size": "3",
        "pool_timeout": "0.5",
        "pool_pre_ping": "true",
        "isolation_level": "",
    }

    check_form(options, right, added)
    with pytest.raises(UsageError, match="max_overflow"):
        check_form(options, right | {"max_overflow": "-7"}, added)

    assert options.pool_size == 5, "the options are Locust's to change"


@pytest.mark.parametrize("run_time", ["", "8", "5s", "1m", "soon"])
def test_a_run_time_is_for_locust_to_read_also_when_the_last_run_had_another(run_time: str) -> None:
    options, added = parsed("-f", "a.py", "-t", "8s")

    check_form(options, {"run_time": run_time}, added)


def test_a_start_form_is_checked_for_a_warm_up_that_leaves_no_time() -> None:
    options, added = parsed("-f", "a.py")

    check_form(options, {"warmup": "5s", "run_time": "6s"}, added)
    with pytest.raises(UsageError, match="leaves no time to measure"):
        check_form(options, {"warmup": "5s", "run_time": "5"}, added)
    with pytest.raises(UsageError, match="--warmup"):
        check_form(options, {"warmup": "2 sec"}, added)


def test_what_this_project_sets_in_its_folder_is_the_default_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options, _ = parsed("-f", "a.py")

    assert (options.web_host, options.stop_timeout) == ("127.0.0.1", 10)
    assert options.master_bind_host == "127.0.0.1"
    assert options.exit_code_on_error == 0
    assert parsed("-f", "a.py", "--web-host", "0.0.0.0")[0].web_host == "0.0.0.0"


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ("", "as-is"),
        ("--seed 3 --pool-name as-is", "as-is"),
        ("--pool-name mine", "mine"),
        ("--pool-size 5", "as-is.pool_size-5"),
        ("--max-overflow 10", "as-is.max_overflow-10"),
        ("--pool-timeout 30", "as-is.pool_timeout-30.0"),
        ("--no-pool-pre-ping", "as-is.pool_pre_ping-False"),
        ("--pool-size 5 --no-pool-use-lifo", "as-is.pool_size-5.pool_use_lifo-False"),
        ("--pool-size 3 --max-overflow 2 --pool-pre-ping", "as-is"),
        ("--pool-size 20 --max-overflow 0", "20+0"),
        ("--poolclass QueuePool", "as-is.poolclass-QueuePool"),
        ("--poolclass NullPool", "nullpool"),
    ],
)
@pytest.mark.parametrize("option", ["--session", "--engine"])
def test_an_applications_pool_keeps_the_settings_that_are_not_given(
    option: str, arguments: str, name: str
) -> None:
    options, added = parsed("-f", "a.py", option, "myapp.db:it", *arguments.split())
    settle_pool(options, STORE)
    asked = pool_config(options)

    assert asked.name == name
    again, _ = parsed(*repeat_command(options, added, ["a.py"])[1:])
    settle_pool(again, STORE)
    assert pool_config(again) == asked
    assert pool_config(again).named == asked.named
    assert (again.session or again.engine) == "myapp.db:it"


def test_a_worker_has_the_same_pool_as_its_master() -> None:
    options, _ = parsed("-f", "a.py", "--engine", "myapp.db:it", "--pool-size", "9")
    settle_pool(options, STORE)
    sent = json.loads(json.dumps(vars(options)))
    worker, _ = parsed("-f", "a.py", "--engine", "myapp.db:it")
    vars(worker).update(sent)
    assert pool_config(worker) == pool_config(options)


def test_the_start_form_begins_with_an_applications_settings_and_changes_some() -> None:
    options, added = parsed("-f", "a.py", "--engine", "myapp.db:engine")
    settle_pool(options, STORE)
    shown = {name: getattr(options, name) for name in STORE if name != "poolclass"}
    assert shown == {name: value for name, value in STORE.items() if name != "poolclass"}
    assert type(options.pool_timeout) is float, "the form casts a field by this type"
    form = {name: str(value) for name, value in shown.items()} | {"poolclass": "as-is"}
    form |= {"pool_pre_ping": "true", "pool_use_lifo": "true"}

    def named(**changes: str) -> dict[str, Any]:
        return pool_config(check_form(options, form | changes, added)).named

    assert named() == {"poolclass": "as-is"}
    assert named(pool_size="5") == {"poolclass": "as-is", "pool_size": 5}
    assert named(pool_pre_ping="false") == {"poolclass": "as-is", "pool_pre_ping": False}
    wrong = form | {"isolation_level": "AUTOCOMMIT"}
    with pytest.raises(UsageError, match="the application sets its own isolation_level"):
        check_form(options, wrong, added)
    without, added = parsed("-f", "a.py")
    with pytest.raises(UsageError, match="as-is is an application's own pool"):
        check_form(without, form, added)


def test_several_processes_are_repeated() -> None:
    options, added = parsed("-f", "a.py", "--processes", "2")

    assert "--processes 2" in shlex.join(repeat_command(options, added, ["a.py"]))


@pytest.mark.parametrize(
    ("line", "pings"),
    [
        ("no-pool-pre-ping = true", False),
        ("--no-pool-pre-ping = yes", False),
        ("no-pool-pre-ping = false", True),
        ("pool-pre-ping = true", True),
        ("pool-pre-ping = false", False),
    ],
)
def test_a_configuration_file_switches_a_setting_on_or_off(
    line: str, pings: bool, tmp_path: Path
) -> None:
    file = tmp_path / "locust.conf"
    file.write_text(f"{line}\n")
    parser = get_parser(default_config_files=[str(file)])
    run_options.add_options(parser, [Scenario])
    options = parser.parse_args([])
    assert options.pool_pre_ping is pings
    assert options.asked_for == ["pool_pre_ping"]
