"""A result that has all that makes a report long: not valid, in stages, broken, too slow."""

import json
from pathlib import Path

from loadtest.runfile.footer import add_to_footer
from loadtest.runfile.reader import read_run
from tests.analysis.builders import CLASHES, SECOND, START, experiment, header, run

STAGES = [
    {"name": "calm", "duration": 2.0, "users": 150},
    {"name": "rush-of-the-evening", "duration": 3.0, "users": 150, "to": 300.0},
]
FAULTS = [
    {"kind": "restart", "at": 3.0, "length": 1.0},
    {"kind": "kill", "at": 4.5, "share": 0.5},
]
SPANS = [
    {"fault": "restart", "begin": START + 4.0, "end": START + 5.2},
    {"fault": "kill", "begin": START + 5.5, "end": START + 5.5},
]
BUSY = "20+0"


def troubled(folder: Path) -> Path:
    """Write the runs of three pools that miss their objective, one with a generator at its end."""
    experiment(folder, rounds=2)
    load = {**header()["load"], "stages": STAGES, "faults": FAULTS}
    for pool in CLASHES:
        for number in (1, 2):
            _break(folder, pool, number, load)
    path = folder / "experiment.json"
    plan = json.loads(path.read_text())
    plan |= {"objective": "checkout.wait_seconds.p95 <= 10us, errors.rate <= 0%", "load": load}
    path.write_text(json.dumps(plan))
    return folder


def _break(folder: Path, pool: str, number: int, load: object) -> None:
    name = pool.partition(":")[0]
    one = read_run(folder / "runs" / f"{name}-{number}.jsonl")
    for part in one.intervals:
        if part.period == "measured":
            part.stage = "calm" if part.second < START + 3 else "rush-of-the-evening"
        if name == BUSY:
            part.counters["cpu"] = SECOND
    made = run(folder, one.intervals, pool, number, load=load)
    add_to_footer(made.path, faults=SPANS)
