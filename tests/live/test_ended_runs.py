"""The ended runs that the live page shows: read from results, drawn, compared, served."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from html import unescape
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urljoin

import pytest

from loadtest.live import ended_runs, run_comparison
from loadtest.live.comparing.request_guard import TOKEN_HEADER
from loadtest.live.ended_runs import EndedRun, EndedRuns, numbers_in, reported_run
from loadtest.live.points import Points
from loadtest.live.run_comparison import ComparisonReports, refuse_comparison
from loadtest.live.run_pages import linked_files
from loadtest.live.run_series import run_series
from loadtest.live.second import Point
from loadtest.model.errors import LoadtestError, UsageError
from loadtest.model.pool import parse_pool
from loadtest.runfile.folders import point_latest_at
from loadtest.runfile.reader import RunFile, read_run
from loadtest.runfile.writer import RunWriter
from tests.analysis.builders import START, header, interval, run, steady
from tests.conftest import ROOT
from tests.live.measured_runs import LOAD, reported, result, three_runs, web_app

Loadtest = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The three runs, and what is no finished run: an experiment, a link, a run in progress."""
    folder = tmp_path_factory.mktemp("results")
    three = three_runs(folder)
    for pool in ("5+10", "20+0"):
        run(folder / "experiment", [interval(0, counters={"requests": 9})], pool)
    reported(folder / "experiment")
    point_latest_at(three[-1])
    run(folder / "begun", [interval(0)])
    return folder


def killed(folder: Path) -> Path:
    """The file of a run whose process was killed while it wrote a line."""
    steady(folder, "20+0", [100], failures=25, seconds=3, reason=None)
    (path,) = folder.glob("runs/*.jsonl")
    with path.open("ab") as file:
        file.write(b'{"type":"interval","second":17500')
    return path


def runs_in(results: Path) -> list[EndedRun]:
    return EndedRuns(lambda: results).newest()


class TestTheRuns:
    """Read again from disk, so a new process has them, too."""

    def test_they_are_the_reports_of_single_runs_the_newest_first(self, results: Path) -> None:
        third, second, first = runs_in(results)
        assert [one.name for one in (first, second, third)] == ["first", "second", "third"]
        assert (first.pool, first.begun, first.seconds) == ("5+10", START + 0.1, 12)
        assert (second.per_second, second.errors, second.problem) == (700, 0, "")
        assert first.wait_p95 == pytest.approx(0.04, rel=0.02)
        assert (first.at_least, first.file.name) == (False, "5+10-1.jsonl")
        assert third.problem.startswith("The load generator used 90 % of its core or more in 100 %")

    def test_a_report_that_is_made_again_is_read_again(self, tmp_path: Path) -> None:
        runs = EndedRuns(lambda: tmp_path)
        assert runs.newest() == []
        folder = result(tmp_path, "one", "20+0")
        summary = folder / "summary.json"
        assert [one.per_second for one in runs.newest()] == [100]
        shutil.rmtree(folder / "runs")
        result(tmp_path, "one", "20+0", 300)
        assert [one.per_second for one in runs.newest()] == [300]
        summary.write_text('{"schema": 1, "pools": "none"}')
        assert runs.newest() == []
        summary.unlink()
        assert runs.newest() == []

    def test_a_folder_that_is_missing_has_none(self, tmp_path: Path) -> None:
        assert runs_in(tmp_path / "missing") == []
        assert reported_run(tmp_path) is None


