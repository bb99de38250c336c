"""What whole runs of the command leave, some of them done side by side."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import Any

from loadtest.model.interval import Interval, total
from loadtest.runfile.reader import Run, read_run
from tests.processes import Running, loadtest_command, running, until


class Done:
    """What a run left: its file, its one pool in the summary, the page and what was printed."""

    def __init__(self, folder: Path, output: str) -> None:
        assert (folder / "summary.json").exists(), output
        (self.pool,) = json.loads((folder / "summary.json").read_text())["pools"]
        self.findings = {finding["code"]: finding for finding in self.pool["findings"]}
        (path,) = folder.glob("runs/*.jsonl")
        self.run: Run = read_run(path)
        self.page, self.output = (folder / "report.html").read_text(), output

    @cached_property
    def measured(self) -> Interval:
        """All of the measured time."""
        return total(self.run.measured())


def side_by_side(
    folder: Path, commands: Mapping[str, Sequence[Any]], codes: Collection[int] = (0,)
) -> dict[str, Done]:
    """What commands leave that run at the same time, each on a server of its own."""
    with ExitStack() as stack:
        started = {
            name: stack.enter_context(
                running(
                    folder / f"{name}.log",
                    *loadtest_command(*command, "--results", folder / name),
                )
            )
            for name, command in commands.items()
        }
        printed = {name: _ended(process, codes) for name, process in started.items()}
    return {name: Done(folder / name / "latest", output) for name, output in printed.items()}


def recovered(seconds: Sequence[Interval], after: float = 0.0) -> bool:
    """Whether something broke and nothing failed in the last two seconds, so long (s) after.

    What broke is a request, or a connection that a request was just giving back.
    """
    broken = any(one.counters["failures"] or one.counters["closed.error"] for one in seconds)
    well = [one.counters["requests"] > 0 == one.counters["failures"] for one in seconds[-2:]]
    return broken and all(well) and sum(one.length for one in seconds) / 1e9 > after


def _ended(process: Running, codes: Collection[int]) -> str:
    """What a command printed, after it and its server have ended."""
    assert process.wait() in codes, process.output
    until(process.gone, "the server to end", context=lambda: str(process.alive()))
    return process.output
