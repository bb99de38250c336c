"""Exports, opened by other tools: HdrHistogram's reader, the csv module, an XML parser."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as XML

import pytest
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader

from loadtest.analysis.summarize import summarize
from loadtest.model.errors import UsageError
from loadtest.model.interval import SERVER, total
from loadtest.report.export import exported, write_new
from loadtest.report.render import read_measurements
from loadtest.runfile.folders import find_runs
from loadtest.runfile.reader import read_run
from tests.analysis.builders import experiment
from tests.conftest import ROOT

EXAMPLE = ROOT / "reports" / "example"
LONGEST = 3_600_000_000


def waits_in(log: Path, tag: str) -> HdrHistogram:
    """All waits of a pool, added up by HdrHistogram's own reader."""
    everything = HdrHistogram(1, LONGEST, 2)
    reader = HistogramLogReader(str(log), everything)
    while found := reader.get_next_interval_histogram():
        if found.get_tag() == tag:
            everything.add(found)
    reader.input_file.close()
    return everything


def test_a_histogram_log_has_every_wait_that_was_measured(tmp_path: Path) -> None:
    log = tmp_path / "waits.hlog"
    write_new(log, exported(EXAMPLE, "hlog"))
    runs = [read_run(path) for path in find_runs([EXAMPLE])]
    of_default = [run for run in runs if run.pool_name == "default"]
    measured = total(one for run in of_default for one in run.measured()).histograms["wait"]

    read = waits_in(log, "default.wait")

    assert read.get_total_count() == measured.count > 0
    ours = measured.percentile_seconds(95)
    assert ours
    assert read.get_value_at_percentile(95) == pytest.approx(ours * 1e6, rel=0.01)


def test_the_intervals_of_a_log_are_in_the_order_of_time() -> None:
    lines = [line for line in exported(EXAMPLE, "hlog") if line.startswith("Tag=")]
    began = [float(line.split(",")[1]) for line in lines]
    assert began == sorted(began)


def test_csv_has_a_row_for_each_interval_with_units_in_its_columns(tmp_path: Path) -> None:
    path = tmp_path / "seconds.csv"
    write_new(path, exported(EXAMPLE, "csv"))
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    runs = [read_run(path) for path in find_runs([EXAMPLE])]

    assert len(rows) == sum(len(run.intervals) + len(run.server) for run in runs)
    units = ("_count", "_mean", "_min", "_max", "_s", "_utc_s")
    named = {"pool", "round", "model", "server", "process", "role", "period", "stage"}
    assert [name for name in rows[0] if not name.endswith(units) and name not in named] == []
    clients = [row for row in rows if row["process"] != SERVER and row["wait_values_count"]]
    waits = sum(int(row["wait_values_count"]) for row in clients)
    counted = [
        one.histograms["wait"].count
        for run in runs
        for one in run.intervals
        if "wait" in one.histograms
    ]
    assert waits == sum(counted)


def test_junit_has_a_case_for_each_pool_and_bound(tmp_path: Path) -> None:
    plan = experiment(tmp_path) / "experiment.json"
    objective = "throughput.per_second >= 200/s, errors.rate <= 100%"
    plan.write_text(json.dumps({**json.loads(plan.read_text()), "objective": objective}))
    summary = summarize(read_measurements([tmp_path]))

    suite = XML.fromstring("".join(exported(tmp_path, "junit")))

    cases = list(suite.iter("testcase"))
    failed = {
        (one.get("classname"), one.get("name")) for one in cases if one.find("failure") is not None
    }
    missed = {
        (pool.name, bound.text)
        for pool in summary.pools
        for bound in pool.objectives
        if pool.valid and bound.met is False
    }
    assert len(cases) == 2 * len(summary.pools)
    assert failed == missed
    assert 0 < len(missed) < len(cases)


@pytest.mark.parametrize(
    ("name", "message"),
    [("xlsx", "--format xlsx: choose one of hlog, csv, junit"), ("junit", "no objectives")],
)
def test_what_cannot_be_exported_is_refused_with_the_reason(name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        list(exported(EXAMPLE, name))


@pytest.mark.parametrize("name", ["hlog", "csv"])
def test_a_run_that_was_interrupted_is_refused(tmp_path: Path, name: str) -> None:
    (whole, *_) = find_runs([EXAMPLE])
    cut = tmp_path / "cut.jsonl"
    cut.write_bytes(b"".join(whole.read_bytes().splitlines(keepends=True)[:-1]))
    with pytest.raises(UsageError, match="was interrupted"):
        exported(cut, name)


def test_a_file_that_exists_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("mine")
    with pytest.raises(UsageError, match="exists already"):
        write_new(path, exported(EXAMPLE, "csv"))
    assert path.read_text() == "mine"


def test_an_export_that_fails_leaves_no_file(tmp_path: Path) -> None:
    def lines() -> Iterator[str]:
        yield "pool,round\n"
        raise UsageError("the result is damaged")

    path = tmp_path / "seconds.csv"
    with pytest.raises(UsageError, match="the result is damaged"):
        write_new(path, lines())
    assert not path.exists()
