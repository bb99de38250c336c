"""The cost of measuring: CPU time per session, compared with a plain Locust user and a bare loop.

In a round, all ways run in fresh processes, one second at a time while the others are stopped, so
that drift of the machine affects all ways alike. The intervals are t intervals of the logarithms of
the ratios over the rounds; `--long` has more rounds, and more turns in each. The live page is
closed for a second and open for the next in the same process, because two processes of one program
differ by more than the cost of a page. Two seconds differ as well, so twenty pages are open, each
with one request per second as from a browser, and the ratio is for one page.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from benchmarks import work
from benchmarks._length import long_wanted
from loadtest.database.private_server import PrivateServer, free_port
from loadtest.database.supervisor import die_with_parent

# The seconds until a new process has connected and warmed up, and until a stopped process has
# closed its second.
START_SECONDS, RESUME_SECONDS = 3, 0.3
PAGES = 20
LOCUST = ["-m", "locust", "--only-summary", "-u", "16", "-r", "16", "-t", "5m"]
MEASURED = [
    *(*LOCUST, "-f", "benchmarks/_pool_user.py", "--pool-size", "16", "--max-overflow", "0"),
    *("--metrics-port", "{metrics}", "--results", "{folder}/{name}.jsonl"),
]
CLOSED, OPEN = "pages closed", "pages open"
WAYS = {
    "bare": ["-m", "benchmarks._bare_loop"],
    "plain": [*LOCUST, "--headless", "-f", "benchmarks/_plain_user.py"],
    "measured": [*MEASURED, "--headless"],
    "page": [*MEASURED, "--autostart", "--web-port", "{web}"],
}


class Length(NamedTuple):
    """The number of rounds, each with new processes, and of the turns in each."""

    rounds: int
    turns: int


SHORT, LONG = Length(5, 4), Length(12, 10)


class Cost(NamedTuple):
    """The sessions of a process in a second, and their cost (CPU and wall seconds)."""

    sessions: float
    cpu: float
    wall: float


def main(length: Length) -> dict[str, object]:
    """Run it: throughput of each way, and the ratios with their intervals.

    ratio_with_page: of the measured user with one live page open to the same user without a page.
    """
    with PrivateServer() as server, tempfile.TemporaryDirectory() as folder:
        work.prepare(server.url)
        url = server.url.render_as_string(hide_password=False)
        rounds = [_round(n, length.turns, url, Path(folder)) for n in range(length.rounds)]
    return {
        "ratio_to_plain_locust": _ratio(rounds, "measured", "plain"),
        "ratio_to_bare_loop": _ratio(rounds, "measured", "bare"),
        "ratio_with_page": _ratio(rounds, OPEN, CLOSED, times=PAGES),
        "per_second": {way: float(np.mean(_rates(rounds, way))) for way in rounds[0][0]},
        "rounds": length.rounds,
    }


def _rates(rounds: list[list[dict[str, Cost]]], way: str) -> list[float]:
    return [turn[way].sessions / turn[way].wall for turns in rounds for turn in turns]


def _round(number: int, turns_: int, url: str, folder: Path) -> list[dict[str, Cost]]:
    with ExitStack() as stack:
        ways = [
            stack.enter_context(running(name, WAYS[name], url, folder, number)) for name in WAYS
        ]
        return [turns(ways, number + turn) for turn in range(turns_)]


def turns(ways: list["Way"], number: int) -> dict[str, Cost]:
    """The turns of all ways, in an order that the number shifts; returns the cost of each."""
    shift = number % len(ways)
    costs: dict[str, Cost] = {}
    for way in [*ways[shift:], *ways[:shift]]:
        costs |= way.turn(number)
    return costs


class Way:
    """A process that is stopped except during its turn; port: the port of its pages, if any."""

    def __init__(
        self, name: str, process: "subprocess.Popen[bytes]", output: Path, port: int
    ) -> None:
        self.name, self._process, self._output, self._port = name, process, output, port
        self._read, self._versions = 0, [0] * PAGES
        self._line()
        time.sleep(START_SECONDS)
        process.send_signal(signal.SIGSTOP)

    def turn(self, number: int) -> dict[str, Cost]:
        """Let the process run for a second, or two if it has a page; returns the cost of each."""
        seconds = [CLOSED, OPEN] if self.name == "page" else [self.name]
        self._process.send_signal(signal.SIGCONT)
        time.sleep(RESUME_SECONDS)
        costs = {name: self._second(name) for name in (seconds if number % 2 else seconds[::-1])}
        self._process.send_signal(signal.SIGSTOP)
        return costs

    def _second(self, name: str) -> Cost:
        before, began = self._meter(), time.monotonic()
        for page in range(PAGES if name == OPEN else 0):
            time.sleep(max(0.0, began + page / PAGES - time.monotonic()))
            self._look(page)
        time.sleep(max(0.0, began + 1 - time.monotonic()))
        return Cost(*(late - early for early, late in zip(before, self._meter(), strict=True)))

    def _look(self, page: int) -> None:
        address = f"http://127.0.0.1:{self._port}/pool/data?since={self._versions[page]}"
        with urllib.request.urlopen(address) as answer:
            self._versions[page] = json.load(answer)["version"]

    def _meter(self) -> list[float]:
        self._process.send_signal(signal.SIGUSR1)
        return self._line()

    def _line(self) -> list[float]:
        """The next line in which the process reports its progress, as soon as it is there."""
        while self._output.read_text().count("\n") <= self._read:
            if self._process.poll() is not None:
                raise RuntimeError(self._output.with_suffix(".log").read_text()[-2000:])
            time.sleep(0.001)
        self._read += 1
        return [float(word) for word in self._output.read_text().splitlines()[-1].split()]


def places(name: str, folder: Path) -> dict[str, Any]:
    """The values for the arguments of a way: its files, and free ports."""
    return {"folder": folder, "name": name, "metrics": free_port(), "web": free_port()}


def command(arguments: list[str], where: dict[str, Any]) -> list[str]:
    """The command line of a way, from Python's arguments and its places."""
    return [sys.executable, *(part.format(**where) for part in arguments)]


