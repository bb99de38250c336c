"""Runs are reduced while their files are read, whole or in parts."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest

from loadtest.analysis import read_rounds
from loadtest.analysis.pool_runs import arranged, gather
from loadtest.analysis.reduction import read_part
from loadtest.analysis.round import Round
from loadtest.analysis.summarize import summarize
from loadtest.model.errors import UsageError
from loadtest.model.interval import SERVER, Fair, SlowCheckout
from loadtest.model.task_use import TaskUse
from loadtest.runfile.reader import RunFile, read_run
from tests.analysis.builders import SECOND, header, interval, run
from tests.conftest import ROOT

EXAMPLE = ROOT / "reports" / "example" / "runs" / "default-1.jsonl"


def said(*rounds: Round) -> str:
    """All that a summary says of some rounds."""
    return json.dumps(summarize(arranged(rounds)).to_json(), sort_keys=True)


def staged(folder: Path) -> Path:
    """The file of a run in two stages, of two workers and the server, with something of all."""
    stages = [{"name": name, "duration": 3.0, "users": 3} for name in ("calm", "rush")]
    faults = [{"kind": "restart", "at": 1.0, "length": 1.0}]
    parts = []
    for second in range(8):
        for process in ("p1", "p2", SERVER):
            part = interval(
                second,
                process=process,
                period="warmup" if second < 1 else "measured" if second < 7 else "drain",
                length=SECOND // 5 if second == 6 else SECOND,
                counters={"requests": 90 + second, "failures": second % 2, "errors.deadlock": 1},
                gauges={"open": 3 + second, "in_use": second, "users": 10} if second != 3 else {},
                wait=[second] * 9,
                request=[2 * second] * 9,
                checkout=[31_000, second],
                unfinished=[700] * second,
                slowest=[SlowCheckout(SECOND + second, second, task=f"task {second % 3}")],
            )
            part.stage = "calm" if second < 4 else "rush"
            part.fair = Fair(10, 9, 90, 900 + second, SECOND)
            part.tasks = {f"task {second % 2}": TaskUse(9, SECOND, 20, SECOND // 2, 1, second)}
            part.examples = {"deadlock": f"the one of second {second}"} if second > 2 else {}
            parts.append(part)
    load = {**header()["load"], "stages": stages, "faults": faults}
    return run(folder, parts, load=load).path


@pytest.mark.parametrize("size", [1, 3_000, 9_000])
def test_a_run_in_parts_is_the_same_run(tmp_path: Path, size: int) -> None:
    for file in (RunFile(EXAMPLE), RunFile(staged(tmp_path))):
        parts = [read_part(file.header, part) for part in file.parts(size)]
        assert len(parts) > 1
        assert said(Round.joined(file, parts)) == said(Round.read(file))


def test_a_run_that_is_read_is_the_same_as_one_in_memory(tmp_path: Path) -> None:
    for path in (EXAMPLE, staged(tmp_path)):
        in_memory = summarize(gather([read_run(path)])).to_json()
        assert said(Round.read(RunFile(path))) == json.dumps(in_memory, sort_keys=True)


def test_damaged_lines_have_the_same_numbers_in_parts(tmp_path: Path) -> None:
    lines = EXAMPLE.read_bytes().splitlines(keepends=True)
    for number in (3, 4, 9):
        lines[number] = lines[number].replace(b'"interval"', b'"interwal"')
    path = tmp_path / EXAMPLE.name
    path.write_bytes(b"".join(lines))
    file = RunFile(path)
    whole = Round.read(file).run
    parts = [read_part(file.header, part) for part in file.parts(3_000)]
    assert Round.joined(file, parts).run == whole
    assert [problem.split(" (")[0] for problem in whole.problems] == [
        "line 4 is damaged",
        "line 5 is damaged",
        "line 10 is damaged",
    ]


def test_hardly_anything_is_kept_of_an_interval() -> None:
    kept = Round.read(RunFile(EXAMPLE))
    rows = len(kept.data.columns) + len(kept.data.server)
    longer = len(EXAMPLE.read_bytes()) / rows
    columns = pickle.dumps((kept.data.columns, kept.data.server, kept.data.slow))
    assert len(columns) / rows < longer / 2


def test_several_processes_read_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [EXAMPLE, tmp_path / "none.jsonl", staged(tmp_path)]
    alone = read_rounds.read_rounds(paths)
    monkeypatch.setattr(read_rounds, "WORTH_PROCESSES_BYTES", 0)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    called: list[str] = []
    together = read_rounds.read_rounds(paths, 10_000, lambda: called.append("while they read"))
    assert called == ["while they read"]
    for one, other in zip(alone, together, strict=True):
        if isinstance(one, UsageError):
            assert isinstance(other, UsageError)
            assert str(one) == str(other)
        else:
            assert isinstance(other, Round)
            assert said(one) == said(other)
