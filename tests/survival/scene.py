"""Commands that something happens to, and what has to be true of them however it ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import URL

from loadtest.database.server_status import SERVER_PROCESSES
from loadtest.model.errors import UsageError
from loadtest.runfile.reader import Run, read_run
from tests.processes import Running, loadtest_command, locust_command, until

POINT_SELECT = "scenarios/point_select.py"
SERVER_FOLDERS = ("loadtest-mariadb-", "loadtest-mysql-")
LOAD = ("-u", 4, "-t", "4s", "--warmup", "0s", "--no-try", "--option", "point_rows=100")
# A user who is in a task for longer than anybody would wait for the end of a run.
LONG_TASK = """
from locust import task
import time
from sqlalchemy import text
from loadtest.load import PoolUser

class Slow(PoolUser):
    @task
    def quick_then_slow(self):
        with self.session("quick") as session:
            session.execute(text("SELECT 1"))
        with self.session("slow"):
            time.sleep(60)
"""


def run_command(results: Path, *more: Any) -> list[str]:
    """One run of a few seconds."""
    return loadtest_command("run", POINT_SELECT, *_load(more), "--results", results, *more)


def compare_command(results: Path, *more: Any) -> list[str]:
    """Four runs of a few seconds."""
    pools = ("--pool", "2+0", "--pool", "3+0", "--rounds", 2, "-v", "--results", results)
    return loadtest_command("compare", POINT_SELECT, *pools, *_load(more), *more)


def _load(more: tuple[Any, ...]) -> tuple[Any, ...]:
    """The usual load, or with another duration."""
    if "-t" not in more:
        return LOAD
    at = LOAD.index("-t")
    return (*LOAD[:at], *LOAD[at + 2 :])


def by_hand(
    results: Path, *more: Any, command: Callable[..., list[str]] = locust_command
) -> list[str]:
    """A run without an end."""
    users = ("-u", 4, "-r", 4, "--point-rows", 100)
    arguments = ("-f", POINT_SELECT, "--headless", "--only-summary", *users)
    return command(*arguments, "--results", results, *more)


def at(url: URL) -> dict[str, str]:
    """The environment of a command that is to use this database."""
    return {"LOADTEST_DATABASE_URL": url.render_as_string(hide_password=False)}


def run_files(folder: Path) -> list[Path]:
    """All run files below a folder, oldest first."""
    return sorted(folder.rglob("*.jsonl"), key=lambda path: path.stat().st_mtime)


def seconds_measured(path: Path) -> int:
    """How many seconds of users are in a file so far."""
    try:
        return len(read_run(path).intervals)
    except (UsageError, OSError):
        return 0


def under_way(process: Running, folder: Path, runs: int = 1) -> Path:
    """The file of that many-th run, once it has measured two seconds."""

    def measuring() -> Path | None:
        files = run_files(folder)
        return files[-1] if len(files) == runs and seconds_measured(files[-1]) >= 2 else None

    return process.until(measuring, f"two seconds of run {runs}")


def named(process: Running, *words: str) -> list[psutil.Process]:
    """Those that a command has started whose command line has all of some words."""
    found = []
    for one in process.alive():
        try:
            line = " ".join(one.cmdline())
        except psutil.Error:
            continue
        if all(word in line for word in words):
            found.append(one)
    return found


def servers(process: Running, *words: str) -> list[psutil.Process]:
    """The server programs among them whose command line has all of some words."""
    return [one for one in named(process, *words) if _name(one) in SERVER_PROCESSES]


def _name(process: psutil.Process) -> str:
    try:
        return process.name()
    except psutil.NoSuchProcess:
        return ""


def being_made(process: Running) -> bool:
    """Whether the data folder of a private server is being made."""
    return bool(servers(process, "--bootstrap") or servers(process, "--initialize-insecure"))


def serving(process: Running) -> bool:
    """Whether a private server has been started on its data folder."""
    return bool(servers(process, "--socket="))


def keeper_of(process: Running, words: str) -> psutil.Process:
    """The keeper of what has these words in its command line."""
    (keeper,) = named(process, "supervisor.py", words)
    return keeper


def server_folders(process: Running) -> list[Path]:
    """The folders of the private servers that a command has now."""
    words = [word for one in named(process, "supervisor.py") for word in one.cmdline()]
    paths = [Path(word) for word in words if " " not in word]
    return [path for path in paths if path.name.startswith(SERVER_FOLDERS)]


def assert_nothing_left(process: Running, servers: Sequence[Path] = ()) -> None:
    """No process of a command is left, no folder of its server, and it died without a traceback."""
    until(process.gone, "everything to end", context=lambda: f"{process.alive()}{process.output}")
    assert not [folder for folder in servers if folder.exists()]
    assert "Traceback" not in process.output, process.output


def assert_sound_so_far(path: Path, seconds: int) -> Run:
    """A file has what was in it before, and nothing in it is damaged."""
    run = read_run(path)
    assert len(run.intervals) >= seconds
    assert [p for p in run.problems if not p.startswith("interrupted")] == []
    return run
