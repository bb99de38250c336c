"""Runs made by hand: real files, written as a run writes them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from loadtest.model.distribution import Distribution
from loadtest.model.end_reason import end_of
from loadtest.model.interval import Gauge, Interval, Period, SlowCheckout
from loadtest.model.pool import parse_pool
from loadtest.runfile.line import as_written, to_line
from loadtest.runfile.reader import Run, read_run
from loadtest.runfile.writer import RunWriter

SECOND = 1_000_000_000
MILLISECOND = 1_000_000
START = 1_750_000_000


def level(value: int, length: int = SECOND) -> Gauge:
    """A gauge that stood still."""
    return Gauge(value * length, value, value, value)


def interval(
    second: int = 0,
    *,
    period: Period = "measured",
    process: str = "p1",
    length: int = SECOND,
    counters: Mapping[str, int] | None = None,
    gauges: Mapping[str, int] | None = None,
    unfinished: Iterable[int] = (),
    slowest: Sequence[SlowCheckout] = (),
    **histograms: Iterable[int],
) -> Interval:
    """An interval; gauges stand still, histograms and unfinished waits are in milliseconds."""
    return Interval(
        START + second,
        process,
        period,
        length,
        Counter(counters or {}),
        {name: level(value, length) for name, value in (gauges or {}).items()},
        {name: milliseconds(values) for name, values in histograms.items()},
        milliseconds(unfinished),
        list(slowest),
    )


def milliseconds(values: Iterable[int]) -> Distribution:
    """A distribution of times in milliseconds."""
    return Distribution.of([value * MILLISECOND for value in values])


def header(pool: str = "20+0", round_: int = 1, **more: Any) -> dict[str, Any]:
    """What the first line of a run's file says."""
    settings = parse_pool(pool).model_dump()
    return {
        "name": "hot-row",
        "round": round_,
        "pool": settings,
        "load": {"users": 300, "spawn_rate": 300.0, "duration": None, "warmup": 1.0, "seed": 1},
        "scenario": {
            "files": ["scenarios/hot_row.py"],
            "user_classes": ["HotRow"],
            "options": {"hot_rows": 50},
        },
        "versions": {
            "loadtest": "0.1.0",
            "python": "3.11.2",
            "sqlalchemy": "2.1.9",
            "pymysql": "1.2.4",
            "locust": "2.47.0",
            "gevent": "26.9.0",
        },
        "host": {"cpus": 2, "memory_bytes": 8 * 2**30, "platform": "Linux-6.1-x86_64"},
        "server": {
            "version": "10.11.6-MariaDB",
            "private": True,
            "variables": {"max_connections": 4000, "innodb_flush_log_at_trx_commit": 1},
        },
        "started": START,
        "command": f"locust -f scenarios/hot_row.py --headless --pool {pool}",
        **more,
    }


def run(
    folder: Path,
    intervals: Iterable[Interval],
    pool: str = "20+0",
    round_: int = 1,
    reason: str | None = "finished",
    **more: Any,
) -> Run:
    """A run that was written to its file and read again; without a reason, interrupted."""
    top = header(pool, round_, **more)
    path = folder / "runs" / f"{top['pool']['name']}-{round_}.jsonl"
    writer = RunWriter(path, top)
    for one in intervals:
        writer.add(one)
    if reason is not None:
        end = end_of(reason)
        assert end
        writer.close(end, {"counters": {}})
    else:
        writer._file.close()
    return read_run(path)


def steady(
    folder: Path,
    pool: str,
    per_second: Sequence[int],
    *,
    failures: int = 0,
    peak: int = 20,
    wait: int = 10,
    seconds: int = 2,
    cpu: float = 0.5,
    **more: Any,
) -> list[Run]:
    """One run per round, with this number of requests in each second; some of them fail."""
    counters = {"failures": failures, "cpu": int(cpu * SECOND), "errors.deadlock": failures}
    return [
        run(
            folder,
            [
                interval(
                    second,
                    counters={**counters, "requests": requests + failures, "checkouts": requests},
                    gauges={"open": peak, "in_use": peak},
                    wait=[wait] * 600,
                    request=[2 * wait] * 600,
                )
                for second in range(seconds)
            ],
            pool,
            number,
            **more,
        )
        for number, requests in enumerate(per_second, start=1)
    ]


