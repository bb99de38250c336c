"""The cost of measuring in instructions per session: the measured user and a plain Locust user.

Valgrind's callgrind counts the instructions of two processes that differ only in their number of
sessions; the difference belongs to the sessions. No clock is read and no database is used, so the
count is repeatable and does not depend on other work of the machine. The count leaves out how fast
the CPU executes the instructions, the garbage collector, the driver, and the tool's work once per
second.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from loadtest.database.supervisor import die_with_parent

SESSIONS = (1000, 2000)
# Fixed addresses and hashes, because both decide how long a dict look-up takes.
ENVIRONMENT = {"PYTHONHASHSEED": "0", "PYTHONPATH": os.getcwd(), "PATH": os.environ["PATH"]}
CALLGRIND = ["setarch", "--addr-no-randomize", "valgrind", "--tool=callgrind", "-q"]
_SUMMARY = re.compile(r"^summary: (\d+)$", re.MULTILINE)


def main() -> dict[str, object]:
    """Run it: instructions per session of each user, and of the measuring in it.

    ratio_to_plain_locust: sessions for the same instructions.
    """
    counts = counts_of("benchmarks._counted_users", SESSIONS)
    plain, measured = (per_session(counts[user]) for user in ("plain", "measured"))
    return {
        "plain": plain,
        "measured": measured,
        "measuring": measured - plain,
        "ratio_to_plain_locust": plain / measured,
        "sessions": SESSIONS,
    }


def counts_of(module: str, numbers: Sequence[int]) -> dict[str, dict[int, int]]:
    """The instructions of each way of a program, by the numbers of sessions that it is given.

    Raises SystemExit without Valgrind.
    """
    if not shutil.which("valgrind"):
        raise SystemExit("valgrind is missing; make setup installs it")
    program = [sys.executable, "-m", module, *map(str, numbers)]
    with tempfile.TemporaryDirectory() as folder:
        _run(program)  # the first run compiles; later runs begin alike
        told = _run([*CALLGRIND, f"--callgrind-out-file={folder}/%p", *program])
        return counted(told, Path(folder))


def _run(command: list[str]) -> str:
    """The output of a command."""
    done = subprocess.run(
        command,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        preexec_fn=die_with_parent,
    )
    return done.stdout


def counted(told: str, folder: Path) -> dict[str, dict[int, int]]:
    """The instructions of each user by the number of sessions.

    told: user, number and process, a line each. folder: callgrind's files by the process.
    """
    counts: dict[str, dict[int, int]] = {}
    for line in told.splitlines():
        user, sessions, process = line.split()
        (summary,) = _SUMMARY.findall((folder / process).read_text())
        counts.setdefault(user, {})[int(sessions)] = int(summary)
    return counts


def per_session(counts: dict[int, int]) -> float:
    """The instructions of one session, from two numbers of sessions."""
    (few, less), (many, more) = sorted(counts.items())
    return (more - less) / (many - few)


if __name__ == "__main__":
    print(json.dumps(main()))
