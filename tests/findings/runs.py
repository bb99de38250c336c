"""Real runs of the small scenarios beside, and what is found in them."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

from sqlalchemy import URL

from loadtest.analysis.summary import summarize_runs
from loadtest.analysis.values import Finding
from loadtest.results import Run, read_run
from tests.processes import Running, locust_command, running, until

SCENARIOS = Path(__file__).parent / "scenarios"
Found = dict[str, Finding]


def found(*runs: Run) -> Found:
    """The findings about the one pool of some runs, by their codes."""
    (pool,) = summarize_runs(runs).pools
    return {finding.code: finding for finding in pool.findings}


def found_in(folder: Path, url: URL | None, scenario: str, **arguments: str) -> dict[str, Found]:
    """What is found in runs that differ in Locust's arguments, by their names.

    They run side by side on one database; without an address each has a private one.
    """
    folder.mkdir(exist_ok=True)
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


def _result(result: Path, process: Running) -> Found:
    assert process.wait() == 0, process.output
    until(process.gone, "everything that Locust started to end")
    return found(read_run(result.with_suffix(".jsonl")))
