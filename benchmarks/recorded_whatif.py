"""Whether `loadtest whatif` predicts from a recording what an application then really does.

The Flask shop of examples/ runs under gunicorn with threads, with a mistake that holds a connection
while the partner answers. Orders arrive at fixed moments, a Poisson process with a rate that rises
and falls, whatever the answers. The shop is recorded with one pool. From that recording the pools
of half and of double the size are predicted. Then the shop really runs with each of them under the
same arrivals. All of this happens for several recordings, each with arrivals of its own, so that
each gives an independent prediction. By default it takes about ten minutes, and the half pool is
too small at the peaks, so that some of its orders time out.

`benchmarks/predicted_rounds.py` says when a prediction is right, and when it is precise. The table
goes to standard error. With `--keep` the folder is evaluated again by `--again`, without any run.

`hold` and `holds_later` are the mean holds (s) of a recording and of the rounds, and `hold_error`
is the error that the prediction allows for. If they differ by much more, the machine was busy with
other work, which no recording can predict. `shares` are those of the processes in each run.
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

import numpy as np

from benchmarks.predicted_rounds import PredictedRound, say, table
from loadtest.analysis.prediction.recorded_arrivals import RecordedArrivals, recorded_arrivals
from loadtest.analysis.prediction.replayed_pools import replay_pools
from loadtest.analysis.recordings.read_recording import read_recording
from loadtest.database.private_server import PrivateServer
from loadtest.database.supervisor import die_with_parent
from loadtest.model.pool import PoolConfig

EXAMPLES = Path(__file__).parents[1] / "examples"
PRODUCTS, MOST_REQUESTS, ANSWER_SECONDS, START_SECONDS = 500, 300, 60, 60
# The rate of arrivals rises and falls by this share, twice in a run.
SWING = 0.3
# The shop answers /health with the help of its database.
CHECKOUTS_OF_HEALTH = 1


def main(options: argparse.Namespace) -> dict[str, object]:
    """Record, predict and measure; or evaluate the recordings of an earlier time."""
    if options.again:
        return table([_predicted(options, _kept(options, seed)) for seed in _seeds(options)])
    with (
        PrivateServer() as server,
        tempfile.TemporaryDirectory() as folder,
        _partner(options) as partner,
    ):
        shop = _Shop(options, server, partner, options.keep or Path(folder))
        shop.fill()
        return table([_predicted(options, _measured(options, shop, n)) for n in _seeds(options)])


def _seeds(options: argparse.Namespace) -> range:
    return range(options.seed, options.seed + options.recordings)


def _pools(options: argparse.Namespace) -> list[PoolConfig]:
    """The recorded pool, and those of half and of double its size."""
    sizes = (options.pool, options.pool // 2, 2 * options.pool)
    return [_pool(options, size) for size in sizes]


def _measured(options: argparse.Namespace, shop: "_Shop", seed: int) -> list[RecordedArrivals]:
    """The recorded pool and the others, of which the order alternates."""
    own, *others = pools = _pools(options)
    runs = {pool.name: shop.run(pool, seed) for pool in (own, *others[:: (-1) ** seed])}
    return [runs[pool.name] for pool in pools]


def _kept(options: argparse.Namespace, seed: int) -> list[RecordedArrivals]:
    return [_read(_results(options.again, pool, seed)) for pool in _pools(options)]


def _predicted(options: argparse.Namespace, runs: Sequence[RecordedArrivals]) -> PredictedRound:
    recorded, *measured = runs
    return PredictedRound(recorded, replay_pools(recorded, _pools(options)[1:]), measured)


def _results(folder: Path, pool: PoolConfig, seed: int) -> Path:
    return folder / f"{seed}-{pool.name}"


def _read(results: Path) -> RecordedArrivals:
    return recorded_arrivals(read_recording([results / "latest"]).pool())


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

    def fill(self) -> None:
        """Create and fill the tables."""
        command = [sys.executable, "-m", "flask_shop"]
        subprocess.run(command, env=self._environment, check=True)

    def run(self, pool: PoolConfig, seed: int) -> RecordedArrivals:
        """Serve the arrivals of a seed with a pool; what was recorded."""
        moments = arrivals(self._options.seconds, self._options.rate, seed)
        results = _results(self._folder, pool, seed)
        address = f"127.0.0.1:{_free_port()}"
        environment = {**self._environment, "DATABASE_POOL_SIZE": str(pool.pool_size)}
        command = [sys.executable, "-m", "loadtest", "record", "--results", str(results)]
        command += ["--name", "shop", "--", sys.executable, "-m", "gunicorn"]
        command += ["--no-control-socket", "--threads", str(self._options.threads)]
        command += ["--workers", str(self._options.workers), "--bind", address]
        with _running([*command, "flask_shop.app:app"], environment, self._folder / "log"):
            _until_it_answers(f"http://{address}/health", self._folder / "log")
            _order(address, moments)
        recorded = _read(results)
        if recorded.asked != len(moments) + CHECKOUTS_OF_HEALTH:
            raise RuntimeError(f"{len(moments)} orders made {recorded.asked} checkouts")
        say(f"seed {seed}: {pool.name} for {self._options.seconds} s")
        return recorded


def _order(address: str, moments: Sequence[float]) -> None:
    """Send an order at each moment, of products that no other order in progress has.

    Raises OSError if an order has no answer.
    """
    begin = time.perf_counter()
    with ThreadPoolExecutor(MOST_REQUESTS) as threads:
        sent = []
        for number, moment in enumerate(moments):
            time.sleep(max(0.0, begin + moment - time.perf_counter()))
            sent.append(threads.submit(_send, address, number % PRODUCTS + 1))
    for one in sent:
        one.result()


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


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks.recorded_whatif", description=__doc__)
    parser.add_argument("--seconds", type=int, default=35, help="of each run (default: 35)")
    parser.add_argument("--recordings", type=int, default=5, help="(default: 5)")
    parser.add_argument("--pool", type=int, default=8, help="the recorded pool_size (default: 8)")
    parser.add_argument("--pool-timeout", type=int, default=1, help="seconds (default: 1)")
    parser.add_argument("--rate", type=float, default=16.5, help="orders a second (default: 16.5)")
    parser.add_argument("--hold", type=float, default=0.2, help="the partner's seconds")
    parser.add_argument("--threads", type=int, default=100, help="of each worker (default: 100)")
    parser.add_argument("--workers", type=int, default=1, help="processes (default: 1)")
    parser.add_argument("--seed", type=int, default=1, help="of the first arrivals (default: 1)")
    parser.add_argument("--keep", type=Path, help="a new folder that keeps the recordings")
    parser.add_argument("--again", type=Path, help="such a folder: evaluate it without any run")
    return parser.parse_args()


if __name__ == "__main__":
    print(json.dumps(main(_options())))
