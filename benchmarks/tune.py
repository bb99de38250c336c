"""Whether a search finds the right pool, compared with two queues of known answer.

Holds are fixed, and arrivals have an offered rate. Evenly spaced arrivals need rate x hold
connections, rounded up, and then never wait; with one connection fewer the queue grows without
limit. Random arrivals (Poisson) form an M/D/c queue. Its waits are simulated here, independently of
the tool: each arrival takes the connection that is free first (Kiefer and Wolfowitz, "On the theory
of queues with many servers", 1955). The objective lies between two sizes, with room on both sides.

`share_of_grid_time` is the load time of the search over that of one run of every size.
"""

import heapq
import json
import math
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks._length import long_wanted

# Long holds, because other work of the machine adds milliseconds.
MOST, HOLD = 100, 0.25
# The measured time of each run of a search.
SHORT, LONG = 6, 15
ARRIVALS = 400_000


@dataclass(frozen=True)
class Load:
    """The offered rate (1/s), the kind of arrivals, and the p95 of the wait (s) to meet."""

    rate: float
    arrivals: str
    p95: float


EVEN, POISSON = Load(33, "even", 0.1), Load(32, "poisson", 0.23)


def main(*, longer: bool) -> dict[str, object]:
    """Run it: the size found with random arrivals and the right one; longer also with even ones."""
    seconds = LONG if longer else SHORT
    poisson = _compared(POISSON, _simulated(POISSON), seconds)
    even = {"even": _compared(EVEN, _enough(EVEN), seconds)} if longer else {}
    return {**poisson, **even, "seconds": seconds}


def _enough(load: Load) -> int:
    return math.ceil(load.rate * HOLD)


def _simulated(load: Load) -> int:
    """The smallest size that meets the limit in a simulation."""
    size = math.floor(load.rate * HOLD) + 1
    while _p95(load.rate, size) > load.p95:
        size += 1
    return size


def _p95(rate: float, connections: int) -> float:
    """The p95 of the wait (s) in an M/D/c queue, after a tenth of the arrivals."""
    gaps = np.random.default_rng(1).exponential(1 / rate, ARRIVALS)
    free, waits = [0.0] * connections, []
    for now in np.cumsum(gaps).tolist():
        begin = max(now, free[0])
        heapq.heapreplace(free, begin + HOLD)
        waits.append(begin - now)
    return float(np.percentile(waits[ARRIVALS // 10 :], 95))


def _compared(load: Load, expected: int, seconds: int) -> dict[str, object]:
    summary = _searched(load, seconds)
    search, pools = summary["search"], summary["pools"]
    return {
        "found": search["size"],
        "expected": expected,
        "share_of_grid_time": search["load_seconds"] / search["grid_seconds"],
        "outcome": search["outcome"],
        "sizes": [one["size"] for one in search["sizes"]],
        "runs": sum(pool["rounds"] for pool in pools),
        "load_seconds": search["load_seconds"],
    }


def _searched(load: Load, seconds: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [*_command(load, seconds), "--results", folder], stdout=subprocess.PIPE, check=False
        )
        return dict(json.loads(done.stdout))


def _command(load: Load, seconds: int) -> list[str]:
    command = [sys.executable, "-m", "loadtest", "tune", "benchmarks/_fixed_hold_user.py"]
    command += ["--arrival-rate", str(load.rate), "--arrivals", load.arrivals]
    command += ["--objective", f"checkout.wait_seconds.p95 <= {1000 * load.p95:g}ms"]
    command += ["--option", f"hold={HOLD}", "--at-most", str(MOST), "-t", f"{seconds}s"]
    return [*command, "--json"]


if __name__ == "__main__":
    print(json.dumps(main(longer=long_wanted(8))))
