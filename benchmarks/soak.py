"""Full load for an hour on a pool in constant overflow, with faults: growth and errors.

`python -m benchmarks.soak [--minutes 60] [-o FOLDER]` writes soak.json, soak.svg and the run.
Memory is that of the Locust process, sampled every second; the exporter is read every ten seconds.
At the end, the sums of the accounts must agree with the requests in the file, and every page of
metrics must equal the file's totals at the end of some second.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import NullPool, create_engine, func, select

from benchmarks._soak_figure import figure
from benchmarks._soak_user import Account
from loadtest.database.private_server import free_port
from loadtest.experiment.databases import databases
from loadtest.experiment.rounds import ScenarioFacts
from loadtest.experiment.run_plan import RunPlan
from loadtest.experiment.single_run import Database, run_once
from loadtest.model.experiment import Experiment
from loadtest.model.fault import Fault
from loadtest.model.interval import Interval
from loadtest.model.load import LoadConfig
from loadtest.model.pool import PoolConfig
from loadtest.runfile.reader import Run

# More users than pool_size and fewer than the pool may open: no user waits, most reconnect.
USERS, POOL = 12, PoolConfig(name="overflowing", pool_size=2, max_overflow=20)
SCRAPE_EVERY = 10
FAULT_EVERY = 60
# Memory grows until every part was used once.
SETTLED = 0.25
TIMEOUT_SECONDS = 30
COUNTED = {"loadtest_checkouts_total": "checkouts", "loadtest_connections_opened_total": "opened"}


@dataclass
class Watched:
    """The observations from outside. Times are seconds of the run; memory and file are in bytes.

    wrong: pages of metrics that did not equal the file's totals at the end of any second.
    """

    port: int
    began: float = 0.0
    at: list[float] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)
    scraped_at: list[float] = field(default_factory=list)
    scrape_seconds: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    totals: Counter[str] = field(default_factory=Counter)
    _page: dict[str, float] | None = None

    def see(self, interval: Interval) -> None:
        """Note that an interval was written."""
        self.totals.update(interval.counters)
        self._check()
        if interval.period == "drain":
            return  # the process may have ended
        try:
            memory = psutil.Process(int(interval.process.rpartition(":")[2])).memory_info().rss
        except psutil.NoSuchProcess:
            return  # killed; the run reports it
        self.began = self.began or time.monotonic() - interval.length / 1e9
        self.at.append(time.monotonic() - self.began)
        self.memory.append(memory)
        if len(self.at) % SCRAPE_EVERY == 0:
            self._scrape()

    def _scrape(self) -> None:
        begin = time.perf_counter()
        try:
            address = f"http://127.0.0.1:{self.port}/metrics"
            page = urllib.request.urlopen(address, timeout=TIMEOUT_SECONDS).read().decode()
        except OSError as error:
            self.wrong.append(f"no answer: {error}")
            return
        self.scrape_seconds.append(time.perf_counter() - begin)
        self.scraped_at.append(self.at[-1])
        self._page = _sums(page)
        self._check()

    def _check(self) -> None:
        """Check a page against the file; the page may be one second newer than the file as read."""
        if self._page is None:
            return
        differences = [self._page[name] - self.totals[name] for name in COUNTED.values()]
        if not any(differences):
            self._page = None
        elif min(differences) < 0:
            self.wrong.append(f"{self._page} is none of the file's totals, {dict(self.totals)}")
            self._page = None


def main() -> None:
    """Run it and print the outcome; exit code 1 if a sum is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("-o", "--out", type=Path, default=Path("reports") / "soak")
    given = parser.parse_args()
    result = soak(round(given.minutes * 60), given.out)
    print(json.dumps(result))
    sys.exit(0 if result["sums_right"] else 1)


def soak(seconds: int, out: Path) -> dict[str, object]:
    """Run the soak for some minutes and write its outcome into a folder."""
    out.mkdir(parents=True, exist_ok=True)
    watched = Watched(free_port())
    experiment = _experiment(seconds, watched.port)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "runs").mkdir()
        with databases("", experiment, ScenarioFacts([], [], "")) as every:
            at = every[""]
            ran = run_once(RunPlan(experiment, POOL, 1), at, Path(folder), watched.see)
            sums = _sums_in(at)
        result = {**_summary(ran, watched), **_sums_right(ran, watched, sums)}
        ran.path.replace(out / "soak.jsonl")
    curves = {
        "seconds": [round(x, 1) for x in watched.at],
        "memory_bytes": watched.memory,
        "scraped_at": [round(x, 1) for x in watched.scraped_at],
        "scrape_seconds": watched.scrape_seconds,
    }
    (out / "soak.json").write_text(json.dumps({**result, "curves": curves}, indent=1) + "\n")
    (out / "soak.svg").write_text(figure(watched, result), encoding="utf-8")
    return result


