"""One run: a fresh Locust process with one pool, watched through its result file."""

from __future__ import annotations

import math
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, BinaryIO

from sqlalchemy import URL

from loadtest.database import supervisor
from loadtest.database.application import environment_with
from loadtest.database.private_server import free_port
from loadtest.experiment import deadlines
from loadtest.experiment.child_logs import end_of_log, log_text
from loadtest.experiment.driving.driven_run import Watched, application_beside
from loadtest.experiment.driving.servers.driven_server import NO_SERVER, DrivenServer
from loadtest.experiment.faults.schedule import FaultSchedule, Happened
from loadtest.experiment.run_plan import RunPlan, RunSettings
from loadtest.model.allowances import NO_ALLOWANCES, Allowances
from loadtest.model.end_reason import End, EndReason
from loadtest.model.errors import EndedForOthers, LoadtestError, Overdue, UsageError
from loadtest.model.interval import SERVER, Interval
from loadtest.model.load import USER_MODELS
from loadtest.runfile.decoding import from_line
from loadtest.runfile.folders import as_typed
from loadtest.runfile.footer import add_to_footer, end_for, say_why_it_ended
from loadtest.runfile.line import Damaged
from loadtest.runfile.reader import Run, read_run
from loadtest.runfile.schema import Header

# The exit code after a signal is this number plus the signal's number.
_SIGNALLED = 128

Watch = Callable[[Interval], None]


class Enough(Exception):
    """Raised by a watch to end a run cleanly; its message becomes the end's message."""


@dataclass(frozen=True)
class Database:
    """The database of an experiment: its URL, whether the tool started it, and its faults.

    url: None if the application has its own. allowed: what the user allows there. warnings,
    intentions: lines to show before the runs. ready: the sentence that a private server has
    started. running: whether a private server still runs. last_error: in a private server's log.
    left: the sentence about tables that the runs left. driven: what is known about it for an
    application behind HTTP.
    """

    url: URL | None
    private: bool
    faults: FaultSchedule | None = None
    allowed: Allowances = NO_ALLOWANCES
    warnings: tuple[str, ...] = ()
    intentions: tuple[str, ...] = ()
    ready: str = ""
    running: Callable[[], bool] = lambda: True
    last_error: Callable[[], str] = str
    left: Callable[[], str] = str
    driven: DrivenServer = NO_SERVER


Databases = Mapping[str, Database]
"""The databases of an experiment, by the name of the application or of the server's program."""


def run_once(plan: RunPlan, database: Database, folder: Path, watch: Watch) -> Run:
    """Do a run and read its result file; `watch` gets every interval during the run.

    Raises LoadtestError if nothing was measured (with the end of Locust's log) or Locust was
    killed; UsageError with Locust's message for wrong usage, or if the load did not begin in time;
    EndedForOthers if the run ended for the sake of other clients; Overdue at its deadline.
    On an interrupt, or if the watch raises Enough, the run is stopped cleanly first.
    A driven application runs beside Locust; an error of it ends the run.
    """
    path = plan.file_in(folder)
    with application_beside(plan, path, database.driven) as beside:
        code = _run_locust(plan, database, path, watch, beside)
    return _result(path, code)


def _run_locust(
    plan: RunPlan, database: Database, path: Path, watch: Watch, beside: Watched
) -> int:
    """Run Locust to its end; returns its exit code."""
    # The environment, because every user of the machine can read the arguments of processes.
    address = database.url.render_as_string(False) if database.url else ""
    port = free_port() if plan.experiment.load.processes > 1 else None
    settings = RunSettings(plan, path, database.private, database.allowed, port)
    environment = environment_with(address) | settings.environment()
    command = deadlines.watched_command(USER_MODELS[plan.model])
    end, happened = None, list[Happened]()
    with path.with_suffix(".log").open("w+b") as output:
        kept = supervisor.start_supervised(command, environment=environment, output=output)
        try:
            _follow(kept, output, plan, path, watch, beside, database.faults, happened)
        except Enough as enough:
            end = End(EndReason.ENOUGH, str(enough))
        except Overdue as late:
            supervisor.stop_supervised(kept, deadlines.STOP_SECONDS)
            end_for(path, late.end)
            raise
        except LoadtestError as error:
            end = error.end
            raise
        finally:
            code = supervisor.stop_supervised(kept)
            if happened and path.exists():
                add_to_footer(path, faults=happened)
            if end and path.exists():
                say_why_it_ended(path, end)
    return code


def _not_begun(plan: RunPlan, place: str) -> UsageError:
    scenario, limit = as_typed(plan.experiment.scenario), deadlines.START_SECONDS
    return UsageError(f"{scenario}: the load did not begin within {limit:g} s: {place}")


def _overdue(plan: RunPlan, place: str) -> Overdue:
    return Overdue(f"{plan.limit:.0f} s after its load began: {place}")


def _follow(
    kept: subprocess.Popen[bytes],
    output: IO[bytes],
    plan: RunPlan,
    path: Path,
    watch: Watch,
    beside: Watched,
    faults: FaultSchedule | None,
    happened: list[Happened],
) -> None:
    """Watch a run until it ends and provoke its faults; their outcomes are added to `happened`.

    beside: checked repeatedly; ends the run with the error that it raises.
    Raises Overdue at the deadline, UsageError if the load has not begun in time.
    """
    for _ in deadlines.watched_process(
        kept, output, deadlines.START_SECONDS, partial(_not_begun, plan)
    ):
        beside.check()
        if path.exists() and path.read_bytes().count(b"\n"):
            break
    if not path.exists():
        return
    with path.open("rb") as lines, ExitStack() as broken:
        measuring = _measuring(lines.readline())
        if faults:
            happened += broken.enter_context(faults.provoked(measuring, kept.pid))
        for _ in deadlines.watched_process(kept, output, plan.limit, partial(_overdue, plan)):
            beside.check()
            for interval in _new_intervals(lines, server=True):
                beside.take(interval)
                if interval.process != SERVER:
                    watch(interval)


def _measuring(line: bytes) -> float:
    """When a run's measured time begins (wall clock); infinity if the run has already ended."""
    try:
        header = from_line(line.removesuffix(b"\n"))
    except Damaged:
        return math.inf
    return header.started + (header.load.warmup or 0.0) if isinstance(header, Header) else math.inf


def _new_intervals(lines: BinaryIO, *, server: bool = False) -> Iterator[Interval]:
    """The intervals written since the last call; server: also those of the server."""
    while True:
        position = lines.tell()
        line = lines.readline()
        if not line.endswith(b"\n"):
            lines.seek(position)  # an incomplete line: read it next time
            return
        found = from_line(line.removesuffix(b"\n"))
        if isinstance(found, Interval) and (server or found.process != SERVER):
            yield found


def _result(path: Path, code: int) -> Run:
    log = path.with_suffix(".log")
    if path.exists():
        result = read_run(path)
        if result.end and (for_others := EndedForOthers.of(result.end)):
            raise for_others
        if any(result.measured()):
            return _whole(result, code)
    if code == UsageError.exit_code and not path.exists():
        # The plugin prints it after an empty line.
        raise UsageError(log_text(log).rpartition("\n\n")[2])
    raise LoadtestError(f"Locust measured nothing; the end of its log ({log}):\n{end_of_log(log)}")


def _whole(result: Run, code: int) -> Run:
    if result.finished:
        return result
    how = f"by signal {code - _SIGNALLED}" if code > _SIGNALLED else f"with exit code {code}"
    raise LoadtestError(
        f"Locust ended early, {how}: {result.path} has the measurements until then, and "
        f"{result.path.with_suffix('.log')} has Locust's log"
    )
