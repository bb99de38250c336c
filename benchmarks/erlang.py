"""Whether the mean wait in an open loop is right, compared with Erlang's formula.

Poisson arrivals and exponential holds on c connections are an M/M/c queue. Erlang's formula in
loadtest/analysis/statistics/queueing.py gives its mean wait.

Each replication is a worker of one Locust run, with its own pool, arrivals and holds. The rate and
the hold in the formula are the means of all replications together, from the same result files. In a
single replication they vary by chance, and the mean of a convex function of them would be too high
(by 3 % at 95 % load, in a simulation with the lengths of `--long`). The interval is over the
replications; in the short form it is wide.

Two properties of a real pool are not in the formula, and nothing is subtracted for them. A checkout
takes about 50 us without any wait. A returned connection is idle for 50 to 100 us until the
greenlet that waits for it runs, which acts like a longer hold. Therefore holds are long: both
effects together are one or two per cent of the mean wait at 50 and 80 % load, and less than five at
95 %. On a busy machine they are much larger: `generator_lag`, the mean lag of the event loops, is
then above half a millisecond, and the comparison means nothing.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

from benchmarks._length import long_wanted
from loadtest.analysis.round import Round
from loadtest.analysis.statistics.queueing import erlang_c_wait
from loadtest.database.private_server import PrivateServer
from loadtest.database.supervisor import die_with_parent
from loadtest.model.interval import SECOND, Interval
from loadtest.runfile.reader import read_run

CONNECTIONS, HOLD = 3, 0.04
REPLICATIONS = 12
# Enough users: all of them are busy once in a thousand million arrivals.
USERS = 400


@dataclass(frozen=True)
class Length:
    """The measured time at a load, and the time before it to become stationary (s)."""

    measured: int
    warmup: int


SHORT = {0.5: Length(30, 5), 0.8: Length(45, 15), 0.95: Length(60, 60)}
LONG = {0.5: Length(400, 5), 0.8: Length(350, 15), 0.95: Length(600, 60)}


def main(lengths: dict[float, Length]) -> list[dict[str, object]]:
    """Run it: for each load the mean wait (s), predicted and measured, and its interval."""
    with PrivateServer() as server, tempfile.TemporaryDirectory() as folder:
        url = server.url.render_as_string(hide_password=False)
        return [
            _compared(load, _replications(load, length, url, Path(folder)))
            for load, length in lengths.items()
        ]


def _replications(load: float, length: Length, url: str, folder: Path) -> list[Interval]:
    """The measurements of each worker of a run."""
    result = folder / f"{load}.jsonl"
    log = folder / f"{load}.log"
    with log.open("w") as output:
        subprocess.run(
            _command(load, length, result),
            env={**os.environ, "LOADTEST_DATABASE_URL": url, "PYTHONPATH": os.getcwd()},
            stdout=output,
            stderr=output,
            check=False,
            preexec_fn=die_with_parent,
        )
    run = read_run(result) if result.exists() else None
    if run is None or not run.finished:
        raise RuntimeError(log.read_text()[-2000:])
    return list(Round.of(run).processes.values())


def _command(load: float, length: Length, result: Path) -> list[str]:
    rate, users = REPLICATIONS * load * CONNECTIONS / HOLD, REPLICATIONS * USERS
    command = [sys.executable, "-m", "locust", "-f", "benchmarks/_erlang_user.py", "--headless"]
    command += ["--only-summary", "--processes", str(REPLICATIONS), "-u", str(users)]
    command += ["-r", str(users), "-t", f"{length.warmup + length.measured}s"]
    command += ["--warmup", f"{length.warmup}s", "--seed", str(round(load * 100))]
    command += ["--arrival-rate", str(rate), "--drop-after", "3600", "--mean-hold", str(HOLD)]
    command += ["--pool-size", str(CONNECTIONS), "--max-overflow", "0", "--pool-timeout", "3600"]
    return [*command, "--results", str(result)]


def _compared(load: float, parts: list[Interval]) -> dict[str, object]:
    waits = [_mean([part], "wait") for part in parts]
    measured = float(np.mean(waits))
    rate = float(np.mean([part.counters["checkouts"] * SECOND / part.length for part in parts]))
    hold = _mean(parts, "hold")
    predicted = erlang_c_wait(CONNECTIONS, rate, hold)
    interval = stats.t.interval(0.95, len(waits) - 1, measured, stats.sem(waits))
    return {
        "load": load,
        "predicted": predicted,
        "measured": measured,
        "ci95": [float(edge) for edge in interval],
        "error": measured / predicted - 1,
        "realised_load": rate * hold / CONNECTIONS,
        "realised_hold": hold,
        "generator_lag": _mean(parts, "generator_lag"),
        "replications": len(parts),
        "arrivals": sum(part.counters["arrivals"] for part in parts),
        "dropped": sum(part.counters["dropped"] for part in parts),
    }


def _mean(parts: Iterable[Interval], name: str) -> float:
    found = [part.histograms[name] for part in parts]
    return sum(one.sum for one in found) / sum(one.count for one in found) / 1e9


if __name__ == "__main__":
    print(json.dumps(main(LONG if long_wanted(24) else SHORT)))
