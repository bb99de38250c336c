"""Inputs that fuzzing has found, each of which once ended in a traceback."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from loadtest.model.errors import UsageError
from loadtest.model.experiment import read_experiment
from loadtest.model.pool import parse_pool
from loadtest.runfile.footer import add_to_footer
from loadtest.runfile.reader import read_run
from tests.analysis.builders import change_header, steady

MANY = "9" * 5000
EXPERIMENT = 'name = "x"\nscenario = "s.py"\n[[pool]]\npool_size = 3\n'


@pytest.mark.parametrize("pool", [f"{MANY}+0", f"1+{MANY}", "٣+0"])
def test_numbers_of_a_pool_that_are_none(pool: str) -> None:
    with pytest.raises(UsageError, match="--pool"):
        parse_pool(pool)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("pool_size = 3", f"pool_size = {MANY}", "not valid TOML"),
        ('"s.py"', f'"{MANY}"', "there is no file"),
        ("[[pool]]", f"[load]\nduration = {MANY[:400]}\n[[pool]]", "load.duration"),
    ],
)
def test_experiments(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = tmp_path / "x.toml"
    path.write_text(EXPERIMENT.replace(old, new))
    with pytest.raises(UsageError, match=said):
        read_experiment(path)


@pytest.mark.parametrize(
    "change",
    [
        {"scenario": {"user_classes": [0.5]}},
        {"load": {"stages": [{}]}},
        {"load": {"stages": [{"name": "a", "duration": 1.0}]}},
        {"load": {"stages": [{"name": "a", "duration": "1s", "users": 1}]}},
        {"load": {"faults": [{"kind": "quake", "at": 1.0}]}},
        {"load": {"warmup": "x"}},
        {"pool": {"name": None}},
        {"round": -1},
        {"started": None},
    ],
)
def test_headers_that_say_what_cannot_be(tmp_path: Path, change: dict[str, object]) -> None:
    (one,) = steady(tmp_path, "20+0", [9])
    change_header(one, lambda header: header.update(change))
    with pytest.raises(UsageError, match="the header, is damaged"):
        read_run(one.path)


@pytest.mark.parametrize("told", [["x"], [{"begin": "soon"}], [{"begin": 1.0, "killed": -1}]])
def test_footers_that_tell_of_faults_that_cannot_be(tmp_path: Path, told: list[object]) -> None:
    (one,) = steady(tmp_path, "20+0", [9])
    add_to_footer(one.path, faults=told)
    found = read_run(one.path)
    assert [problem.startswith("line 4 is damaged") for problem in found.problems] == [True, False]
    assert found.footer is None


@pytest.mark.parametrize("end", ["}", ', "gauges": 5}', "} }", " 5"])
def test_a_wrong_value_in_a_line_that_goes_on_as_no_json(tmp_path: Path, end: str) -> None:
    path = tmp_path / "run.jsonl"
    (one,) = steady(tmp_path, "20+0", [9])
    line = '{"type": "interval", "second": 1, "process": "a", "period": "measured", "length": 1, '
    header, *_ = one.path.read_bytes().splitlines(keepends=True)
    content = json.loads(header)
    del content["crc"]  # a file from before there were checksums
    path.write_text(f'{json.dumps(content)}\n{line}"gauges": {{"open": "x"{end}\n')
    (problem, _) = read_run(path).problems
    assert problem.startswith("line 2 is damaged") or "line 2: " in problem
