"""The options of an application behind HTTP, and what results show of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from loadtest.cli.driven_options import DrivenOptions, refuse_several_processes
from loadtest.cli.output import command_line
from loadtest.experiment.driving.exposed_passwords import exposed_passwords, shown_application
from loadtest.experiment.driving.repeated_command import repeated_command
from loadtest.model.errors import UsageError
from loadtest.model.experiment import Experiment
from loadtest.model.field_types import validated
from loadtest.model.json_types import json_types
from loadtest.model.load import LoadConfig
from loadtest.model.pool import parse_pool

READY = "http://127.0.0.1:8800/health"


def options(**given: Any) -> DrivenOptions:
    return DrivenOptions(app=["shop --port 8800"], ready=[READY], **given)


def test_the_options_are_an_application() -> None:
    (found,) = options(
        app_env=["A=1", "URL={database_url}=x"],
        app_cwd=["shop"],
        app_prepare=["fill"],
        app_engine=["shop"],
        app_stop_timeout=["3s"],
    ).settings()["application"]
    assert found.env == {"A": "1", "URL": "{database_url}=x"}
    assert (found.cwd, found.prepare, found.engine) == (Path("shop"), "fill", "shop")
    assert found.stop_timeout == 3.0
    assert DrivenOptions().settings() == {}


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"app_env": ["s3cret"]}, "--app-env: write NAME=VALUE"),
        ({"app_env": ["A=s3cret", "A=s3cret"]}, "--app-env A is given twice; give it once"),
        ({"app_env": ["A B=s3cret"]}, "--app-env: 'A B' is not the name of an environment"),
        ({"app_env": ["A={database_url:"]}, "--app-env: A: write {database_url}"),
        ({"app_prepare": ["a | b"]}, "--app-prepare: the command needs a shell because of '|'"),
        ({"app_stop_timeout": ["soon"]}, "--app-stop-timeout: 'soon' is not a duration"),
        ({"app_cwd": ["a", "b"]}, "--app-cwd is given 2 times for one application; give it once"),
    ],
)
def test_mistakes_name_their_option_and_no_value(given: dict[str, Any], problem: str) -> None:
    with pytest.raises(UsageError) as refused:
        options(**given).settings()
    assert str(refused.value).startswith(problem)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("given", [{"app_env": ["A=1"]}, {"app_cwd": ["."]}, {"app_engine": ["a"]}])
def test_options_of_an_application_require_one(given: dict[str, Any]) -> None:
    name = next(iter(given)).replace("_", "-")
    with pytest.raises(UsageError, match=f"--app is missing: --{name} requires it"):
        DrivenOptions(**given).settings()


def test_values_of_variables_are_not_in_the_command_of_a_result() -> None:
    words = ["run", "a.py", "--app-env", "KEY=s3cret", "--app-env=OTHER=s3cret"]
    words += ["--app-env", "URL={database_url}", "-u", "5"]
    assert command_line(words) == (
        "loadtest run a.py --app-env 'KEY=***' '--app-env=OTHER=***' --app-env "
        "'URL={database_url}' -u 5"
    )


def test_passwords_in_urls_of_an_application_are_not_in_results() -> None:
    url, hidden = (
        "http://shop:s3cret@127.0.0.1:8800/health",
        "http://shop:***@127.0.0.1:8800/health",
    )
    text = "shop --url mysql://shop:s3cret@db/shop"
    shown = "shop --url mysql://shop:***@db/shop"
    (found,) = DrivenOptions(app=[text], ready=[url], app_prepare=[text]).settings()["application"]
    given = {
        "name": "shop",
        "scenario": Path("visitors.py"),
        "application": (found,),
        "pool": (parse_pool("as-is"),),
    }
    experiment = validated(Experiment, given, "here")
    words = repeated_command(experiment, experiment.pool[0], 7)
    assert [words[words.index(o) + 1] for o in ("--app", "--ready", "--app-prepare")] == [
        *(shown, hidden, shown)
    ]
    planned = shown_application(json_types(found.model_dump), found)
    assert (planned["command"], planned["ready"], planned["prepare"]) == (shown, hidden, shown)
    warned = list(exposed_passwords([found]))
    assert [text.partition(" ")[0] for text in warned] == ["--app", "--ready", "--app-prepare"]
    assert not list(exposed_passwords(options().settings()["application"]))


def _experiment(given: DrivenOptions, pool: str) -> Experiment:
    data = {
        "name": "shop",
        "scenario": Path("visitors.py"),
        "load": LoadConfig(users=5, duration=4, warmup=1),
        "pool": (parse_pool(pool),),
        **given.settings(),
    }
    return validated(Experiment, data, "here")


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("20+0", "20+0"),
        ("3000+inf", "3000+inf"),
        ("small:20+0", "small:20+0"),
        ("as-is", "as-is"),
        ("own:as-is", "own:as-is"),
        ("as-is,pool_size=9", "as-is,pool_size=9"),
        ("poolclass=NullPool", "poolclass=NullPool"),
        ("pool_size=5,max_overflow=0,pool_pre_ping=true", None),
    ],
)
def test_the_pool_in_a_repeated_command_is_the_same(text: str, written: str | None) -> None:
    experiment = _experiment(options(), text)
    words = repeated_command(experiment, experiment.pool[0], 7)
    again = words[words.index("--pool") + 1]
    assert written in (again, None)
    assert parse_pool(again).of_application() == experiment.pool[0]
    assert words[-2:] == ["--seed", "7"]


SHOP = "gunicorn -w {app_processes} shop:app"


def test_a_number_of_processes_is_in_the_command_and_in_variables() -> None:
    given = DrivenOptions(
        app=[SHOP], ready=[READY], app_processes=["4"], app_env=["WORKERS={app_processes}", "A=1"]
    )
    (found,) = given.settings()["application"]
    assert found.words() == ("gunicorn", "-w", "4", "shop:app")
    assert found.variables == {"WORKERS": "4", "A": "1"}
    assert found.shown_env == {"WORKERS": "{app_processes}", "A": "***"}
    assert found.command == SHOP


@pytest.mark.parametrize(
    ("app", "numbers", "problem"),
    [
        (SHOP, None, "{app_processes} stands for a number that is not given; add --app-processes"),
        ("shop", "4", "the number of processes is given, but the command has no {app_processes}"),
        (SHOP, "0", "--app-processes: '0' is not a number of processes; write 4"),
        (SHOP, "1,many", "--app-processes: '1,many' is not a number of processes"),
        (SHOP, "2,4,2", "--app-processes: '2,4,2' has a number twice"),
    ],
)
def test_a_number_of_processes_needs_a_place(app: str, numbers: str | None, problem: str) -> None:
    several = [numbers] if numbers else None
    with pytest.raises(UsageError) as refused:
        DrivenOptions(app=[app], ready=[READY], app_processes=several).settings()
    assert str(refused.value).startswith(problem)


def test_only_a_search_has_several_numbers_of_processes() -> None:
    given = DrivenOptions(app=[SHOP], ready=[READY], app_processes=["1,2"])
    with pytest.raises(UsageError) as refused:
        refuse_several_processes(_experiment(given, "5+10"), "a run")
    assert str(refused.value) == (
        "--app-processes 1,2: a run has one number of processes; loadtest tune takes several"
    )
    one = _experiment(DrivenOptions(app=[SHOP], ready=[READY], app_processes=["2"]), "5+10")
    refuse_several_processes(one, "a run")
    words = repeated_command(one, one.pool[0], 7)
    assert words[words.index("--app-processes") + 1] == "2"
