"""An application behind HTTP: its command and its URL, and what does not go with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from loadtest.model.driven_application import DrivenApplication, shown_variable
from loadtest.model.errors import UsageError
from loadtest.model.experiment import Experiment, read_experiment
from loadtest.model.field_types import validated
from loadtest.model.pool import parse_pool

READY = "http://127.0.0.1:8800/health"
APPLICATION = {"command": "uvicorn shop.web:app", "ready": READY}


def application(
    command: str = "uvicorn shop.web:app", ready: str = READY, **more: Any
) -> DrivenApplication:
    return validated(DrivenApplication, {"command": command, "ready": ready, **more}, "here")


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("uvicorn shop.web:app --port 8800", ("uvicorn", "shop.web:app", "--port", "8800")),
        ("python 'my app.py'", ("python", "my app.py")),
        ("sh -c 'a && exec b'", ("sh", "-c", "a && exec b")),
        ("sh -c $COMMAND", ("sh", "-c", "$COMMAND")),
        ("python -c 'print(`1`); f(\"$x\")'", ("python", "-c", 'print(`1`); f("$x")')),
    ],
)
def test_words(command: str, words: tuple[str, ...]) -> None:
    assert application(command).words() == words


@pytest.mark.parametrize(
    ("command", "sign"),
    [
        ("make tables && uvicorn shop", "&&"),
        ("uvicorn shop | tee log", "|"),
        ("uvicorn shop > log", ">"),
        ("PORT=8800 uvicorn shop", "PORT="),
        ("uvicorn shop --port $PORT", "$PORT"),
        ("uvicorn shop --port=${PORT}", "${"),
        ("~/bin/uvicorn shop", "~"),
        ("uvicorn `cat app`", "`"),
    ],
)
def test_a_command_that_needs_a_shell_is_refused(command: str, sign: str) -> None:
    with pytest.raises(UsageError) as refused:
        application(command)
    assert f"the command needs a shell because of {sign!r}" in str(refused.value)


@pytest.mark.parametrize(
    ("command", "problem"), [("", "the command is empty"), ("a 'b", "No closing quotation")]
)
def test_what_is_no_command_is_refused(command: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        application(command)


@pytest.mark.parametrize(
    ("ready", "host", "port", "origin"),
    [
        (READY, "127.0.0.1", 8800, "http://127.0.0.1:8800"),
        ("http://localhost/", "localhost", 80, "http://localhost"),
        ("https://[::1]:8443/a?b", "::1", 8443, "https://[::1]:8443"),
    ],
)
def test_the_address_of_requests(ready: str, host: str, port: int, origin: str) -> None:
    found = application(ready=ready)
    assert (found.host, found.port, found.origin) == (host, port, origin)


@pytest.mark.parametrize("ready", ["", "127.0.0.1:8800", "ftp://a/", "http://", "http://a:99999/"])
def test_what_is_no_url_is_refused(ready: str) -> None:
    with pytest.raises(UsageError, match=r"here: ready: "):
        application(ready=ready)


def test_an_experiment_drives_an_application_with_its_own_pool() -> None:
    experiment = driving()
    assert experiment.application == (application(),)
    assert experiment.changed("--seed 2", seed=2).application == experiment.application


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"session": "shop.db:Session"}, "session"),
        ({"engine": "shop.db:engine"}, "engine"),
        ({"server": ["mysql", "mariadb"]}, "several servers"),
        ({"load": {"model": "threads"}}, "users as threads"),
        ({"load": {"prefill": True}}, "prefill"),
    ],
)
def test_what_does_not_go_with_an_application_behind_http(more: Any, named: str) -> None:
    with pytest.raises(UsageError) as refused:
        driving(**more)
    assert f"not possible with an application behind HTTP: {named}" in str(refused.value)


def test_faults_go_with_an_application_behind_http() -> None:
    found = driving(fault=[{"kind": "restart", "at": "1s", "length": "1s"}])
    assert [str(fault) for fault in found.fault] == ["restart@1s+1s"]


def driving(**more: Any) -> Experiment:
    given = {"name": "shop", "scenario": Path("visitors.py"), "application": [APPLICATION]}
    return validated(Experiment, {**given, "pool": [parse_pool("as-is")], **more}, "here")


def test_settings_that_a_pool_does_not_name_stay_in_an_application_behind_http() -> None:
    pools = [parse_pool("20+0"), parse_pool("as-is,pool_size=9"), parse_pool("pool_timeout=2")]
    assert [pool.named for pool in driving(pool=pools).pool] == [
        {"pool_size": 20, "max_overflow": 0},
        {"poolclass": "as-is", "pool_size": 9},
        {"poolclass": "as-is", "pool_timeout": 2.0},
    ]


@pytest.mark.parametrize(
    ("value", "needs", "shown"),
    [
        ("{database_url}", True, "{database_url}"),
        ("{database_url:mysql+aiomysql}", True, "{database_url:mysql+aiomysql}"),
        ("{database_url:mariadb}", True, "{database_url:mariadb}"),
        ("url={database_url};key=s3cret", True, "***"),
        ("s3cret", False, "***"),
        ("", False, "***"),
    ],
)
def test_a_variable_may_contain_the_url_of_the_database(
    value: str, needs: bool, shown: str
) -> None:
    found = application(env={"DATABASE_URL": value})
    assert (found.needs_database, found.shown_env) == (needs, {"DATABASE_URL": shown})
    assert shown_variable(f"DATABASE_URL={value}") == f"DATABASE_URL={shown}"


def test_a_text_that_is_no_variable_is_not_shown() -> None:
    assert shown_variable("s3cret") == "***"


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"env": {"A": "{database_url"}}, "env: A: write {database_url}, or {database_url:mysql"),
        ({"env": {"A": "{database_url:}"}}, "env: A: write {database_url}"),
        ({"env": {"A": "{database_url:postgresql+asyncpg}"}}, "env: A: {database_url} leads to Ma"),
        ({"env": {"A-B": "1"}}, "env: 'A-B' is not the name of an environment variable"),
        ({"env": {"A": "a\0b"}}, "env: A: the value contains a null character"),
        ({"command": "shop --url {database_url}"}, "command: {database_url} contains the password"),
        ({"prepare": "fill {database_url:mysql}"}, "prepare: {database_url} contains the password"),
        ({"ready": "http://a/{database_url}"}, "ready: {database_url} contains the password"),
        ({"command": "shop > log"}, "needs a shell because of '>'; write sh -c '…'"),
        ({"command": "shop 2>&1"}, "needs a shell because of '2>&1'; write sh -c '…'"),
        ({"command": "fill; shop"}, "needs a shell because of ';'; write sh -c '…'"),
        ({"command": "shop --port $PORT"}, "needs a shell because of '$PORT'; write sh -c '…'"),
        (
            {"command": "A=1 shop"},
            "'A='; write sh -c '…', or put the variable into env (--app-env)",
        ),
        ({"prepare": "make && fill"}, "prepare: the command needs a shell because of '&&'"),
        ({"stop_timeout": "1h"}, "stop_timeout: must be at most 600"),
        ({"port": 8800}, "port: unknown key; the keys are command, ready, env, cwd, prepare"),
    ],
)
def test_mistakes_in_an_application(more: dict[str, Any], problem: str) -> None:
    with pytest.raises(UsageError) as refused:
        application(**more)
    assert problem in str(refused.value)


TABLE = """
name = "shop"
scenario = "visitors.py"
[{brackets}]
command = "uvicorn shop.web:app"
ready = "http://127.0.0.1:8800/health"
cwd = "shop"
stop_timeout = "2s"
[application.env]
DATABASE_URL = "{{database_url}}"
[[pool]]
pool_size = 20
max_overflow = 0
"""


@pytest.mark.parametrize("brackets", ["application", "[application]"])
def test_an_experiment_file_has_an_application(tmp_path: Path, brackets: str) -> None:
    (tmp_path / "visitors.py").touch()
    path = tmp_path / "shop.toml"
    path.write_text(TABLE.format(brackets=brackets))
    (found,) = read_experiment(path).application
    assert (found.cwd, found.stop_timeout) == (tmp_path / "shop", 2.0)
    assert found.env == {"DATABASE_URL": "{database_url}"}


def test_unknown_keys_of_an_application_in_a_file_are_named(tmp_path: Path) -> None:
    path = tmp_path / "shop.toml"
    path.write_text(TABLE.format(brackets="application").replace("cwd", "folder"))
    with pytest.raises(UsageError, match=r"application\.1\.folder: unknown key; the keys are comm"):
        read_experiment(path)


def test_a_private_server_is_only_for_applications_that_get_its_url() -> None:
    with pytest.raises(UsageError, match=r"put \{database_url\} into env"):
        driving(server=["mysql"])
    env = {"DATABASE_URL": "{database_url}"}
    assert driving(server=["mysql"], application={**APPLICATION, "env": env}).server == ("mysql",)
