"""What measuring costs: CPU time per session against a plain Locust user and a bare loop.

A round runs each way alone in a fresh process, in an order that changes from round to round, so
that what drifts on the machine hits all alike. Over rounds, t intervals of the logarithms of the
ratios. The page is the live page: asked for each second, as an open one asks.
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
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import stats

from benchmarks import work
from loadtest.database.keeper import die_with_parent
from loadtest.database.private import PrivateServer

ROUNDS = 12
SECONDS = 10
# Until a process that has begun has connected and run in.
START_SECONDS = 3
WEB_PORT = 18089
LOCUST = ["-m", "locust", "--only-summary", "-u", "16", "-r", "16", "-t", "5m"]
MEASURED = [
    *(*LOCUST, "-f", "benchmarks/_pool_user.py", "--pool-size", "16", "--max-overflow", "0"),
    *("--metrics-port", "9646", "--results", "{folder}/run.jsonl"),
]
WAYS = {
    "bare": ["-m", "benchmarks._bare_loop"],
    "plain": [*LOCUST, "--headless", "-f", "benchmarks/_plain_user.py"],
    "measured": [*MEASURED, "--headless"],
    "page": [*MEASURED, "--autostart", "--web-port", str(WEB_PORT)],
}


class Cost(NamedTuple):
    """What a way did in its turn, and took for it (CPU and wall seconds)."""

    sessions: float
    cpu: float
    wall: float


def main() -> dict[str, object]:
    """Run it: throughput of each way, and the ratios with their intervals.

    ratio_with_page: of the measured user with the live page open to the one without.
    """
    with PrivateServer() as server, tempfile.TemporaryDirectory() as folder:
        work.prepare(server.url)
        url = server.url.render_as_string(hide_password=False)
        rounds = [_round(number, url, Path(folder)) for number in range(ROUNDS)]
    return {
        "ratio_to_plain_locust": _ratio(rounds, "measured", "plain"),
        "ratio_to_bare_loop": _ratio(rounds, "measured", "bare"),
        "ratio_with_page": _ratio(rounds, "page", "measured"),
        "per_second": {
            way: float(np.mean([costs[way].sessions / costs[way].wall for costs in rounds]))
            for way in WAYS
        },
        "rounds": ROUNDS,
    }


def _round(number: int, url: str, folder: Path) -> dict[str, Cost]:
    names = list(WAYS)
    shift = number % len(names)
    return {name: _cost(name, url, folder, number) for name in [*names[shift:], *names[:shift]]}


def _cost(name: str, url: str, folder: Path, seed: int) -> Cost:
    output = folder / f"{name}.txt"
    output.write_text("")
    environment = {
        **os.environ,
        "LOADTEST_DATABASE_URL": url,
        "BENCHMARK_OUTPUT": str(output),
        "PYTHONPATH": os.getcwd(),
        # Else chance has its part in how fast one process is against another.
        "PYTHONHASHSEED": str(seed),
    }
    with _running(name, environment, folder) as process:
        _line(process, output, 0)
        time.sleep(START_SECONDS)
        process.send_signal(signal.SIGUSR1)
        before = _line(process, output, 1)
        _let_run(page=name == "page")
        process.send_signal(signal.SIGUSR1)
        after = _line(process, output, 2)
    return Cost(*(late - early for early, late in zip(before, after, strict=True)))


@contextmanager
def _running(
    name: str, environment: dict[str, str], folder: Path
) -> Iterator["subprocess.Popen[bytes]"]:
    command = [sys.executable, *(part.format(folder=folder) for part in WAYS[name])]
    with (folder / f"{name}.log").open("w") as log:
        process = subprocess.Popen(
            command,
            env=environment,
            stdout=log,
            stderr=log,
            preexec_fn=die_with_parent,  # noqa: PLW1509
        )
    try:
        yield process
    finally:
        process.kill()  # what it would still do when it ends is not what is measured
        process.wait()


def _line(process: "subprocess.Popen[bytes]", output: Path, number: int) -> list[float]:
    """A line that a process writes about how far it is, as soon as it is there."""
    while output.read_text().count("\n") <= number:
        if process.poll() is not None:
            raise RuntimeError(output.with_suffix(".log").read_text()[-2000:])
        time.sleep(0.001)
    return [float(word) for word in output.read_text().splitlines()[number].split()]


def _let_run(page: bool) -> None:
    version = 0
    for _ in range(SECONDS):
        time.sleep(1)
        if page:
            address = f"http://127.0.0.1:{WEB_PORT}/pool/data?since={version}"
            with urllib.request.urlopen(address) as answer:
                version = json.load(answer)["version"]


def _ratio(rounds: list[dict[str, Cost]], one: str, other: str) -> dict[str, object]:
    """Sessions for the same CPU time: of one way against another."""
    logs = [_log_cost(costs[other]) - _log_cost(costs[one]) for costs in rounds]
    interval = stats.t.interval(0.95, len(logs) - 1, np.mean(logs), stats.sem(logs))
    return {
        "ratio": float(np.exp(np.mean(logs))),
        "ci95": [float(np.exp(edge)) for edge in interval],
        "of_rounds": [round(float(np.exp(log)), 3) for log in logs],
    }


def _log_cost(cost: Cost) -> float:
    return float(np.log(cost.cpu / cost.sessions))


if __name__ == "__main__":
    print(json.dumps(main()))
