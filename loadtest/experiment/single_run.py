"""One run: a fresh Locust process with one pool configuration, watched through its result file."""

from __future__ import annotations

import math
import shlex
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
from loadtest.experiment import deadlines
from loadtest.experiment.faults.schedule import Faults, Happened
from loadtest.model.allowances import UNASKED, Allowances
from loadtest.model.end_reason import End, EndReason
from loadtest.model.errors import EndedForOthers, LoadtestError, Overdue, UsageError
from loadtest.model.experiment import Experiment
from loadtest.model.interval import SERVER, Interval
from loadtest.model.load import GREENLETS, MODELS, program
from loadtest.model.pool import PoolConfig
from loadtest.runfile.decoding import from_line
from loadtest.runfile.folders import as_typed
from loadtest.runfile.footer import add_to_footer, end_for, say_why_it_ended
from loadtest.runfile.line import Damaged
from loadtest.runfile.reader import Run, read_run
from loadtest.runfile.schema import Header

STOP_TIMEOUT_SECONDS = 10
# What a run needs besides its load: starting Locust, preparing tables, draining.
SECONDS_BESIDE_LOAD = 2.5
# What the process that looks at a scenario has in its environment.
EXPERIMENT = "LOADTEST_EXPERIMENT"
_LOG_LINES_SHOWN = 12
# A shell's exit code of a program that a signal ended is that much more than the signal.
_SIGNALLED = 128

Watch = Callable[[Interval], None]


class Enough(Exception):
    """What a watch raises to end a run in good order; its words become the end's message."""


@dataclass(frozen=True)
class Database:
    """Where an experiment runs: its address, whether the tool started it, and what breaks there.

    url: None where an application has its own. allowed: what a person allows there.
    warnings: what to know before it is used. intentions: what is going to be done there. ready:
    that a private server is there, in a sentence.
    running: whether it is still there, as far as the tool is to see to that. last_error: in the log
    of a private server. left: what the runs have left there, in a sentence.
    """

    url: URL | None
    private: bool
    faults: Faults | None = None
    allowed: Allowances = UNASKED
    warnings: tuple[str, ...] = ()
    intentions: tuple[str, ...] = ()
    ready: str = ""
    running: Callable[[], bool] = lambda: True
    last_error: Callable[[], str] = str
    left: Callable[[], str] = str


Databases = Mapping[str, Database]
"""Where the runs of an experiment go, by the private server's program as it names it."""


@dataclass(frozen=True)
class Plan:
    """What one run does: which experiment, which of its pools, which round, what users are.

    server: the private server's program, as the experiment names it.
    """

    experiment: Experiment
    pool: PoolConfig
    round: int
    model: str = GREENLETS
    server: str = ""

    @property
    def seconds(self) -> float:
        """How long its load goes on, warm-up included."""
        return self.experiment.load.warmup + self.experiment.load.duration

    @property
    def limit(self) -> float:
        """The longest that it may take from the beginning of its load to its end (s)."""
        load = self.experiment.load
        planned = self.seconds + load.users / load.users_per_second + SECONDS_BESIDE_LOAD
        return planned + STOP_TIMEOUT_SECONDS + deadlines.MARGIN_SECONDS

    @property
    def seed(self) -> int:
        """Every round has random numbers of its own, the same for all pools in it."""
        return self.experiment.seed + self.round - 1

    def file_in(self, folder: Path) -> Path:
        """Its result file in a folder of results."""
        return folder / "runs" / f"{self.pool.name}-{self.round}.jsonl"

    def arguments(self) -> list[str]:
        """Locust's arguments for this run, all but where the results go and what is only noted."""
        experiment, load = self.experiment, self.experiment.load
        arguments = ["-f", as_typed(experiment.scenario), "--headless", "--only-summary"]
        arguments += ["-u", str(load.users), "-r", f"{load.users_per_second:g}"]
        said: dict[str, str | None] = {
            "--arrival-rate": f"{load.arrival_rate:g}" if load.arrival_rate else None,
            "--arrivals": load.arrivals,
            "--drop-after": f"{load.drop_after:g}" if load.drop_after else None,
            "--stages": ",".join(map(str, load.stage)),
        }
        arguments += [part for flag, text in said.items() if text for part in (flag, text)]
        arguments += ["--prefill"] if load.prefill else []
        arguments += ["-t", f"{self.seconds:.0f}s", "--warmup", f"{load.warmup:g}s"]
        arguments += ["--stop-timeout", str(STOP_TIMEOUT_SECONDS), "--exit-code-on-error", "0"]
        arguments += ["--seed", str(self.seed), "--pool-name", self.pool.name]
        arguments += ["--session", experiment.session] if experiment.session else []
        arguments += ["--engine", experiment.engine] if experiment.engine else []
        arguments += ["--server", self.server] if self.server else []
        for name, value in {**_pool_options(self.pool), **experiment.options}.items():
            flag = "--" + name.replace("_", "-")
            if value is not False:
                arguments += [flag] if value is True else [flag, str(value)]
        return [*arguments, *experiment.user_classes]

    def notes(self) -> list[str]:
        """Arguments that note in the result what breaks: this tool provokes it, not Locust."""
        faults = " ".join(map(str, self.experiment.fault))
        return ["--faults", faults] if faults else []

    def command(self) -> str:
        """The command line that repeats this run by hand."""
        return shlex.join([*program(self.model), *self.arguments()])


