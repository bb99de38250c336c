"""What measuring costs: CPU time per session against a plain Locust user and a bare loop.

All ways run side by side, but in turns of a second, so that a machine whose speed drifts is as
fast for one as for the other; each round has new processes. A turn begins with a second: else the
measured user would have more intervals to write than seconds. Of a round, the ratio of the lower
quartiles of CPU time per session, since neighbours disturb some turns; what a way itself does only
now and then is left out with them. Over rounds, t intervals of their logarithms.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from scipy import stats

from benchmarks import work
from loadtest.database.keeper import die_with_parent
from loadtest.database.private import PrivateServer

ROUNDS = 10
TURNS = 8
TURN_SECONDS = 1
# Until a process has imported, connected and run in.
START_SECONDS = 4
LOCUST = ["-m", "locust", "--headless", "--only-summary", "-u", "16", "-r", "16", "-t", "5m"]
WAYS = {
    "bare": ["-m", "benchmarks._bare_loop"],
    "plain": [*LOCUST, "-f", "benchmarks/_plain_user.py"],
    "measured": [
        *(*LOCUST, "-f", "benchmarks/_pool_user.py", "--pool-size", "16", "--max-overflow", "0"),
        *("--metrics-port", "9646", "--results", "{folder}/run.jsonl"),
    ],
}


class Way:
    """One way to do the work in a process that is stopped between its turns.

    slices: sessions, CPU seconds and seconds of each turn.
    """

    def __init__(self, name: str, url: str, folder: Path, seed: int) -> None:
        self._output = folder / f"{name}.txt"
        self._output.write_text("")
        environment = {
            **os.environ,
            "LOADTEST_DATABASE_URL": url,
            "BENCHMARK_OUTPUT": str(self._output),
            "PYTHONPATH": os.getcwd(),
            # Else chance has its part in how fast one process is against another.
            "PYTHONHASHSEED": str(seed),
        }
        command = [sys.executable, *(part.format(folder=folder) for part in WAYS[name])]
        self._log = folder / f"{name}.log"
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                command,
                env=environment,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent,  # noqa: PLW1509
            )

    @property
    def slices(self) -> list[list[float]]:
        return [[float(word) for word in line.split()] for line in self._lines()]

    def _lines(self) -> list[str]:
        return self._output.read_text().splitlines()

    def turn(self, seconds: int) -> None:
        """Let it run for so many whole seconds."""
        before = len(self._lines())
        time.sleep(1 - time.time() % 1)
        self.process.send_signal(signal.SIGCONT)
        time.sleep(seconds - 0.01)
        self.process.send_signal(signal.SIGUSR1)
        while len(self._lines()) == before:
            if self.process.poll() is not None:
                raise RuntimeError(self._log.read_text()[-2000:])
            time.sleep(0.001)

    def end(self) -> None:
        """Kill it: what it would still do when it ends is not what is measured."""
        self.process.kill()
        self.process.wait()


def main() -> dict[str, object]:
    """Run it: throughput of each way, and the ratios with their intervals."""
    with PrivateServer() as server, tempfile.TemporaryDirectory() as folder:
        work.prepare(server.url)
        url = server.url.render_as_string(hide_password=False)
        rounds = [_round(number, url, Path(folder)) for number in range(ROUNDS)]
    return {
        "ratio_to_plain_locust": _ratio(rounds, "plain"),
        "ratio_to_bare_loop": _ratio(rounds, "bare"),
        "per_second": {
            way: float(np.mean([sessions / wall for r in rounds for sessions, _, wall in r[way]]))
            for way in WAYS
        },
        "rounds": ROUNDS,
        "turns": TURNS,
    }


def _round(number: int, url: str, folder: Path) -> dict[str, list[list[float]]]:
    """Sessions, CPU seconds and seconds of each way's turns."""
    with ExitStack() as running:
        ways = {}
        for name in WAYS:
            ways[name] = way = Way(name, url, folder, seed=number)
            running.callback(way.end)
            way.turn(START_SECONDS)
        for turn in range(TURNS):
            order = list(ways.values())
            shift = (number + turn) % len(order)
            for way in [*order[shift:], *order[:shift]]:
                way.turn(TURN_SECONDS)
        return {name: way.slices[1:] for name, way in ways.items()}


def _ratio(rounds: list[dict[str, list[list[float]]]], way: str) -> dict[str, object]:
    logs = [_log_cost(r[way]) - _log_cost(r["measured"]) for r in rounds]
    interval = stats.t.interval(0.95, len(logs) - 1, np.mean(logs), stats.sem(logs))
    return {
        "ratio": float(np.exp(np.mean(logs))),
        "ci95": [float(np.exp(edge)) for edge in interval],
        "of_rounds": [round(float(np.exp(log)), 3) for log in logs],
    }


def _log_cost(slices: list[list[float]]) -> float:
    """The logarithm of CPU seconds per session in the turns that were least disturbed."""
    sessions, cpu, _ = np.array(slices).T
    return float(np.log(np.percentile(cpu / sessions, 25)))


if __name__ == "__main__":
    print(json.dumps(main()))
