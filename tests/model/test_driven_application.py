"""An application behind HTTP: its command and its URL, and what does not go with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from loadtest.model.driven_application import DrivenApplication
from loadtest.model.errors import UsageError
from loadtest.model.experiment import Experiment
from loadtest.model.field_types import validated
from loadtest.model.pool import parse_pool

READY = "http://127.0.0.1:8800/health"
APPLICATION = {"command": "uvicorn shop.web:app", "ready": READY}


def application(command: str = "uvicorn shop.web:app", ready: str = READY) -> DrivenApplication:
    return validated(DrivenApplication, {"command": command, "ready": ready}, "here")


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
        ("uvicorn shop --port $PORT", "$P"),
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
        ({"pool": [parse_pool("20+0")]}, "the pool 20+0"),
        ({"pool": [parse_pool("as-is,pool_size=9")]}, "the pool as-is.pool_size-9"),
        ({"application": [APPLICATION, APPLICATION]}, "a second application"),
        ({"fault": [{"kind": "restart", "at": "1s", "length": "1s"}]}, "fault"),
        ({"session": "shop.db:Session"}, "session"),
        ({"engine": "shop.db:engine"}, "engine"),
        ({"server": ["mysql"]}, "server"),
        ({"load": {"model": "threads"}}, "users as threads"),
        ({"load": {"prefill": True}}, "prefill"),
    ],
)
def test_what_does_not_go_with_an_application_behind_http(more: Any, named: str) -> None:
    with pytest.raises(UsageError) as refused:
        driving(**more)
    assert f"not possible with an application behind HTTP: {named}" in str(refused.value)


def driving(**more: Any) -> Experiment:
    given = {"name": "shop", "scenario": Path("visitors.py"), "application": [APPLICATION]}
    return validated(Experiment, {**given, "pool": [parse_pool("as-is")], **more}, "here")
