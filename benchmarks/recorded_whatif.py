"""Whether `loadtest whatif` predicts from a recording what an application then really does.

The Flask shop of examples/ runs under gunicorn with threads, with a mistake that holds a connection
while the partner answers. Orders arrive at fixed moments, a Poisson process with a rate that rises
and falls, whatever the answers. The shop is recorded with one pool. From that recording the pools
of half and of double the size are predicted. Then the shop really runs with each of them, in
several interleaved rounds with the same arrivals.

A prediction is right if a measured value lies in its 95 % interval, and precise if the interval is
at most twice as wide as the range of the rounds plus 20 % of their mean. Waits below a millisecond
and shares of timeouts below 0.1 % count as zero. The table goes to standard error.

`hold` and `holds_later` are the mean holds (s) of the recording and of the rounds. If they differ
by more than a few per cent, the machine was busy with other work, which no recording can predict.
"""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from loadtest.analysis.prediction.recorded_arrivals import (
    RecordedArrivals,
    RecordedWaits,
    recorded_arrivals,
)
from loadtest.analysis.prediction.replayed_pools import ReplayedPool, replay_pools
from loadtest.analysis.recordings.read_recording import read_recording
from loadtest.database.private_server import PrivateServer
from loadtest.database.supervisor import die_with_parent
from loadtest.model.pool import PoolConfig

EXAMPLES = Path(__file__).parents[1] / "examples"
PRODUCTS, MOST_REQUESTS, ANSWER_SECONDS, START_SECONDS = 500, 300, 60, 60
# The rate of arrivals rises and falls by this share, twice in a run.
SWING = 0.3
NO_WAIT, NO_TIMEOUTS = 1e-3, 1e-3
METRICS = {"timeouts": NO_TIMEOUTS, "wait_mean": NO_WAIT, "wait_p95": NO_WAIT}


def main(options: argparse.Namespace) -> dict[str, object]:
    """Record, predict and measure; the table as JSON, and the shares that were right."""
    pools = [_pool(options, size) for size in (options.pool // 2, 2 * options.pool)]
    with (
        PrivateServer() as server,
        tempfile.TemporaryDirectory() as folder,
        _partner(options) as partner,
    ):
        shop = _Shop(options, server, partner, options.keep or Path(folder))
        shop.fill()
        recorded = shop.run(_pool(options, options.pool))
        predicted = replay_pools(recorded, pools)
        rounds: list[list[RecordedArrivals]] = [[] for _ in pools]
        for number in range(options.rounds):
            for place in (0, 1) if number % 2 else (1, 0):
                rounds[place].append(shop.run(pools[place]))
    rows = [
        _row(pool, metric, measured)
        for pool, measured in zip(predicted, rounds, strict=True)
        for metric in METRICS
    ]
    holds = {
        pool.name: [one.mean_hold for one in measured]
        for pool, measured in zip(pools, rounds, strict=True)
    }
    _say(f"mean holds: {recorded.mean_hold:.4f} recorded, then {holds}")
    values = sum(len(row["measured"]) for row in rows)
    return {
        "rows": rows,
        "inside": sum(row["inside"] for row in rows) / values,
        "precise": sum(row["precise"] for row in rows) / len(rows),
        "recorded": vars(_ran(recorded)),
        "hold": recorded.mean_hold,
        "holds_later": holds,
    }


def _ran(recorded: RecordedArrivals) -> RecordedWaits:
    assert recorded.ran, "the recording is short enough to be replayed as a whole"
    return recorded.ran


def arrivals(seconds: float, rate: float, seed: int) -> list[float]:
    """The moments (s) of a Poisson process whose rate rises and falls about its mean."""
    numbers = np.random.default_rng(seed)
    most = rate * (1 + SWING)
    at = np.sort(numbers.random(numbers.poisson(most * seconds)) * seconds)
    wanted = rate * (1 + SWING * np.sin(4 * np.pi * at / seconds))
    return [float(one) for one in at[numbers.random(len(at)) * most < wanted]]


def _pool(options: argparse.Namespace, size: int) -> PoolConfig:
    return PoolConfig(pool_size=size, max_overflow=0, pool_timeout=options.pool_timeout)


class _Shop:
    """The Flask shop, started afresh for each run under the same arrivals."""

    def __init__(
        self, options: argparse.Namespace, server: PrivateServer, partner: str, folder: Path
    ) -> None:
        self._options, self._folder = options, folder.absolute()
        folder.mkdir(parents=True, exist_ok=True)
        self._arrivals = arrivals(options.seconds, options.rate, options.seed)
        url = server.url.update_query_dict({"ssl_disabled": "true"})
        self._environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(EXAMPLES), os.getcwd()]),
            "DATABASE_URL": url.render_as_string(hide_password=False),
            "DATABASE_MAX_OVERFLOW": "0",
            "DATABASE_POOL_TIMEOUT": str(options.pool_timeout),
            "PARTNER_URL": partner,
            "SHOP_MISTAKE": "held_across_http",
        }
        self._runs = 0

    def fill(self) -> None:
        """Create and fill the tables."""
        command = [sys.executable, "-m", "flask_shop"]
        subprocess.run(command, env=self._environment, check=True)

    def run(self, pool: PoolConfig) -> RecordedArrivals:
        """Serve all arrivals with a pool; what was recorded."""
        self._runs += 1
        results = self._folder / str(self._runs)
        address = f"127.0.0.1:{_free_port()}"
        environment = {**self._environment, "DATABASE_POOL_SIZE": str(pool.pool_size)}
        command = [sys.executable, "-m", "loadtest", "record", "--results", str(results)]
        command += ["--name", "shop", "--", sys.executable, "-m", "gunicorn"]
        command += ["--no-control-socket", "--threads", str(self._options.threads)]
        command += ["--workers", str(self._options.workers), "--bind", address]
        with _running([*command, "flask_shop.app:app"], environment, self._folder / "log"):
            _until_it_answers(f"http://{address}/health", self._folder / "log")
            _order(address, self._arrivals)
        _say(f"run {self._runs}: {pool.name} for {self._options.seconds} s")
        return recorded_arrivals(read_recording([results / "latest"]).pool())


