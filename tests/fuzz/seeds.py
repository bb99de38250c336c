"""The sound inputs from which the others are made."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from loadtest.model.interval import SERVER, Fair, Interval, SlowCheckout
from loadtest.model.task_use import TaskUse
from loadtest.runfile.line import to_line
from tests.analysis.builders import SECOND, START, header, interval
from tests.analysis.driven_requests import requested
from tests.conftest import ROOT

EXAMPLE = ROOT / "reports" / "example"
COUNTERS = {"requests": 90, "failures": 3, "errors.deadlock": 3, "checkouts": 90, "cpu": 10**8}
LEVELS = {"open": 7, "in_use": 6, "idle": 1, "overflow": 2, "waiting": 3, "users": 10}
WORKER = {
    "process": "p1",
    "state": "ended",
    "intervals": 4,
    "lost": 0,
    "latest_seconds": 0.2,
    "clock_ahead_seconds": 0.001,
    "round_trip_seconds": 0.002,
}
POOLS = (
    *("20+0", "3000+inf", "small:5+10", "poolclass=NullPool", "as-is", "fair:poolclass=FairPool"),
    "pool_size=20,max_overflow=0,pool_timeout=2,pool_recycle=60,pool_pre_ping=true",
    "isolation_level=READ COMMITTED,pool_reset_on_return=none,pool_use_lifo=1",
)
OBJECTIVES = (
    "checkout.wait_seconds.p95 <= 50ms, errors.rate <= 0.1%",
    "throughput.per_second >= 100/s, stages.rush.request_seconds.p99 < 1.5s",
    "errors.by_kind.deadlock <= 0",
    'request["GET /orders, \\"all\\""].p95 <= 200ms, errors.rate <= 1%',
)
FAULTS_OF_A_RUN = [
    {"kind": "restart", "at": 0.5, "length": 1.0},
    {"kind": "kill", "at": 2.0, "share": 0.5},
]
HAPPENED = [
    {"fault": "restart@0.5s+1s", "begin": START + 1.5, "end": START + 2.6, "problem": "slow"},
    {"fault": "kill:50%@2s", "begin": START + 3.0, "end": START + 3.0, "killed": 3},
]
STAGES = ("calm=5s:50/s,rush=5s:50-300/s,after=5s:50/s", "10s:50,2s:0/s+50", "1m:10-20")
FAULTS = ("freeze@10s+2s", "connect-delay:150ms", "connect-delay:1.5s@3s+2m")


@cache
def records() -> list[dict[str, Any]]:
    """A run of two processes and the server, with something of everything."""
    load = {"stages": [{"name": "a", "duration": 3.0, "users": 3}], "faults": FAULTS_OF_A_RUN}
    first = header(round_=1, load={**header()["load"], **load, "model": "greenlets", "warmup": 1.0})
    parts = [_part(second, process) for second in range(5) for process in ("p1", "p2", SERVER)]
    footer = {"type": "footer", "reason": "finished", "totals": {}, "workers": [WORKER]}
    footer["faults"] = HAPPENED
    return [{"type": "header", "format": 1, **first}, *(p.to_json() for p in parts), footer]


def _part(second: int, process: str) -> Interval:
    period: Any = "warmup" if second < 1 else "measured" if second < 4 else "drain"
    times = {name: [1, 2, 30] for name in ("wait", "checkout", "hold", "request", "generator_lag")}
    part = interval(
        second, process=process, period=period, counters=COUNTERS, gauges=LEVELS,
        unfinished=[5], slowest=[SlowCheckout(SECOND, 5, 6, 7, 8, "buy", 1, 2)], **times,
    )  # fmt: skip
    part.fair, part.stage = Fair(10, 9, 90, 900, SECOND), "a"
    part.tasks = {"buy": TaskUse(9, SECOND, 20, SECOND // 2, 1, 1)}
    part.examples = {"deadlock": "(1213, 'Deadlock found')"}
    return requested(part, "GET /orders", [5] * 20, failed=[9], waited=[3] * 20)


@cache
def run_files() -> list[bytes]:
    """Whole files: with checksums, and from before there were any."""
    old = (EXAMPLE / "runs" / "40+0-1.jsonl").read_bytes()
    short = b"".join(old.splitlines(keepends=True)[:6])
    plain = b"".join(json.dumps(record).encode() + b"\n" for record in records())
    return [b"".join(map(to_line, records())), plain, short]


@cache
def experiments() -> list[bytes]:
    """All experiments that are shipped."""
    files = [*(ROOT / "scenarios").glob("*.toml"), *Path(ROOT / "tests").rglob("*.toml")]
    return [path.read_bytes() for path in sorted(files)]


@cache
def plan() -> dict[str, Any]:
    """What experiment.json says of the run."""
    data: dict[str, Any] = json.loads(
        (ROOT / "reports" / "example" / "experiment.json").read_text()
    )
    said = {"baseline": "20+0", "objective": OBJECTIVES[0], "fault": FAULTS_OF_A_RUN}
    return {**data, **said, "pool": [header()["pool"]]}
