"""What is fed with inputs. A target makes one and tries it; what it raises is a bug."""

from __future__ import annotations

import atexit
import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

from flask import Flask
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from werkzeug.test import create_environ, run_wsgi_app

from loadtest.analysis.summarize import summarize
from loadtest.live.displays import Live
from loadtest.live.exporter import Exporter
from loadtest.live.second import POINT_LEVELS
from loadtest.model.errors import LoadtestError
from loadtest.model.experiment import read_experiment
from loadtest.model.fault import parse_fault
from loadtest.model.interval import Interval
from loadtest.model.load import parse_stages
from loadtest.model.objective import parse_objective
from loadtest.model.pool import PoolConfig, parse_pool
from loadtest.report.render import read_measurements, render
from loadtest.runfile.decoding import from_line
from loadtest.runfile.line import to_line
from loadtest.runfile.reader import read_run
from tests.fuzz import seeds
from tests.fuzz.mutations import WORDS, another_value, mutated

# Drawing takes a second, so only one input in this number is drawn.
DRAWN = 150
PATHS = (
    *(b"metrics", b"pool", b"pool/data", b"pool/report/1", b"pool/files/pool.js", b"pool/runs"),
    *(b"pool/runs/result", b"pool/results/report/summary.json"),
)
FOLDER = Path(tempfile.mkdtemp(prefix="loadtest-fuzz-"))
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)

Target = Callable[[Random], None]


def file_of_bytes(random: Random) -> None:
    """A run file with bytes changed. With checksums none goes unnoticed."""
    files = seeds.run_files()
    number = random.randrange(len(files))
    content = mutated(random, files[number])
    path = _run_file(content)
    with suppress(LoadtestError):
        run = read_run(path)
        unnoticed = not number and not run.problems and content.strip() != files[0].strip()
        assert not unnoticed, content
        _summarized(random, path)


def file_of_values(random: Random) -> None:
    """A run file whose lines are whole and say something that cannot be."""
    records = [*seeds.records()]
    for _ in range(random.randint(1, 3)):
        at = random.randrange(len(records))
        records[at] = another_value(random, records[at])
    with suppress(LoadtestError):
        _summarized(random, _run_file(b"".join(map(to_line, records))))


def plan_of_values(random: Random) -> None:
    """An experiment.json that says something that cannot be, beside a sound run."""
    path = _run_file(seeds.run_files()[0])
    plan: Any = seeds.plan()
    for _ in range(random.randint(1, 3)):
        plan = another_value(random, plan)
    (path.parent.parent / "experiment.json").write_text(json.dumps(plan))
    with suppress(LoadtestError):
        _summarized(random, path.parent.parent)
    (path.parent.parent / "experiment.json").unlink()


def experiment(random: Random) -> None:
    """An experiment's TOML."""
    path = FOLDER / "experiment.toml"
    path.write_bytes(mutated(random, random.choice(seeds.experiments())))
    with suppress(LoadtestError):
        read_experiment(path)


def option(parse: Callable[[str], object], sound: Sequence[str], random: Random) -> None:
    """A text from the command line."""
    text = mutated(random, random.choice(sound).encode(), WORDS)
    with suppress(LoadtestError):
        parse(text.decode("utf-8", "surrogateescape"))


def metrics(random: Random) -> None:
    """Names of pools, counters, gauges, histograms: the page can be read, its labels are few."""
    registry = CollectorRegistry()
    exporter = Exporter(registry)
    name = mutated(random, b"20+0").decode(errors="replace")
    exporter.begin(PoolConfig().renamed(name))
    part = _part(random)
    if part:
        exporter.add(part)
    page = generate_latest(registry).decode()
    found = {
        (sample.name, *sample.labels.items())
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }
    # A level that an interval does not have is left out.
    assert _samples() - len(POINT_LEVELS) <= len(found) <= _samples(), page


def asked(random: Random) -> None:
    """What is asked of `/metrics` and the live page: there is an answer, or none to that."""
    path, query = mutated(random, random.choice(PATHS)), mutated(random, b"since=0")
    # As a server hands on what a client has sent: only the path is decoded.
    target = {"PATH_INFO": f"/{path.decode('latin-1')}", "QUERY_STRING": quote(query, safe="=&%")}
    _, status, _ = run_wsgi_app(_web_server(), {**create_environ(), **target})
    assert int(status[:3]) < 500, status


@cache
def _web_server() -> Flask:
    """That of Locust, as far as the tool adds to it, in a run; what fails in it is raised."""
    app, live = Flask(__name__), Live()
    app.testing = True
    bare = SimpleNamespace(app=app, auth_required_if_enabled=lambda view: view, template_args={})
    live.serve(bare, "", lambda: FOLDER)
    live.begin(PoolConfig())
    live.add(Interval.from_json(seeds.records()[4]))
    return app


def _part(random: Random) -> Interval | None:
    """What a reader would take for an interval."""
    try:
        found = from_line(to_line(another_value(random, seeds.records()[4])).rstrip())
        return found if isinstance(found, Interval) else None
    except Exception:
        return None


@cache
def _samples() -> int:
    registry = CollectorRegistry()
    Exporter(registry).begin(PoolConfig())
    page = generate_latest(registry).decode()
    return sum(len(family.samples) for family in text_string_to_metric_families(page))


def _run_file(content: bytes) -> Path:
    path = FOLDER / "result" / "runs" / "20+0-1.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def _summarized(random: Random, path: Path) -> None:
    json.dumps(summarize(read_measurements([path])).to_json(), allow_nan=False)
    if random.randrange(DRAWN) == DRAWN // 2:  # Hypothesis likes the ends, and shrinks to zero
        render([path], FOLDER / "report")


QUICK: dict[str, Target] = {
    "experiment": experiment,
    "pool": partial(option, parse_pool, seeds.POOLS),
    "objective": partial(option, parse_objective, seeds.OBJECTIVES),
    "stages": partial(option, parse_stages, seeds.STAGES),
    "fault": partial(option, parse_fault, seeds.FAULTS),
    "asked": asked,
}
SLOW: dict[str, Target] = {
    "file-of-bytes": file_of_bytes,
    "file-of-values": file_of_values,
    "plan-of-values": plan_of_values,
    "metrics": metrics,
}
