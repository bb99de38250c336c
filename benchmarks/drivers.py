"""The cost of each driver: a select by key through a scoped_session, and a new connection.

In a round, all ways run in fresh processes, one second at a time while the others are stopped, so
that drift of the machine affects all ways alike. For connections, each driver opens twenty in its
turn. The intervals are t intervals of the logarithms of the ratios to PyMySQL over the rounds.
`--long` has more rounds, and more turns in each.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
from scipy import stats

from benchmarks import work
from benchmarks._driver_loop import DRIVERS
from benchmarks._length import long_wanted
from benchmarks.overhead import Cost, Length, running, turns
from loadtest.database.private_server import PrivateServer
from loadtest.database.supervisor import die_with_parent

SHORT, LONG = Length(3, 3), Length(5, 4)
TURNS_OF_CONNECTING = 20
URL = "LOADTEST_DATABASE_URL"
BASE = "pymysql"
MODELS = ("greenlets", "threads")
Round = list[dict[str, Cost]]


def main(length: Length) -> dict[str, object]:
    """Run it: seconds per session and connection with each driver, and the ratios to PyMySQL.

    not_measured: the drivers that cannot be used here, and why.
    """
    with PrivateServer() as server, tempfile.TemporaryDirectory() as folder:
        work.prepare(server.url)
        url = server.url.render_as_string(hide_password=False)
        missing = {name: why for name in DRIVERS if (why := _why_not(name, url))}
        drivers = [name for name in DRIVERS if name not in missing]
        where = url, Path(folder)
        working = [_working(n, length.turns, drivers, *where) for n in range(length.rounds)]
        connecting = [_connecting(drivers, url) for _ in range(length.rounds)]
    return {
        **{model: {name: _costs(working, model, name) for name in drivers} for model in MODELS},
        "connect": {name: _costs(connecting, "connect", name) for name in drivers},
        "not_measured": missing,
        "rounds": length.rounds,
    }


def _command(driver: str, what: str) -> list[str]:
    return ["-m", "benchmarks._driver_loop", driver, what]


def _why_not(driver: str, url: str) -> str:
    """Why a driver cannot be used: the last line of a failed attempt; empty if it can be used."""
    tried = subprocess.run(
        [sys.executable, *_command(driver, "try")],
        env=os.environ | {URL: url},
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=die_with_parent,
    )
    return tried.stderr.strip().splitlines()[-1] if tried.returncode else ""


def _working(number: int, turns_: int, drivers: Iterable[str], url: str, folder: Path) -> Round:
    with ExitStack() as stack:
        ways = [
            stack.enter_context(
                running(f"{model}-{name}", _command(name, model), url, folder, number)
            )
            for model in MODELS
            for name in drivers
        ]
        return [turns(ways, number + turn) for turn in range(turns_)]


def _connecting(drivers: Iterable[str], url: str) -> Round:
    with ExitStack() as stack:
        asked = {name: stack.enter_context(_asked(name, url)) for name in drivers}
        return [
            {f"connect-{name}": _answer(asked[name]) for name in asked}
            for _ in range(TURNS_OF_CONNECTING)
        ]


@contextmanager
def _asked(driver: str, url: str) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, *_command(driver, "connect")],
        env=os.environ | {URL: url},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=die_with_parent,  # noqa: PLW1509
    )
    with process:  # closes its input, which ends it
        yield process


def _answer(process: "subprocess.Popen[str]") -> Cost:
    assert process.stdin
    assert process.stdout
    print(file=process.stdin, flush=True)
    return Cost(*map(float, process.stdout.readline().split()))


def _costs(rounds: list[Round], what: str, driver: str) -> dict[str, object]:
    own, base = f"{what}-{driver}", f"{what}-{BASE}"
    found: dict[str, object] = {}
    for clock in ("cpu", "wall"):
        logs = [_log_cost(turns_, own, clock) for turns_ in rounds]
        found[f"{clock}_seconds"] = float(np.exp(np.mean(logs)))
        if driver != BASE:
            others = [_log_cost(turns_, base, clock) for turns_ in rounds]
            found[f"{clock}_ratio"] = _ratio(np.subtract(logs, others))
    return found


def _log_cost(turns_: Round, way: str, clock: str) -> float:
    """The logarithm of the cost of a session or connection in one round."""
    return float(np.mean([np.log(getattr(t[way], clock) / t[way].sessions) for t in turns_]))


def _ratio(logs: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> dict[str, object]:
    interval = stats.t.interval(0.95, len(logs) - 1, np.mean(logs), stats.sem(logs))
    return {"ratio": float(np.exp(np.mean(logs))), "ci95": [float(np.exp(e)) for e in interval]}


if __name__ == "__main__":
    print(json.dumps(main(LONG if long_wanted(6) else SHORT)))
