"""The CPU time to start the command, compared with importing Typer and Rich."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from resource import RUSAGE_CHILDREN, getrusage

ROUNDS = 10
# Rich as Typer imports it, to show help and errors.
IMPORTING = [sys.executable, "-c", "import typer, typer.rich_utils"]
WAYS = {
    "version": ["--version"],
    "help": ["--help"],
    "help_of_a_command": ["run", "--help"],
    "no_such_command": ["nonsense"],
    "no_such_option": ["run", "scenario.py", "--colour", "green"],
    "missing_argument": ["run"],
    "one_argument_too_many": ["run", "scenario.py", "another.py"],
    "no_such_file": ["run", "scenario.py"],
}


def main() -> dict[str, object]:
    """Run it: the CPU seconds of the imports, and each way's CPU time as a ratio to them."""
    with tempfile.TemporaryDirectory() as compiled:
        imports, ratios = _measured(compiled_environment(compiled))
    medians = {name: round(statistics.median(each), 3) for name, each in ratios.items()}
    return {"typer_and_rich_cpu_seconds": statistics.median(imports), "ratios": medians}


def compiled_environment(compiled: str) -> dict[str, str]:
    """The environment of the commands: an installed command is compiled, a checkout may not be."""
    kept = {name: v for name, v in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PYTHONPYCACHEPREFIX": compiled}


def _measured(environment: dict[str, str]) -> tuple[list[float], dict[str, list[float]]]:
    """The CPU seconds of the imports, and each way's ratios to them."""
    commands = {name: [sys.executable, "-m", "loadtest", *way] for name, way in WAYS.items()}
    for command in (IMPORTING, *commands.values()):
        cpu_seconds(command, environment)  # the first run compiles
    imports: list[float] = []
    ratios: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(ROUNDS):
        imports.append(cpu_seconds(IMPORTING, environment))
        for name, command in commands.items():
            ratios[name].append(cpu_seconds(command, environment) / imports[-1])
    return imports, ratios


def cpu_seconds(command: list[str], environment: dict[str, str] | None = None) -> float:
    """The CPU time of a command, from its start to its end."""
    before = getrusage(RUSAGE_CHILDREN)
    subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    after = getrusage(RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    print(json.dumps(main()))