@contextmanager
def running(name: str, arguments: list[str], url: str, folder: Path, seed: int) -> Iterator[Way]:
    """A process of a way, warmed up and stopped."""
    output = folder / f"{name}.txt"
    output.write_text("")
    environment = {
        **os.environ,
        "LOADTEST_DATABASE_URL": url,
        "BENCHMARK_OUTPUT": str(output),
        "PYTHONPATH": os.getcwd(),
        # Otherwise chance decides in part how fast a process is compared with another.
        "PYTHONHASHSEED": str(seed),
    }
    where = places(name, folder)
    with output.with_suffix(".log").open("w") as log:
        process = subprocess.Popen(
            command(arguments, where),
            env=environment,
            stdout=log,
            stderr=log,
            preexec_fn=die_with_parent,  # noqa: PLW1509
        )
    try:
        yield Way(name, process, output, where["web"])
    finally:
        process.kill()  # the work at its end is not measured
        process.wait()


def _ratio(
    rounds: list[list[dict[str, Cost]]], one: str, other: str, times: int = 1
) -> dict[str, object]:
    """The ratio of sessions per CPU time of two ways; times: how often `one` repeats its extra."""
    logs = [
        np.mean([_log_cost(turn[other]) - _log_cost(turn[one]) for turn in turns]) / times
        for turns in rounds
    ]
    interval = stats.t.interval(0.95, len(logs) - 1, np.mean(logs), stats.sem(logs))
    return {
        "ratio": float(np.exp(np.mean(logs))),
        "ci95": [float(np.exp(edge)) for edge in interval],
        "of_rounds": [round(float(np.exp(log)), 4) for log in logs],
    }


def _log_cost(cost: Cost) -> float:
    return float(np.log(cost.cpu / cost.sessions))


if __name__ == "__main__":
    print(json.dumps(main(LONG if long_wanted(17) else SHORT)))
