"""A comparison that runs in a child process of the one that serves the live page."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from loadtest.database import supervisor
from loadtest.database.application import environment_with
from loadtest.model.errors import LoadtestError, UsageError

PROGRAM: Sequence[str] = (sys.executable, "-m", "loadtest")
"""The command `loadtest`."""
# A cancelled comparison ends its run and writes its report.
_PATIENCE_SECONDS = 60.0
# These would make the child write for a terminal.
_FOR_TERMINALS = ("FORCE_COLOR", "TTY_COMPATIBLE")
# The beginning of the line about a run that has ended: its number, and the planned number.
_RUN_ENDED = re.compile(r"^(\d+)/(\d+) ", re.MULTILINE)
_REPORT = "Report: "  # in the last line of the result


class StartedComparison:
    """`loadtest compare` in a child process, which does not outlive this process.

    number: counts the comparisons of this process. asked: the form that asked for it. words: the
    arguments of `loadtest`. database_url: goes into the environment, because arguments are public.
    Raises LoadtestError if it cannot be started.
    """

    def __init__(
        self, number: int, asked: Mapping[str, str], words: Sequence[str], database_url: str
    ) -> None:
        self.number, self.asked, self.cancelled = number, dict(asked), False
        given = environment_with(database_url)
        try:
            # Not in the results, which do not exist yet. Both files are removed when closed.
            self._said = tempfile.TemporaryFile()  # noqa: SIM115 - until close()
            self._result = tempfile.TemporaryFile()  # noqa: SIM115
            self._kept = supervisor.start_supervised(
                [*PROGRAM, *words],
                environment={n: v for n, v in given.items() if n not in _FOR_TERMINALS},
                output=self._result,
                errors=self._said,
                grace=_PATIENCE_SECONDS,
            )
        except OSError as error:
            raise LoadtestError(f"cannot start the comparison: {error.strerror}") from None

    @property
    def running(self) -> bool:
        """Whether the child process still runs."""
        return self._kept.poll() is None

    @property
    def report(self) -> Path | None:
        """The path of its report; None before it exists."""
        last = _text(self._result).rstrip("\n").rpartition("\n")[2]
        if not last.startswith(_REPORT):
            return None
        path = Path(last.removeprefix(_REPORT)).absolute()
        return path if path.suffix == ".html" and path.is_file() else None

    def cancel(self) -> None:
        """End it as Ctrl-C does, and return at once; the report covers the runs until then."""
        self.cancelled = True
        if self._kept.stdin:
            self._kept.stdin.close()

    def end(self) -> None:
        """End it as `cancel` does, and wait until it has ended."""
        supervisor.stop_supervised(self._kept)

    def close(self) -> None:
        """Forget its output, once it has ended."""
        self._said.close()
        self._result.close()

    def facts(self) -> dict[str, Any]:
        """Its state, the lines that it has printed, and its verdict, for the page."""
        code = self._kept.poll()
        report, said = self.report, _text(self._said)
        done, planned = [("0", "0"), *_RUN_ENDED.findall(said)][-1]
        return {
            "number": self.number,
            "asked": self.asked,
            "running": code is None,
            "cancelled": self.cancelled,
            "done": int(done),
            "planned": int(planned),
            "state": f"Comparison {self.number} {self._state(code, done, planned, report)}",
            "lines": said.splitlines(),
            # The result begins with the verdict; an empty line ends it.
            "verdict": _text(self._result).partition("\n\n")[0].strip() if report else "",
            "report": report is not None,
        }

    def _state(self, code: int | None, done: str, planned: str, report: Path | None) -> str:
        if code is None and self.cancelled:
            return "is being cancelled: its current run ends, and the report is made."
        if code is None:
            return f"is running: {done} of {planned} runs done." if int(done) else "begins."
        if self.cancelled:
            end = "its report covers the runs until then" if report else "it has no report"
            return f"was cancelled; {end}."
        if code == UsageError.exit_code and not report:
            return "was refused; the reason is at the end of its output."
        if code in (LoadtestError.exit_code, UsageError.exit_code) or not report:
            return f"failed with exit code {code}; the reason is at the end of its output."
        return "has ended."


def _text(file: IO[bytes]) -> str:
    """All that was written into a file by a process that still writes at its position."""
    number = file.fileno()
    return os.pread(number, os.fstat(number).st_size, 0).decode(errors="replace")
