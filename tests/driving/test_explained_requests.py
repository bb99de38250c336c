"""A load generator learns from the responses of an application how long its requests waited."""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from loadtest.model.request_use import ages_in_progress
from loadtest.recording.steering.orders import Orders
from loadtest.runfile.reader import read_run
from tests.driving.applications import MEASURED
from tests.processes import ended_here, free_port

# A pool of one connection, which each request holds for 100 ms, and a thread for each request.
SLOW_SHOP = """
import sys, time
from flask import Flask
from sqlalchemy import create_engine
from werkzeug.serving import make_server

app = Flask("shop")
engine = create_engine(f"sqlite:///{sys.argv[2]}", pool_size=1, max_overflow=0)

@app.get("/health")
def health():
    return "ok"

@app.get("/orders/<int:number>")
def order(number):
    with engine.connect():
        time.sleep(0.1)
    return "ok"

make_server("127.0.0.1", int(sys.argv[1]), app, threaded=True).serve_forever()
"""
HELD_SECONDS = 0.1
VISITORS = """
from locust import FastHttpUser, HttpUser, constant, task

class Visitor(HttpUser):
    wait_time = constant(0)

    @task
    def order(self):
        self.client.get("/orders/7", name="/orders/{number}")

class FastVisitor(FastHttpUser):
    wait_time = constant(0)

    def on_start(self):
        self.client.get("/orders/1", name="/first")

    def on_stop(self):
        self.client.get("/orders/2", name="/last")

    @task
    def order(self):
        self.client.get("/orders/7", name="/orders/{number}")

    @task
    def missing(self):
        self.client.get("/missing")
"""


def driven(folder: Path) -> Any:
    """The only pool of the summary of a run with four visitors."""
    (folder / "app.py").write_text(SLOW_SHOP)
    (folder / "visitors.py").write_text(VISITORS)
    port = free_port()
    words = shlex.join([sys.executable, "app.py", str(port), "shop.db"])
    options = ["--app", words, "--ready", f"http://127.0.0.1:{port}/health"]
    objective = 'request["GET /orders/{number}"].count >= 1'
    command = ("run", "visitors.py", *options, "-u", "4", "-t", "3s", "--warmup", "1s", "--no-try")
    orders = Orders(tell="/dev/null").variables()
    ended = ended_here(folder / "log", *command, "--objective", objective, cwd=folder, env=orders)
    assert ended.code in MEASURED, ended.output
    summary = json.loads(next(folder.glob("reports/*-*/summary.json")).read_text())
    return summary["pools"][0]


def test_a_known_wait_is_found(tmp_path: Path) -> None:
    pool = driven(tmp_path)
    orders, missing = (pool["request"][f"GET {name}"] for name in ("/orders/{number}", "/missing"))
    assert orders["by_status"] == {"200": orders["count"]}
    assert missing["by_status"] == {"404": missing["count"]}
    assert (orders["failed"], missing["failed"]) == (0, missing["count"])
    assert pool["errors"]["by_kind"] == {"http_4xx": missing["count"]}
    found = orders["explained"]["p50"]
    assert found["told"] > 10
    # Beside the hold there is little else, and most of the time is waiting for other visitors.
    assert found["seconds"] / 2 < found["waiting_seconds"] <= found["seconds"] - HELD_SECONDS
    assert missing["explained"] == {}
    assert_counts_as_locust_has_them(next(tmp_path.glob("reports/*-*/runs/*.jsonl")))


def assert_counts_as_locust_has_them(path: Path) -> None:
    """The requests of all periods are those of Locust's table; its log is beside the run file."""
    counted, ages = Counter[str](), []
    for one in read_run(path).intervals:
        counted.update({name: use.count for name, use in one.requests.items()})
        if not one.role:
            assert ages_in_progress(one.requests).count == one.gauges["in_progress"].last
            ages.append(one.gauges["in_progress"].last)
    table = re.findall(r"(?m)^GET +(\S+) +(\d+) +\d+\(", path.with_suffix(".log").read_text())
    assert counted == {f"GET {name}": int(number) for name, number in table}
    assert {"GET /first", "GET /last"} <= counted.keys()
    assert max(ages) > 0
    assert ages[-1] == 0