def _pool_options(pool: PoolConfig) -> dict[str, object]:
    """The settings that differ from SQLAlchemy's defaults, and the two that everybody asks for."""
    default = PoolConfig()
    return {
        name: value
        for name, value in pool.arguments().items()
        if name in ("pool_size", "max_overflow") or value != getattr(default, name)
    }


def run(plan: Plan, database: Database, folder: Path, watch: Watch) -> Run:
    """Run it and read its result file; `watch` sees every interval as it comes.

    Raises LoadtestError if nothing was measured, with the end of Locust's log, or if it was killed,
    UsageError with what it said if that was wrong usage, or if its load did not begin in time,
    EndedForOthers if the run ended itself for that, Overdue if it was ended at its deadline. On an
    interrupt the run is stopped in good order first, and so it is when the watch raises Enough.
    """
    path = plan.file_in(folder)
    log = path.with_suffix(".log")
    # The password goes through the environment: arguments are in everybody's process list.
    address = database.url.render_as_string(False) if database.url else ""
    environment, command = environment_with(address), _command(plan, database, path)
    end, happened = None, list[Happened]()
    with log.open("w+b") as output:
        kept = supervisor.keep(command, environment=environment, output=output)
        try:
            _follow(kept, output, plan, path, watch, database.faults, happened)
        except Enough as enough:
            end = End(EndReason.ENOUGH, str(enough))
        except Overdue as late:
            supervisor.stop(kept, deadlines.STOP_SECONDS)
            end_for(path, late.end)
            raise
        finally:
            code = supervisor.stop(kept)
            if happened and path.exists():
                add_to_footer(path, faults=happened)
    if end:
        say_why_it_ended(path, end)
    return _result(path, log, code)


def _not_begun(plan: Plan, place: str) -> UsageError:
    scenario, limit = as_typed(plan.experiment.scenario), deadlines.START_SECONDS
    return UsageError(f"{scenario}: the load did not begin within {limit:g} s: {place}")


def _overdue(plan: Plan, place: str) -> Overdue:
    return Overdue(f"{plan.limit:.0f} s after its load began: {place}")


def _command(plan: Plan, database: Database, path: Path) -> list[str]:
    extra = ["--results", str(path), "--run-name", plan.experiment.name, "--round", str(plan.round)]
    extra += ["--private-server"] if database.private else []
    extra += [*plan.notes(), *database.allowed.arguments()]
    return deadlines.command(MODELS[plan.model], *plan.arguments(), *extra)


def _follow(
    kept: subprocess.Popen[bytes],
    output: IO[bytes],
    plan: Plan,
    path: Path,
    watch: Watch,
    faults: Faults | None,
    happened: list[Happened],
) -> None:
    """Watch it until it ends, and provoke what is to break; what became of that is added to.

    Raises Overdue at its deadline, UsageError if its load has not begun in time.
    """
    for _ in deadlines.running(kept, output, deadlines.START_SECONDS, partial(_not_begun, plan)):
        if path.exists() and path.read_bytes().count(b"\n"):
            break
    if not path.exists():
        return
    with path.open("rb") as lines, ExitStack() as broken:
        measuring = _measuring(lines.readline())
        if faults:
            happened += broken.enter_context(faults.provoked(measuring, kept.pid))
        for _ in deadlines.running(kept, output, plan.limit, partial(_overdue, plan)):
            for interval in _new_intervals(lines):
                watch(interval)


def _measuring(line: bytes) -> float:
    """When (wall clock) a run's measured time begins; never if it has ended already."""
    try:
        header = from_line(line.removesuffix(b"\n"))
    except Damaged:
        return math.inf
    return header.started + (header.load.warmup or 0.0) if isinstance(header, Header) else math.inf


def _new_intervals(lines: BinaryIO) -> Iterator[Interval]:
    while True:
        position = lines.tell()
        line = lines.readline()
        if not line.endswith(b"\n"):
            lines.seek(position)  # half a line: it will be there next time
            return
        found = from_line(line.removesuffix(b"\n"))
        if isinstance(found, Interval) and found.process != SERVER:
            yield found


def _result(path: Path, log: Path, code: int) -> Run:
    if path.exists():
        result = read_run(path)
        if result.end and (for_others := EndedForOthers.of(result.end)):
            raise for_others
        if any(result.measured()):
            return _whole(result, code)
    said = log.read_text(encoding="utf-8", errors="replace").strip()
    if code == UsageError.exit_code and not path.exists():
        raise UsageError(said.rpartition("\n\n")[2])  # the plugin says it apart from the log
    lines = said.splitlines()
    end = "\n".join(f"  {line}" for line in lines[-_LOG_LINES_SHOWN:])
    raise LoadtestError(f"Locust measured nothing; the end of its log ({log}):\n{end}")


def _whole(result: Run, code: int) -> Run:
    if result.finished:
        return result
    how = f"by signal {code - _SIGNALLED}" if code > _SIGNALLED else f"with exit code {code}"
    raise LoadtestError(
        f"Locust was ended {how} before its time: {result.path} has what it measured until then, "
        f"{result.path.with_suffix('.log')} what it said"
    )
