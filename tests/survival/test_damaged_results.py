"""A run of several processes, cut anywhere or with any byte changed, from file to report."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loadtest.analysis.summarize import summarize, summarize_runs
from loadtest.model.errors import UsageError
from loadtest.model.interval import SERVER, Interval
from loadtest.report.render import read_measurements, render
from loadtest.runfile.reader import Run, read_run
from loadtest.runfile.schema import to_line
from tests.conftest import ROOT

RECORDED = ROOT / "reports" / "example" / "runs" / "default-1.jsonl"
few = settings(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture])
many = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds of a recorded run, each as if two workers had measured it, and the server's."""
    top, *lines = map(json.loads, RECORDED.read_text().splitlines())
    for line in (top, *lines):
        del line["crc"]
    top["load"]["processes"] = 2
    path = tmp_path_factory.mktemp("real") / "runs" / "20+0-1.jsonl"
    path.parent.mkdir()
    path.write_bytes(b"".join(map(to_line, [top, *_of_two(lines[:6]), lines[-1]])))
    assert list(read_run(path).problems) == []
    return path


def _of_two(lines: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for line in lines:
        yield line
        if line["process"] != SERVER:
            yield {**line, "process": "another:2"}


def read_as(content: bytes, folder: Path) -> Run | None:
    """What is read of a file with this content; None if it is refused as a whole, and named."""
    path = folder / "runs" / "20+0-1.jsonl"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    try:
        return read_run(path)
    except UsageError as error:
        refused = str(error)
    assert str(path) in refused
    return None


@functools.cache
def intervals_of(whole: Path) -> list[Interval]:
    """All that was written."""
    run = read_run(whole)
    return [*run.intervals, *run.server]


def assert_sound_part(run: Run | None, whole: Path) -> None:
    """Every interval is one that was written, and its numbers make a summary."""
    if run is None:
        return
    written = intervals_of(whole)
    assert all(one in written for one in [*run.intervals, *run.server])
    json.dumps(summarize_runs([run]).to_json(), allow_nan=False)


@many
@given(share=st.floats(0, 1))
def test_cut_anywhere(whole: Path, tmp_path: Path, share: float) -> None:
    content = whole.read_bytes()
    cut = content[: int(share * len(content))]
    run = read_as(cut, tmp_path)
    assert_sound_part(run, whole)
    ends = cut.count(b"\n")
    if run is None:
        assert not ends
    else:
        assert len(run.intervals) + len(run.server) >= ends - 1 - bool(run.footer)
        assert run.problems or cut.rstrip() == content.rstrip()


@many
@given(data=st.data())
def test_any_byte_changed(whole: Path, tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(whole.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    run = read_as(bytes(content), tmp_path)
    assert_sound_part(run, whole)
    lost = len(content.split(b"\n")) - 1 if run is None else len(run.problems)
    assert lost or place == len(content) - 1, "it is named"
    assert run is None or lost <= 3, "it costs no more than the lines that it joins or parts"


@few
@given(data=st.data())
def test_a_report_names_what_is_damaged(whole: Path, tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(whole.read_bytes())
    first = content.index(b"\n") + 1
    place = data.draw(st.integers(first, len(content) - 2))
    content[place] ^= data.draw(st.integers(1, 255))
    assert read_as(bytes(content), tmp_path)
    (pool,) = render([tmp_path], tmp_path).pools
    named = [f.message for f in pool.findings if f.code == "unsound_file"]
    assert any("is damaged" in message for message in named)
    assert "is damaged" in (tmp_path / "report.html").read_text()


def test_a_plan_that_is_damaged_is_named_and_done_without(whole: Path, tmp_path: Path) -> None:
    read_as(whole.read_bytes(), tmp_path)
    broken = ('{"fault": [{"kind": "x"}]}', '{"load": {"stage": [{}]}}', "\0")
    for text in ("{", "[]", '{"pool": 5}', '{"pool": [{}]}', '{"margin": "x"}', *broken):
        (tmp_path / "experiment.json").write_text(text)
        summary = summarize(read_measurements([tmp_path]))
        (problem,) = summary.experiment["problems"]
        assert "experiment.json cannot be read" in problem
