"""A command that is no application ends with one message, and leaves nothing."""

from __future__ import annotations

import shlex
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from loadtest.experiment.driving import readiness
from loadtest.experiment.driving.driven_run import driven
from loadtest.experiment.driving.look import look_at
from loadtest.experiment.driving.servers.driven_server import NO_SERVER
from loadtest.model.driven_application import DrivenApplication
from loadtest.model.errors import UsageError
from loadtest.model.experiment import Experiment
from loadtest.model.pool import parse_pool
from tests.processes import free_port

AT_ONCE = "print('mysql://shop:s3cret@db/shop'); raise SystemExit(4)"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Takes all temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def _children() -> set[psutil.Process]:
    return set(psutil.Process().children(recursive=True))


def refusal(*command: str, **more: str) -> str:
    """The message about a command; asserts that no process of it is left."""
    ready = f"http://127.0.0.1:{free_port()}/health"
    application = DrivenApplication.model_validate(
        {"command": shlex.join(command), "ready": ready, **more}
    )
    pool, before = parse_pool("as-is").of_application(), _children()
    with pytest.raises(UsageError) as refused, driven(application, pool, NO_SERVER, "shop"):
        pass
    assert _children() <= before
    return str(refused.value).replace(ready, "READY")


def test_a_command_that_ends_is_told_with_its_log(folder: Path) -> None:
    assert refusal(sys.executable, "-c", AT_ONCE) == (
        "the application ended with exit code 4 before it was ready; its log:\n"
        "  mysql://shop:***@db/shop"
    )
    assert not list(folder.iterdir())


def test_a_command_that_goes_to_the_background_is_told(folder: Path) -> None:
    assert refusal("true") == (
        "the application ended with exit code 0 before it was ready, but --app must stay in the "
        "foreground; its log is empty"
    )
    assert not list(folder.iterdir())


def test_a_command_that_does_not_answer_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "APPLICATION_READY_SECONDS", 0.0)
    said = refusal("sleep", "600")
    assert "the application was not ready within 60 s: READY did not answer (" in said
    assert "; the application listens on no port, and --ready has port " in said
    assert not list(folder.iterdir())


def test_a_preparation_that_fails_is_told(folder: Path) -> None:
    assert refusal("sleep", "600", prepare="sh -c 'echo no tables; exit 3'") == (
        "--app-prepare: the command ended with exit code 3; its log:\n  no tables"
    )
    assert not list(folder.iterdir())


def test_nothing_is_prepared_before_the_server_is_known(folder: Path) -> None:
    application = DrivenApplication(
        command="sh -c 'test -e prepared'",
        ready=f"http://127.0.0.1:{free_port()}/",
        prepare="touch prepared",
        cwd=folder,
    )
    experiment = Experiment(
        name="shop",
        scenario=Path("visitors.py"),
        application=(application,),
        pool=(parse_pool("as-is"),),
    )
    with pytest.raises(UsageError) as refused:
        look_at(experiment, NO_SERVER)
    first, second = refused.value.problems
    assert first.startswith("the application ended with exit code 1 before it was ready; ")
    assert "run it once yourself, or name the database with --app-env NAME={database" in second
    assert not list(folder.iterdir())


def test_a_program_that_does_not_exist_is_told(folder: Path) -> None:
    assert refusal("klingon", "--port", "1") == (
        "--app: there is no program klingon on PATH, nor beside the Python of loadtest"
    )
    assert refusal("./klingon") == "--app: there is no program ./klingon"
    assert not list(folder.iterdir())
