"""Sends a master the messages of many workers.

Usage: python -m benchmarks._simulated_workers PORT CHECKOUTS. All messages go over one connection
as fast as possible, one second of all workers after the other.
"""

from locust.rpc import Message, rpc

import sys
import time
from collections import Counter
from collections.abc import Iterator

import numpy as np

from benchmarks.merge import SECONDS, WORKERS
from loadtest.load.workers.protocol import INTERVAL
from loadtest.model.distribution import Distribution
from loadtest.model.interval import Fair, Gauge, Interval, SlowCheckout
from loadtest.model.task_use import TaskUse

# Many workers share the same parts, which the master cannot see.
DIFFERENT = 50
HISTOGRAMS = ("checkout", "wait", "connect", "hold", "reset", "request", "generator_lag", "think")
GAUGES = ("in_use", "open", "idle", "overflow", "waiting", "users", "checked_out")
COUNTERS = (
    *("checkouts", "checkouts.pooled", "checkouts.overflow", "opened", "closed.overflow"),
    *("requests", "failures", "errors.deadlock", "cpu"),
)


def main(port: int, checkouts: int) -> None:
    """Prepare all messages, then send them."""
    random = np.random.default_rng(1)
    parts = [_interval(checkouts, random).to_json() for _ in range(DIFFERENT)]
    messages = [message.serialize() for message in _messages(parts)]
    client = rpc.Client("127.0.0.1", port, "simulated")
    for message in messages:
        client.socket.send(message)
    client.close(linger=-1)


def _messages(parts: list[dict[str, object]]) -> Iterator[Message]:
    now = int(time.time())
    for second in range(SECONDS):
        for worker in range(WORKERS):
            own = {"second": now + second, "process": f"machine-{worker}:{1000 + worker}"}
            yield Message(INTERVAL, {**parts[worker % DIFFERENT], **own}, f"worker-{worker}")


def _interval(checkouts: int, random: np.random.Generator) -> Interval:
    """One second of a worker with all parts of a real interval; times spread over four decades."""
    times = {
        name: random.lognormal(12 + number % 4, 1.2, checkouts).astype(np.int64)
        for number, name in enumerate(HISTOGRAMS)
    }
    slowest = SlowCheckout(50_000_000, 49_000_000, hold=9_000_000, task="select", waiting=30)
    return Interval(
        0,
        counters=Counter(dict.fromkeys(COUNTERS, checkouts)),
        gauges={name: Gauge(10**10, 0, 20, 10) for name in GAUGES},
        histograms={name: Distribution.of(values) for name, values in times.items()},
        unfinished=Distribution.of(times["wait"][:50]),
        slowest=[slowest] * 5,
        fair=Fair(100, 100, checkouts, checkouts**2, 10**9),
        tasks={"select": TaskUse(checkouts, 10**10, checkouts, 10**10)},
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
