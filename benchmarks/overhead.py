"""What measuring costs: CPU time per session against a plain Locust user and a bare loop.

Interleaved rounds; ratios of CPU time per session with t intervals of their logarithms over rounds.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from scipy import stats

from benchmarks import work
from loadtest.database.private import PrivateServer

ROUNDS = 8
LOCUST = ["-m", "locust", "--headless", "--only-summary", "-u", "16", "-r", "16", "-t", "6s"]
WAYS = {
    "bare": ["-m", "benchmarks._bare_loop"],
    "plain": [*LOCUST, "-f", "benchmarks/_plain_user.py"],
    "measured": [
        *(*LOCUST, "-f", "benchmarks/_pool_user.py", "--pool-size", "16", "--max-overflow", "0"),
        *("--metrics-port", "9646", "--results", "{folder}/run.jsonl"),
    ],
}


def main() -> dict[str, object]:
    """Run it: throughput of each way, and the ratios with their intervals."""
    results: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
    with PrivateServer() as server, tempfile.TemporaryDirectory() as folder:
        work.prepare(server.url)
        url = server.url.render_as_string(hide_password=False)
        for number in range(ROUNDS):
            turn = number % len(WAYS)
            for way in [*list(WAYS)[turn:], *list(WAYS)[:turn]]:
                results[way].append(_run(way, url, folder))
    return {
        "ratio_to_plain_locust": _ratio(results["plain"], results["measured"]),
        "ratio_to_bare_loop": _ratio(results["bare"], results["measured"]),
        "per_second": {
            way: float(np.mean([rate for _, rate in runs])) for way, runs in results.items()
        },
        "rounds": ROUNDS,
    }


def _run(way: str, url: str, folder: str) -> tuple[float, float]:
    """CPU seconds per session, and sessions per second."""
    output = Path(folder) / "output"
    environment = {
        **os.environ,
        "LOADTEST_DATABASE_URL": url,
        "BENCHMARK_OUTPUT": str(output),
        "PYTHONPATH": os.getcwd(),
    }
    command = [sys.executable, *(part.format(folder=folder) for part in WAYS[way])]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{way}: {done.stderr[-2000:]}")
    sessions, cpu, wall = map(float, output.read_text().split())
    return cpu / sessions, sessions / wall


def _ratio(one: list[tuple[float, float]], other: list[tuple[float, float]]) -> dict[str, object]:
    logs = np.log([a / b for (a, _), (b, _) in zip(one, other, strict=True)])
    interval = stats.t.interval(0.95, len(logs) - 1, logs.mean(), stats.sem(logs))
    return {"ratio": float(np.exp(logs.mean())), "ci95": [float(np.exp(edge)) for edge in interval]}


if __name__ == "__main__":
    print(json.dumps(main()))
