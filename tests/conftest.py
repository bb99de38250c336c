"""What the tests share: the real database, browser and Prometheus, which CI must have."""

import locust  # noqa: F401 - first: it patches the sockets and locks that the others import

import contextlib
import gc
import multiprocessing
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import gevent
import pytest
from hypothesis import settings
from playwright.sync_api import Browser, sync_playwright
from sqlalchemy import URL, Engine, NullPool, create_engine

from loadtest.__main__ import main
from loadtest.analysis.pool_runs import gather
from loadtest.analysis.summarize import summarize_pool
from loadtest.database import supervisor
from loadtest.database.private_server import PrivateServer
from loadtest.model.errors import UsageError
from loadtest.model.summary import PoolSummary
from tests.analysis.builders import steady
from tests.undisturbed import undisturbed, without_figures
from tests.warm_children import ADDRESS, WARM, warm_children

if TYPE_CHECKING:
    from tests.recording.private_postgresql import PrivatePostgresql

ROOT = Path(__file__).resolve().parent.parent
# pytest-xdist waits here for a thread of its own, which gevent's event loop does not know: without
# anything else to wait for it would take that for a deadlock.
_AWAKE = gevent.get_hub().loop.async_()
_AWAKE.start(lambda: None)
# A fork of a test's process, which has other threads, may wait for a lock that none of its own
# threads holds.
multiprocessing.set_start_method("spawn", force=True)
# How long an example takes says nothing on a machine that has other work.
settings.register_profile("unhurried", settings.default, deadline=None)
settings.register_profile("fuzz", settings.get_profile("unhurried"), max_examples=2000)
settings.load_profile("unhurried")
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where runs that provoke findings come from."""
    group = parser.getgroup("provoked runs")
    group.addoption("--live", action="store_true", help="provoke findings on a real server")
    group.addoption("--record", action="store_true", help="--live, and keep its runs for later")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Collect without looking for garbage, and leave the tests themselves out of later looks."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def missing(what: str) -> None:
    """Skip a test for lack of a program, or fail it where everything must be there (CI=true)."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} is missing; make setup installs it")
    pytest.skip(f"{what} is not installed")


@pytest.fixture
def pool_summary(tmp_path: Path) -> PoolSummary:
    """One pool's numbers, from a run made by hand: a hundred requests a second."""
    (pool,) = gather(steady(tmp_path, "20+0", [100])).pools
    return summarize_pool(pool)


@pytest.fixture(scope="session")
def server() -> Iterator[PrivateServer]:
    """The private server that the tool itself starts."""
    try:
        running = PrivateServer()
    except UsageError as error:
        missing(str(error))
    with running:
        yield running


@pytest.fixture
def url(server: PrivateServer) -> URL:
    """The address of the real database."""
    return server.url


@pytest.fixture
def admin(url: URL) -> Iterator[Engine]:
    """An engine beside the one under test, for looking at the server."""
    engine = engine_beside(url)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def postgresql() -> Iterator["PrivatePostgresql"]:
    """A private PostgreSQL."""
    from tests.recording.private_postgresql import PrivatePostgresql, postgresql_folder

    programs = postgresql_folder()
    if programs is None:
        missing("PostgreSQL")
    server = PrivatePostgresql(programs)
    yield server
    server.close()


def engine_beside(url: URL) -> Engine:
    """An engine that keeps no connection."""
    return create_engine(url, poolclass=NullPool, connect_args={"ssl_disabled": True})


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A real headless Chromium, the one from the system's packages."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if not chromium:
        missing("chromium")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        yield running
        running.close()


@pytest.fixture(scope="session")
def program() -> Callable[[str], str]:
    """Finds a program that a test needs, like `prometheus` or `promtool`."""

    def find(name: str) -> str:
        found = shutil.which(name)
        if not found:
            missing(name)
        return str(found)

    return find


@pytest.fixture
def loadtest(capfd: pytest.CaptureFixture[str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the `loadtest` command in the test's own process, without the environment's database.

    A process of its own would import everything again. What it starts are processes, as always.
    repeats: whether it repeats disturbed runs, for a test that needs a decision. figures: whether
    its reports have figures.
    """

    def run(
        *arguments: Any,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        repeats: bool = False,
        figures: bool = False,
    ) -> subprocess.CompletedProcess[str]:
        capfd.readouterr()
        command = ["loadtest", *map(str, arguments)]
        environment = without_database() if env is None else env
        with (
            contextlib.nullcontext() if repeats else undisturbed(),
            contextlib.nullcontext() if figures else without_figures(),
        ):
            code = exit_code_here(command, environment, cwd or Path.cwd())
        said = capfd.readouterr()
        return subprocess.CompletedProcess(command, code, said.out, said.err)

    return run


@pytest.fixture
def warm() -> Iterator[None]:
    """Checks and trials of scenarios in forks of a process that has imported everything."""
    with warm_children():
        yield


@pytest.fixture
def loadtest_process() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the `loadtest` command in a process of its own: for one that imports an application.

    The process is a fork of a warm process, and so are those that it starts.
    """

    def run(*arguments: Any, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            WARM.command("tests.undisturbed", *arguments),
            check=False,
            capture_output=True,
            text=True,
            env={**env, ADDRESS: WARM.address},
            preexec_fn=supervisor.die_with_parent,
        )

    return run


def long(*values: Any) -> Any:
    """A case of a test that only `make test-all` tries."""
    return pytest.param(*values, marks=pytest.mark.long)


def values_of(request: pytest.FixtureRequest, parameter: str) -> list[Any]:
    """The values of a parameter in the module's chosen tests: a fixture does only their runs."""
    chosen = [item for item in request.session.items if item.path == request.path]
    given = [item.callspec.params for item in chosen if hasattr(item, "callspec")]
    return list(dict.fromkeys(one[parameter] for one in given if parameter in one))


def exit_code_here(command: list[str], environment: Mapping[str, str], folder: Path) -> int:
    """The exit code of a `loadtest` command that runs in this process."""
    with (
        warm_children(),
        mock.patch.dict(os.environ, environment, clear=True),
        mock.patch.object(sys, "argv", command),
        contextlib.chdir(folder),
        pytest.raises(SystemExit) as ended,
    ):
        main()
    assert isinstance(ended.value.code, int | None)
    return ended.value.code or 0


def without_database() -> dict[str, str]:
    """The environment of this process without a database's address."""
    return {k: v for k, v in os.environ.items() if k != "LOADTEST_DATABASE_URL"}
