"""Runs that show findings: recorded ones or, with --live, those of a real server."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest
from sqlalchemy import URL

from loadtest.analysis.summarize import summarize_runs
from loadtest.model.summary import Finding
from loadtest.runfile.reader import Run, read_run
from tests.conftest import ROOT
from tests.processes import Running, locust_command, running, until

SCENARIOS = Path(__file__).parent / "scenarios"
RECORDED = ROOT / "tests" / "recorded"
Found = dict[str, Finding]


def found(*runs: Run) -> Found:
    """The findings about the one pool of some runs, by their codes."""
    (pool,) = summarize_runs(runs).pools
    return {finding.code: finding for finding in pool.findings}


class Provoked:
    """The runs that provoke findings; today's analysis reads them, recorded or live.

    live: whether a real server provokes them (--live), so that fixtures must prepare it.
    """

    def __init__(self, request: pytest.FixtureRequest, folders: pytest.TempPathFactory) -> None:
        self.live = bool(request.config.getoption("live") or request.config.getoption("record"))
        self._record = bool(request.config.getoption("record"))
        self._request, self._folders = request, folders

    @property
    def url(self) -> URL:
        """The address of the real database, which is started for it."""
        url: URL = self._request.getfixturevalue("server").url
        return url

    def runs(self, key: str, provoke: Callable[[Path], Mapping[str, Path]]) -> dict[str, Run]:
        """The runs of a key by their names.

        provoke: makes them in a folder and gives their files by name; called only if live.
        """
        files = provoke(self._folders.mktemp(key)) if self.live else _recorded(key)
        if self._record:
            _keep(files, RECORDED / key)
        return {name: read_run(path) for name, path in files.items()}

    def locusts(
        self,
        key: str,
        scenario: str,
        url: URL | None = None,
        *,
        private: bool = False,
        **arguments: str,
    ) -> dict[str, Run]:
        """Runs side by side that differ in Locust's arguments, by their names.

        url: of another account than the tests' own. private: each on a server of its own, where
        tasks may take more connections than there are users.
        """

        def provoke(folder: Path) -> dict[str, Path]:
            address = None if private else url or self.url
            return _side_by_side(folder, address, scenario, arguments)

        return self.runs(key, provoke)

    def found_in(
        self, key: str, scenario: str, *, private: bool = False, **arguments: str
    ) -> dict[str, Found]:
        """The findings in each of these runs."""
        runs = self.locusts(key, scenario, private=private, **arguments)
        return {name: found(run) for name, run in runs.items()}


def _recorded(key: str) -> dict[str, Path]:
    files = {path.stem: path for path in (RECORDED / key).glob("*.jsonl")}
    assert files, f"there is no recorded run of {key}: make fixtures records it"
    return files


def _keep(files: Mapping[str, Path], folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, path in files.items():
        shutil.copyfile(path, folder / f"{name}.jsonl")


def _side_by_side(
    folder: Path, url: URL | None, scenario: str, arguments: Mapping[str, str]
) -> dict[str, Path]:
    with ExitStack() as stack:
        processes = {
            name: stack.enter_context(_started(folder / name, url, scenario, given.split()))
            for name, given in arguments.items()
        }
        return {name: _result(folder / name, process) for name, process in processes.items()}


def _started(
    result: Path, url: URL | None, scenario: str, given: list[str]
) -> AbstractContextManager[Running]:
    fixed = ("-f", SCENARIOS / scenario, "--headless", "--only-summary", "--stop-timeout", 1)
    command = locust_command(*fixed, "--results", result.with_suffix(".jsonl"), *given)
    environment = {"LOADTEST_DATABASE_URL": url.render_as_string(False)} if url else {}
    return running(result.with_suffix(".log"), *command, env=environment)


def _result(result: Path, process: Running) -> Path:
    assert process.wait() == 0, process.output
    until(process.gone, "everything that Locust started to end")
    return result.with_suffix(".jsonl")
