"""`loadtest record -- COMMAND`: runs an application and records every pool in its processes.

It imports the standard library only, so that it starts without the packages of load tests.
"""

from __future__ import annotations

import argparse
import gzip
import os
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from loadtest.model.errors import LoadtestError
from loadtest.recording.part_files import end_left_parts
from loadtest.recording.python_flags import ignoring_flags
from loadtest.runfile.folders import as_typed, new_folder, point_latest_at

DESCRIPTION = "Run an application and record every connection pool in its processes."
RESULTS_HELP = "The parent of the folder of results (default: reports)."
NAME_HELP = "The application's name in results (default: the command's)."
MEGABYTES_HELP = "The most that a process writes in an hour, in MB (default: 10)."
KEEP_HELP = "The most that a recording keeps, in MB; its oldest parts are deleted (default: 1000)."
PORT_HELP = "Serve metrics for Prometheus on this port (default: none)."
COMMAND_HELP = "The application's command and its arguments, after --."
EXAMPLE = "loadtest record -- gunicorn --workers 2 shop.web:app"

_NOT_FOUND, _NOT_EXECUTABLE = 127, 126
_INJECTED = Path(__file__).with_name("injected")
_FORWARDED = {
    *(signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1),
    *(signal.SIGUSR2, signal.SIGTTIN, signal.SIGTTOU, signal.SIGWINCH, signal.SIGCONT),
}


def main(arguments: Sequence[str]) -> int:
    """Run the command of these arguments; its exit code.

    127 if the command is not found, 126 if it cannot be run, 2 for wrong usage.
    """
    parser = argparse.ArgumentParser(
        "loadtest record",
        usage="loadtest record [OPTIONS] -- COMMAND [ARGUMENTS]",
        description=DESCRIPTION,
        epilog=f"Example: {EXAMPLE}",
    )
    parser.add_argument("--results", type=Path, default=Path("reports"), help=RESULTS_HELP)
    parser.add_argument("--name", default="", help=NAME_HELP)
    parser.add_argument("--megabytes-per-hour", type=float, metavar="N", help=MEGABYTES_HELP)
    parser.add_argument("--keep-megabytes", type=float, metavar="N", help=KEEP_HELP)
    parser.add_argument("--metrics-port", type=int, metavar="N", help=PORT_HELP)
    before, dashes, command = _split(arguments)
    given = vars(parser.parse_args(before))
    if not command:
        parser.error("the command is missing" if dashes else "write -- and the command")
    return record_command(command, given.pop("results"), given.pop("name"), **given)


def _split(arguments: Sequence[str]) -> tuple[Sequence[str], bool, Sequence[str]]:
    """The arguments before and after the first `--`, and whether there is one."""
    if "--" not in arguments:
        return arguments, False, ()
    place = arguments.index("--")
    return arguments[:place], True, arguments[place + 1 :]


def record_command(
    command: Sequence[str], results: Path, name: str = "", **given: float | None
) -> int:
    """Run a command with its pools recorded into a new folder below `results`; its exit code.

    given: further settings of the recording. Without a folder the command runs unrecorded.
    """
    name = name or Path(command[0]).stem
    if flags := ignoring_flags(command):
        _say(f"{command[0]} is started with {flags}, so Python does not load the recorder.")
    try:
        folder = new_folder(results, name, latest=False)
    except LoadtestError as error:
        _say(f"{error}; nothing is recorded.")
        return _run(command, os.environ)
    with tempfile.TemporaryDirectory(prefix="loadtest-record-") as notes:
        chosen = {key.upper(): value for key, value in given.items() if value is not None}
        settings = {"FOLDER": (folder / "runs").absolute(), "NAME": name, "NOTES": notes, **chosen}
        code = _run(command, recorded_environment(settings, os.environ))
        _tell(folder, Path(notes), started=code not in (_NOT_FOUND, _NOT_EXECUTABLE))
    return code


def recorded_environment(
    settings: Mapping[str, object], variables: Mapping[str, str]
) -> dict[str, str]:
    """The environment of a recorded command: these variables, and the settings of its recording."""
    path = os.pathsep.join(filter(None, [str(_INJECTED), variables.get("PYTHONPATH")]))
    own = {f"LOADTEST_RECORDING_{name}": str(value) for name, value in settings.items()}
    return {**variables, **own, "PYTHONPATH": path}


def _run(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a command and pass signals on to it; its exit code as a shell gives it."""
    waited = {*_FORWARDED, signal.SIGCHLD}
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored, it would never arrive
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, waited)
    # Python ignores them, and a child would inherit that.
    ignored = (signal.SIGPIPE, signal.SIGXFSZ)
    try:
        child = os.posix_spawnp(
            command[0], tuple(command), environment, setsigmask=mask, setsigdef=ignored
        )
        return _ended(child, waited)
    except OSError as error:
        _say(f"cannot run {command[0]}: {error.strerror}")
        return _NOT_FOUND if isinstance(error, FileNotFoundError) else _NOT_EXECUTABLE
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _ended(child: int, waited: set[signal.Signals]) -> int:
    """Wait for a child and pass on what other processes send, until then; its exit code."""
    while True:
        arrived = signal.sigwaitinfo(waited)
        if arrived.si_signo == signal.SIGCHLD:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                code = os.waitstatus_to_exitcode(status)
                return code if code >= 0 else 128 - code
        elif arrived.si_code <= 0:  # a terminal sends its signals to the child itself
            os.kill(child, arrived.si_signo)


def _tell(folder: Path, notes: Path, *, started: bool) -> None:
    """Say where the recording is, or why there is none."""
    end_left_parts(folder / "runs", quiet=0, most=sys.maxsize)
    files = sorted((folder / "runs").glob("*.jsonl*"))
    if any(map(_has_checkouts, files)):
        point_latest_at(folder)
        _say(f"Recording: {as_typed(folder.absolute())}")
    elif started:
        _say(f"Nothing is recorded: {why_nothing(notes)}.")
    if not files:
        (folder / "runs").rmdir()
        folder.rmdir()


def _has_checkouts(path: Path) -> bool:
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rb") as lines:
            return any(b'"checkouts":' in line or b'"timeouts":' in line for line in lines)
    except FileNotFoundError:  # a process that goes on has just compressed it
        return True


def why_nothing(notes: Path) -> str:
    """Why nothing is recorded, from what the Python processes of the command have left."""
    found = {line for path in notes.iterdir() for line in path.read_text().splitlines()}
    if failed := sorted(line for line in found if line.startswith("failed ")):
        return failed[0].removeprefix("failed ")
    if "engine" in found:
        return "the engines took no connection, or the application's log names an error"
    if "sqlalchemy" in found:
        return "SQLAlchemy was imported, but no engine was made"
    if "python" in found:
        return "no process imported SQLAlchemy"
    return "the command is no Python program, or starts Python with -I, -E or -S"


def _say(text: str) -> None:
    print(f"loadtest record: {text}", file=sys.stderr, flush=True)
