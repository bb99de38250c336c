"""The cost of each worker for its master per second, with a thousand workers, and the delay.

The master is Locust's, with its socket; another process simulates the workers. The figure is the
master's CPU time from the first to the last message: receiving, decoding, adding up, writing the
file, and the totals of the metrics.
"""

from locust.env import Environment
from locust.event import Events

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import gevent

from loadtest.database.supervisor import die_with_parent
from loadtest.live.displays import Live
from loadtest.load.interval_stream import IntervalStream
from loadtest.load.workers.protocol import Workers
from loadtest.model.errors import LoadtestError
from loadtest.model.interval import Interval
from loadtest.model.pool import PoolConfig
from loadtest.runfile.reader import read_run
from loadtest.runfile.writer import RunWriter

WORKERS = 1000
SECONDS = 3
# Checkouts per second and worker; one Python process makes some thousands.
TRAFFIC = (100, 10_000, 100_000)
REAL = ["-m", "locust", "-f", "scenarios/point_select.py", "--headless", "--only-summary"]


def main() -> dict[str, object]:
    """Run it; figures without a number of checkouts are for the highest traffic.

    slowest_arrival_seconds: with two real workers, the longest time from the end of a second until
    the master had it.
    """
    by_traffic = {str(checkouts): Master(checkouts).spent() for checkouts in TRAFFIC}
    return {
        "workers": WORKERS,
        **by_traffic[str(TRAFFIC[-1])],
        "by_checkouts_per_second": by_traffic,
        "slowest_arrival_seconds": _slowest_arrival(),
    }


class Master:
    """A master whose workers all make the same number of checkouts per second."""

    def __init__(self, checkouts: int) -> None:
        self._checkouts = checkouts
        self._taken = self._began = self._ended = 0

    def spent(self) -> dict[str, float]:
        """CPU seconds and bytes for one worker and second."""
        environment = Environment(events=Events())
        runner = environment.create_master_runner("127.0.0.1", 0)
        live = Live()
        live.begin(PoolConfig())
        with tempfile.TemporaryDirectory() as folder:
            self._timeline = IntervalStream(RunWriter(Path(folder) / "run.jsonl", {}), live)
            Workers(runner, self._take, _refuse)
            received = _count_bytes(runner.server)
            arguments = [str(runner.server.port), str(self._checkouts)]
            command = [sys.executable, "-m", "benchmarks._simulated_workers", *arguments]
            with subprocess.Popen(command):
                while self._taken < WORKERS * SECONDS:
                    gevent.sleep(0.05)
        runner.quit()
        return {
            "seconds_per_worker_second": (self._ended - self._began) / 1e9 / (self._taken - 1),
            "bytes_per_worker_second": sum(received) / len(received),
        }

    def _take(self, interval: Interval) -> None:
        self._began = self._began or time.process_time_ns()
        self._timeline.add(interval)
        self._taken += 1
        if self._taken == WORKERS * SECONDS:  # asking each time would cost more than the work
            self._ended = time.process_time_ns()


def _refuse(error: LoadtestError) -> None:
    raise error


def _count_bytes(server: object) -> list[int]:
    """Record the sizes of the messages that a server's socket receives."""
    sizes: list[int] = []
    socket = server.socket  # type: ignore[attr-defined]
    receive = socket.recv_multipart

    def counting() -> list[bytes]:
        parts = receive()
        sizes.append(len(parts[-1]))
        return list(parts)

    socket.recv_multipart = counting
    return sizes


def _slowest_arrival() -> float:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.jsonl"
        more = ["--processes", "2", "-u", "20", "-r", "20", "-t", "10s", "--results", str(path)]
        subprocess.run(
            [sys.executable, *REAL, *more],
            capture_output=True,
            check=True,
            preexec_fn=die_with_parent,
        )
        footer = read_run(path).footer
        assert footer
        return max(worker.latest_seconds or 0.0 for worker in footer.workers)


if __name__ == "__main__":
    print(json.dumps(main()))