class TestAKilledRun:
    """It has a file without a footer, and no report."""

    def test_has_the_numbers_of_its_file_until_its_report_is_made(self, tmp_path: Path) -> None:
        folder = tmp_path / "killed"
        path = killed(folder)
        result(tmp_path, "whole", "5+10", started=START + 9)
        whole, run = runs_in(tmp_path)
        assert (whole.name, whole.command) == ("whole", "")
        assert (run.name, run.pool, run.begun, run.file) == ("killed", "20+0", START, path)
        assert (run.seconds, run.per_second, run.errors) == (3, 100, 0.2)
        assert run.wait_p95 == pytest.approx(0.01, rel=0.02)
        assert run.problem == "interrupted: its process ended before the run did"
        assert run.command == f"loadtest report {folder}"
        refuse_comparison([whole, run])
        reported(folder)
        whole, run = runs_in(tmp_path)
        assert (run.name, run.per_second, run.command) == ("killed", 100, "")

    def test_of_an_application_has_the_waits_of_its_pools(self, tmp_path: Path) -> None:
        path = tmp_path / "driven" / "runs" / "1+0-1.jsonl"
        path.parent.mkdir(parents=True)
        shutil.copy(ROOT / "tests/recorded/driven-pool-timeouts-as-5xx/run.jsonl", path)
        numbers = numbers_in(RunFile(path))
        reported(tmp_path / "driven")
        (run,) = runs_in(tmp_path)
        for name in ("seconds", "per_second", "errors"):
            assert numbers[name] == pytest.approx(getattr(run, name), rel=0.02), name
        assert run.wait_p95
        assert 0 < (numbers["wait_p95"] or 0) <= run.wait_p95 * 1.02

    def test_a_request_reads_new_files_up_to_a_size_and_each_once(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        read: list[str] = []

        def counted(file: RunFile) -> dict[str, float | None]:
            read.append(file.path.parent.parent.name)
            return numbers_in(file)

        size = max(killed(tmp_path / name).stat().st_size for name in ("one", "two"))
        monkeypatch.setattr(ended_runs, "numbers_in", counted)
        monkeypatch.setattr(ended_runs, "MOST_READ", size * 3 // 2)
        runs = EndedRuns(lambda: tmp_path)
        seconds = [sorted(one.seconds or 0 for one in runs.newest()) for _ in range(3)]
        assert seconds == [[0, 3], [3, 3], [3, 3]]
        assert sorted(read) == ["one", "two"]
        monkeypatch.setattr(ended_runs, "MOST_READ", size // 2)
        assert [one.seconds for one in runs_in(tmp_path)] == [None, None]
        assert sorted(read) == ["one", "two"]

    def test_is_no_run_that_goes_on_or_has_ended_in_order(self, tmp_path: Path) -> None:
        going = RunWriter(tmp_path / "going" / "runs" / "20+0-1.jsonl", header())
        run(tmp_path / "reporting", [interval(0)])
        for pool in ("5+10", "20+0"):
            run(tmp_path / "experiment", [interval(0)], pool, reason=None)
        damaged = tmp_path / "damaged" / "runs" / "20+0-1.jsonl"
        damaged.parent.mkdir(parents=True)
        damaged.write_text("no run")
        runs = EndedRuns(lambda: tmp_path)
        assert runs.newest() == []
        going.abandon()
        (ended,) = runs.newest()
        assert (ended.name, ended.seconds, ended.per_second) == ("going", 0, None)
        result(tmp_path, "whole", "5+10")
        with pytest.raises(UsageError, match="going measured nothing: interrupted"):
            refuse_comparison(found(tmp_path, "whole", "going"))


class TestTheSeries:
    def test_it_is_what_the_live_page_has_shown(self) -> None:
        path = ROOT / "tests" / "recorded" / "limited-QueuePool" / "run.jsonl"
        measured = read_run(path)
        points = Points()
        points.begin(parse_pool("4+0"))
        for one in measured.intervals:
            points.add(one)
        points.end("finished")
        shown = [Point(*values) for values in json.loads(points.answer(0))["points"]]
        begun = int(measured.header.started)
        expected = [point._replace(second=point.second - begun, run=0) for point in shown]
        assert len(expected) > 3
        assert run_series(path) == expected
        assert expected[0].second in (0, 1)

    def test_a_driven_applications_pools_are_beside_the_users_requests(self) -> None:
        points = run_series(ROOT / "tests/recorded/driven-pool-timeouts-as-5xx/run.jsonl")
        assert max(point.in_use or 0 for point in points) > 0.5
        assert max(point.failed for point in points) > 0
        assert any(point.wait_p95 for point in points)
        assert {(point.limit, point.timeouts > 0) for point in points} == {(1, True)}


def found(results: Path, *names: str) -> list[EndedRun]:
    known = {one.name: one for one in runs_in(results)}
    return [known[name] for name in names]


class TestRunsThatCannotBeCompared:
    @pytest.mark.parametrize(
        ("names", "said"),
        [
            ([], "a comparison needs two runs"),
            (["first"], "a comparison needs two runs"),
            (["first", "second", "first"], "^first is there twice; tick two different runs$"),
            (["first", "third"], "load.users is 300 in first, 900 in third"),
        ],
    )
    def test_are_refused(self, results: Path, names: Sequence[str], said: str) -> None:
        with pytest.raises(UsageError, match=said):
            refuse_comparison(found(results, *names))

    def test_also_for_their_pools_and_without_measurements(self, tmp_path: Path) -> None:
        result(tmp_path, "one", "20+0")
        result(tmp_path, "same", "20+0")
        with pytest.raises(UsageError, match=r"all of these runs have the pool 20\+0"):
            refuse_comparison(found(tmp_path, "one", "same"))
        result(tmp_path, "renamed", "20+0:5+10")
        result(tmp_path, "other", "7+0")
        with pytest.raises(UsageError, match=r"20\+0 has other settings in renamed than in one"):
            refuse_comparison(found(tmp_path, "one", "renamed", "other"))
        run(tmp_path / "empty", [interval(0, period="warmup")], "3+0")
        reported(tmp_path / "empty")
        with pytest.raises(UsageError, match=r"^empty measured nothing: "):
            refuse_comparison(found(tmp_path, "one", "empty"))

    def test_runs_with_other_options_are_told_by_their_names(self, tmp_path: Path) -> None:
        scenario = {"files": ["other.py"], "user_classes": ["Other"], "options": {}}
        result(tmp_path, "one", "20+0")
        result(tmp_path, "two", "5+10", scenario=scenario, load={**LOAD, "warmup": 3.0})
        with pytest.raises(UsageError) as caught:
            refuse_comparison(found(tmp_path, "one", "two"))
        assert {text.partition(" is ")[0] for text in caught.value.problems} == {
            *("cannot be compared: load.warmup", "cannot be compared: option.hot_rows"),
            *("cannot be compared: scenario", "cannot be compared: user classes"),
        }
        assert str(tmp_path) not in str(caught.value)


@pytest.fixture
def in_this_process(loadtest: Loadtest, monkeypatch: pytest.MonkeyPatch) -> None:
    """`loadtest report` runs here: a process of its own would import everything again."""

    def call(command: Sequence[str], **_: Any) -> subprocess.CompletedProcess[str]:
        return loadtest(*command[command.index("loadtest") + 1 :])

    here = SimpleNamespace(run=call, DEVNULL=None, TimeoutExpired=subprocess.TimeoutExpired)
    monkeypatch.setattr(run_comparison, "subprocess", here)


class TestAComparisonReport:
    @pytest.mark.usefixtures("in_this_process")
    def test_says_what_single_runs_cannot_decide(self, results: Path) -> None:
        folder = ComparisonReports(lambda: results).of(found(results, "first", "second"))
        assert sorted(path.name for path in folder.iterdir()) == [
            *("figures", "report.html", "summary.json")
        ]
        summary = json.loads((folder / "summary.json").read_text())
        assert [pool["name"] for pool in summary["pools"]] == ["5+10", "20+0"]
        assert summary["verdict"]["recommended"] is None
        assert summary["verdict"]["text"].splitlines()[-1] == (
            "Each pool ran once, on its own: there is no interval between rounds, and the order of "
            "the runs was not interleaved, so a difference may be the machine's. Interleaved "
            "rounds decide it: loadtest compare scenarios/hot_row.py --pool 5+10 --pool 20+0 "
            "-u 300 -t 15s --warmup 1s --option hot_rows=50 --rounds 5"
        )
        shutil.rmtree(folder)

    @pytest.mark.usefixtures("in_this_process")
    def test_that_fails_leaves_nothing_and_says_why(self, tmp_path: Path) -> None:
        for name, pool in (("one", "20+0"), ("two", "5+10")):
            result(tmp_path, name, pool)
        runs = found(tmp_path, "one", "two")
        for one in runs:
            one.file.write_text(one.file.read_text().splitlines(keepends=True)[0])
        before = sorted(path.name for path in tmp_path.iterdir())
        reports = ComparisonReports(lambda: tmp_path)
        runs[0].file.chmod(0o000)
        runs[1].file.write_text("no run")
        with pytest.raises(LoadtestError):
            reports.of(runs)
        assert sorted(path.name for path in tmp_path.iterdir()) == before

    def test_is_the_only_one_at_a_time(self, results: Path) -> None:
        asked: list[str] = []
        runs = found(results, "first", "second")

        def make(_: Sequence[EndedRun], folder: Path) -> None:
            with pytest.raises(LoadtestError, match="another comparison report is being made"):
                reports.of(runs)
            asked.append(folder.name)
            raise LoadtestError("on purpose")

        reports = ComparisonReports(lambda: results, make)
        for _ in range(2):
            with pytest.raises(LoadtestError, match="on purpose"):
                reports.of(runs)
        assert len(asked) == 2
        assert not list(results.glob("comparison-*"))


def links_of(page: str) -> list[str]:
    """The addresses that the links of a page lead to, without those within it."""
    found = [unescape(link) for link in re.findall(r'<a href="([^"]*)"', page)]
    return [link for link in found if not link.startswith("#")]


def compare(client: Any, **asked: Any) -> Any:
    """The answer to a request for a comparison report, with the page's token."""
    token = client.get("/pool/compare").json["token"]
    return client.post("/pool/comparison", headers={TOKEN_HEADER: token}, **asked)


class TestThePages:
    @pytest.mark.usefixtures("in_this_process")
    def test_every_link_of_a_report_leads_to_a_file(self, results: Path) -> None:
        (results / "first" / "runs" / "5+10-1.log").write_text("<b>Locust's log</b>")
        reported(results / "first")
        client = web_app(results)[0].test_client()
        asked = {"runs": ["first", "second"]}
        made = compare(client, json=asked).json["report"]
        for page in ("results/first/report.html", made):
            answer = client.get(f"/pool/{page}", buffered=True)
            assert (answer.status_code, answer.mimetype) == (200, "text/html")
            assert "script-src 'unsafe-inline'" in answer.headers["Content-Security-Policy"]
            links = links_of(answer.text)
            assert any(link.endswith("5%2B10-1.log") for link in links)
            assert any(link.endswith("5%2B10-1.jsonl") for link in links)
            assert "summary.json" in links
            for link in links:
                file = client.get(urljoin(f"/pool/{page}", link), buffered=True)
                assert (file.status_code, link) == (200, link)
                assert file.mimetype in ("application/json", "text/plain")
                policy = file.headers["Content-Security-Policy"]
                assert policy == "default-src 'none'; sandbox"
                assert file.headers["X-Content-Type-Options"] == "nosniff"
        shutil.rmtree(results / made.split("/")[1])

    def test_nothing_else_is_served(self, results: Path, tmp_path: Path) -> None:
        secret = tmp_path / "secret.jsonl"
        secret.write_text("secret")
        folder = results / "second"
        (folder / "runs" / "link.jsonl").symlink_to(secret)
        (folder / "notes.txt").write_text("mine")
        (folder / "runs" / "notes.txt").write_text("mine")
        assert linked_files(folder).keys() == {
            *("report.html", "summary.json", "runs/20+0-1.jsonl")
        }
        client = web_app(results)[0].test_client()
        for path in (
            *("second/runs/link.jsonl", "second/notes.txt", "second/runs/notes.txt"),
            *("second/runs", "second/", "second/../third/report.html", "missing/report.html"),
            *("begun/runs/20+0-1.jsonl", "latest/report.html", "../results/second/report.html"),
            *("second/%2e%2e/third/summary.json", "..%2fsecond/report.html", "second//etc/passwd"),
        ):
            answer = client.get(f"/pool/results/{path}", buffered=True)
            assert answer.status_code in (404, 308), path
            assert "secret" not in answer.text
        (folder / "runs").rename(folder / "moved")
        (folder / "runs").symlink_to(folder / "moved")
        assert "runs/20+0-1.jsonl" not in linked_files(folder)
        (folder / "runs").unlink()
        (folder / "moved").rename(folder / "runs")
        (folder / "runs" / "link.jsonl").unlink()

    def test_the_report_of_a_run_of_this_process_is_found_by_its_number(
        self, results: Path
    ) -> None:
        app, live = web_app(results)
        client = app.test_client()
        assert client.get("/pool/report", buffered=True).status_code == 404
        live.begin(parse_pool("20+0"))
        live.end("stopped", lambda: results / "second" / "report.html")
        for address in ("/pool/report", "/pool/report/1"):
            led = urljoin(address, client.get(address, buffered=True).headers["Location"])
            assert led == "/pool/results/second/report.html"
            assert "20+0" in client.get(led, buffered=True).text
        assert client.get("/pool/report/2", buffered=True).status_code == 404
        (known,) = client.get("/pool/data", buffered=True).json["runs"]
        assert (known["result"], known["report"], known["seconds"]) == ("second", True, 0)

    def test_the_table_and_the_series_are_json(self, results: Path) -> None:
        client = web_app(results)[0].test_client()
        names = [one["name"] for one in client.get("/pool/runs", buffered=True).json["runs"]]
        assert names == ["third", "second", "first"]
        assert str(results) not in client.get("/pool/runs", buffered=True).text
        series = client.get("/pool/runs/first", buffered=True).json
        ok = series["fields"].index("ok")
        assert [point[ok] for point in series["points"]] == [100] * 12
        gone = client.get("/pool/runs/experiment", buffered=True)
        assert gone.status_code == 404
        assert gone.json["problems"][""].startswith("experiment: this run is not among the newest")

    @pytest.mark.parametrize(
        ("asked", "status", "said"),
        [
            ({"json": {"runs": ["first", "third"]}}, 400, "load.users is 300 in first"),
            ({"json": {"runs": ["first", "begun"]}}, 400, "begun: this run is not among"),
            ({"json": {"runs": ["first", {}]}}, 400, "this run is not among the newest"),
            ({"json": {"runs": "first"}}, 400, "send the names of the runs as JSON"),
            ({"json": ["first"]}, 400, "send the names of the runs as JSON"),
            ({"data": "{", "content_type": "application/json"}, 400, "as JSON"),
            ({"data": '{"runs": ["first", "second"]}', "content_type": "text/plain"}, 400, "JSON"),
            ({"data": {"runs": ["first", "second"]}}, 400, "as JSON"),
        ],
    )
    def test_a_comparison_that_is_refused_says_why_and_makes_nothing(
        self, results: Path, asked: dict[str, Any], status: int, said: str
    ) -> None:
        answer = compare(web_app(results)[0].test_client(), **asked)
        assert (answer.status_code, answer.json.keys()) == (status, {"problems"})
        assert said in answer.json["problems"][""]
        assert not list(results.glob("comparison-*"))
        assert web_app(results)[0].test_client().get("/pool/comparison").status_code == 405

    def test_other_websites_neither_read_nor_compare(self, results: Path) -> None:
        client = web_app(results)[0].test_client()
        other = {"Origin": "http://evil.example"}
        for path in ("runs", "runs/first", "results/first/summary.json"):
            answer = client.get(f"/pool/{path}", headers=other)
            assert answer.status_code == 403, path
            assert "comes from another website" in answer.json["problems"][""]
        answer = client.post("/pool/comparison", json={"runs": ["first", "second"]})
        assert answer.status_code == 403
        assert "reload the page" in answer.json["problems"][""]
        assert not list(results.glob("comparison-*"))