def _order(address: str, moments: Sequence[float]) -> None:
    """Send an order at each moment, of products that no other order in progress has."""
    begin = time.perf_counter()
    with ThreadPoolExecutor(MOST_REQUESTS) as threads:
        for number, moment in enumerate(moments):
            time.sleep(max(0.0, begin + moment - time.perf_counter()))
            threads.submit(_send, address, number % PRODUCTS + 1)


def _send(address: str, product: int) -> None:
    body = json.dumps({"quantities": {str(product): 1}}).encode()
    headers = {"Content-Type": "application/json", "X-Token": f"customer-{product}"}
    request = urllib.request.Request(f"http://{address}/orders", body, headers)
    try:
        urllib.request.urlopen(request, timeout=ANSWER_SECONDS).close()
    except urllib.error.HTTPError as error:
        error.close()  # the answer to a checkout that timed out


@contextmanager
def _partner(options: argparse.Namespace) -> Iterator[str]:
    """The address of the slow service that the shop calls during an order."""
    port = _free_port()
    environment = {**os.environ, "PARTNER_SECONDS": str(options.hold), "PYTHONPATH": str(EXAMPLES)}
    command = [sys.executable, "-m", "shop_data.partner", str(port)]
    with _running(command, environment, Path(os.devnull)):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def _running(command: Sequence[str], environment: dict[str, str], log: Path) -> Iterator[None]:
    with log.open("w") as output:
        process = subprocess.Popen(
            command,
            env=environment,
            stdout=output,
            stderr=output,
            preexec_fn=die_with_parent,  # noqa: PLW1509
        )
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(START_SECONDS)


def _until_it_answers(url: str, log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        try:
            urllib.request.urlopen(url, timeout=ANSWER_SECONDS).close()
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"the shop does not answer: {log.read_text()[-2000:]}")


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _row(pool: ReplayedPool, metric: str, rounds: Sequence[RecordedArrivals]) -> dict[str, Any]:
    """A prediction compared with the measured rounds."""
    predicted, least = getattr(pool, metric), METRICS[metric]
    low, high = (0.0 if value < least else value for value in predicted.ci95)
    measured = [float(getattr(_ran(one), metric)) for one in rounds]
    told = [0.0 if value < least else value for value in measured]
    allowed = 2 * (max(told) - min(told)) + 0.2 * float(np.mean(told))
    row = {
        "pool": pool.settings.name,
        "metric": metric,
        "predicted": predicted.value,
        "ci95": predicted.ci95,
        "measured": measured,
        "inside": sum(low <= value <= high for value in told),
        "precise": high - low <= allowed,
    }
    shown = " ".join(f"{value:.4f}" for value in measured)
    edges = " to ".join(f"{edge:.4f}" for edge in predicted.ci95)
    _say(f"{row['pool']:6} {metric:10} {predicted.value:.4f} ({edges}): {shown}")
    return row


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks.recorded_whatif", description=__doc__)
    parser.add_argument("--seconds", type=int, default=45, help="of each run (default: 45)")
    parser.add_argument("--rounds", type=int, default=5, help="of each pool (default: 5)")
    parser.add_argument("--pool", type=int, default=8, help="the recorded pool_size (default: 8)")
    parser.add_argument("--pool-timeout", type=int, default=1, help="seconds (default: 1)")
    parser.add_argument("--rate", type=float, default=15, help="orders per second (default: 15)")
    parser.add_argument("--hold", type=float, default=0.2, help="the partner's seconds")
    parser.add_argument("--threads", type=int, default=100, help="of each worker (default: 100)")
    parser.add_argument("--workers", type=int, default=1, help="processes (default: 1)")
    parser.add_argument("--seed", type=int, default=1, help="of the arrivals (default: 1)")
    parser.add_argument("--keep", type=Path, help="a new folder that keeps the recordings")
    return parser.parse_args()


if __name__ == "__main__":
    print(json.dumps(main(_options())))