def _experiment(seconds: int, port: int) -> Experiment:
    return Experiment(
        name="soak",
        scenario=Path(__file__).with_name("_soak_user.py"),
        load=LoadConfig(users=USERS, duration=float(seconds), warmup=0.0),
        options={"metrics_port": port},
        fault=tuple(_faults(seconds)),
        pool=(POOL,),
    )


def _faults(seconds: int) -> list[Fault]:
    """The faults of every minute, at least two: first a freeze, later slow connects."""
    every = min(FAULT_EVERY, seconds // 2)
    begins = [begin + every / 4 for begin in range(0, seconds - every + 1, every)]
    freezes = [Fault(kind="freeze", at=at, length=every / 30) for at in begins]
    slow = {"kind": "connect-delay", "delay": 0.02, "length": every / 6}
    return [*freezes, *(Fault(at=at + every / 3, **slow) for at in begins)]


def _sums(page: str) -> dict[str, float]:
    """The counters of a page of metrics, under their names in the file."""
    sums: Counter[str] = Counter()
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            if sample.name in COUNTED:
                sums[COUNTED[sample.name]] += sample.value
    return sums


def _sums_in(at: Database) -> tuple[int, int]:
    """The total of all balances, and the number of changes."""
    assert at.url
    engine = create_engine(at.url, poolclass=NullPool)
    with engine.connect() as connection:
        asked = select(func.sum(Account.balance), func.sum(Account.moves))
        balance, moves = connection.execute(asked).one()
    return int(balance), int(moves)


def _summary(ran: Run, watched: Watched) -> dict[str, object]:
    seconds = max(watched.at, default=1.0)
    counters = watched.totals
    return {
        "seconds": round(seconds, 1),
        "requests": counters["requests"],
        "failures": counters["failures"],
        "requests_per_second": counters["requests"] / seconds,
        "connections_opened": counters["opened"],
        "faults": len(ran.header.load.faults),
        "memory_mebibytes": _grown(watched.at, np.array(watched.memory) / 2**20),
        "scrape_seconds": _grown(watched.scraped_at, np.array(watched.scrape_seconds)),
        "file_bytes_per_second": _file(ran.path, seconds),
        "problems": list(ran.problems),
    }


def _file(path: Path, seconds: float) -> dict[str, float]:
    """The bytes per second in a file: mean, early, late, and the longest line."""
    lines = [len(line) for line in path.read_bytes().splitlines()]
    half = len(lines) // 2
    per_line = len(lines) / seconds
    return {
        "mean": sum(lines) / seconds,
        "early": float(np.mean(lines[:half])) * per_line,
        "late": float(np.mean(lines[half:])) * per_line,
        "longest_line": max(lines),
    }


def _grown(at: Sequence[float], values: np.ndarray) -> dict[str, float | None]:
    """The first and the last value, and the growth per hour of the settled part (linear fit)."""
    if not len(values):
        return {"first": None, "last": None, "most": None, "per_hour": None}
    begin = int(SETTLED * len(values))
    x, y = np.array(at[begin:]), values[begin:]
    slope = float(np.polyfit(x, y, 1)[0]) if len(x) > 2 else None
    return {
        "first": float(values[0]),
        "settled": float(values[begin]),
        "last": float(values[-1]),
        "most": float(values.max()),
        "per_hour": None if slope is None else slope * 3600,
    }


def _sums_right(ran: Run, watched: Watched, sums: tuple[int, int]) -> dict[str, object]:
    """Whether the accounts agree with the requests, and the file with itself and the metrics."""
    balance, moves = sums
    done = watched.totals["requests"] - watched.totals["failures"]
    # Whether the COMMIT of a failed request took effect is unknown.
    known = 2 * done <= moves <= 2 * watched.totals["requests"]
    footer = Counter(ran.footer.totals.counters) if ran.footer else Counter[str]()
    return {
        "balance": balance,
        "moves": moves,
        "moves_known_of": 2 * done,
        "scrapes": len(watched.scrape_seconds),
        "wrong_pages": watched.wrong,
        "file_is_its_footer": footer == +watched.totals,
        "sums_right": not balance and known and footer == +watched.totals and not watched.wrong,
    }


if __name__ == "__main__":
    main()