# ---- A whole experiment that looks like a real one: three pools, five rounds.

CLASHES = {
    # pool: requests and failures a second, connections, mean hold (ms), generator CPU
    "default:5+10": (646, 1.6, 15, 23.0, 0.46),
    "20+0": (689, 1.7, 20, 29.0, 0.49),
    "seed:3000+inf": (224, 142.0, 300, 1340.0, 0.21),
}


def experiment(folder: Path, rounds: int = 5, users: int = 300) -> Path:
    """Write the runs of an experiment in which too many connections fight over a few rows."""
    random = np.random.default_rng(1)
    load = {**header()["load"], "duration": 5.0}
    for round_ in range(1, rounds + 1):
        # What slows a round down slows every pool in it.
        speed = random.normal(1, 0.02)
        for pool in CLASHES:
            run(folder, _seconds(random, pool, users, speed), pool, round_, load=load)
    plan = {
        "name": "hot-row",
        "scenario": "scenarios/hot_row.py",
        "rounds": rounds,
        "seed": 1,
        "baseline": "default",
        "load": load,
        "options": {"hot_rows": 50},
        "pool": [parse_pool(pool).model_dump() for pool in CLASHES],
    }
    (folder / "experiment.json").write_text(json.dumps(plan))
    return folder


def _seconds(
    random: np.random.Generator, pool: str, users: int, speed: float
) -> Iterable[Interval]:
    requests, failing, connections, hold, cpu = CLASHES[pool]
    for second in range(7):
        period: Period = "warmup" if second < 1 else "measured" if second < 6 else "drain"
        # Users who wait for each other are more even than chance.
        ended = int(requests * speed * random.normal(1, 0.01))
        failed = min(int(random.poisson(failing)), ended)
        waiting = users - connections
        waits = random.gamma(1.2, waiting / requests / 1.2, ended) if waiting else [2e-5] * ended
        connects = random.gamma(4, 0.0008, connections if second == 0 else 0)
        holds = random.gamma(2.5, hold / 2.5e3, ended)
        pauses = random.gamma(1.5, 0.001, 100)
        yield Interval(
            START + second,
            "p1",
            period,
            SECOND,
            Counter(
                {
                    "requests": ended,
                    "failures": failed,
                    "errors.deadlock": failed,
                    "checkouts": ended,
                    "checkouts.pooled": max(0, ended - len(connects)),
                    "checkouts.new": len(connects),
                    "opened": len(connects),
                    "cpu": int(cpu * speed * SECOND),
                }
            ),
            {
                "in_use": level(connections),
                "idle": level(0),
                "open": level(connections),
                "overflow": level(10 if pool.startswith("default") else 0),
                "waiting": Gauge(waiting * SECOND, waiting, waiting + 3, waiting)
                if waiting
                else level(0),
                "users": level(users),
            },
            {
                "wait": seconds_of(waits),
                "checkout": seconds_of(waits),
                "connect": seconds_of(connects),
                "hold": seconds_of(holds),
                "reset": seconds_of(random.gamma(3, 5e-5, ended)),
                "request": seconds_of((np.asarray(waits) + holds)[failed:]),
                "failed_request": seconds_of((np.asarray(waits) + holds)[:failed]),
                "generator_lag": seconds_of(pauses),
            },
            seconds_of(random.gamma(1.2, 0.2, waiting)),
        )


def seconds_of(values: Iterable[float]) -> Distribution:
    """A distribution of times in seconds."""
    return Distribution.of((np.asarray(list(values), dtype=float) * 1e9).astype(np.int64))


def change_header(one: Run, change: Callable[[dict[str, Any]], None]) -> None:
    """Change what the first line of a run's file says, as if it had been written so."""
    header = as_written(one.path.read_bytes().splitlines()[0])
    change(header)
    _, rest = one.path.read_bytes().split(b"\n", 1)
    one.path.write_bytes(to_line(header) + rest)
