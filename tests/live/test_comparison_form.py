"""The live page's form for comparisons, with a quick program in the place of `loadtest`."""

from __future__ import annotations

from locust.env import Environment

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import psutil
import pytest

from loadtest.live.comparing import started_comparison
from loadtest.live.comparing.comparison_form import ServedSettings
from loadtest.live.comparing.request_guard import TOKEN_HEADER
from loadtest.live.displays import Live
from loadtest.model.errors import UsageError
from tests.processes import until

ADDRESS = "mysql+pymysql://me:s3cret@db/shop"
FORM = {
    "scenario": "quick.py",
    "pools": "5+10 20+0",
    "rounds": "2",
    "duration": "2s",
    "users": "5",
}
# Prints what it was given; its scenario says how it ends. On SIGTERM it reports, like the command.
PROGRAM = """
import os, signal, sys, time
from pathlib import Path
scenario, folder = sys.argv[2], Path(sys.argv[-1], "comparison")
def say(text):
    print(text, file=sys.stderr, flush=True)
def report(*_):
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / "report.html"
    page.write_text("<h1>the report</h1>")
    print("20+0 is best.\\nIt is.\\n\\npool  ok/s\\n\\nReport: " + str(page), flush=True)
    os._exit(0)
signal.signal(signal.SIGTERM, report)
say(" ".join(sys.argv[1:]))
say(os.environ["LOADTEST_DATABASE_URL"] + " " + str("FORCE_COLOR" in os.environ))
if scenario == "refused.py":
    say("the server has no room")
    sys.exit(2)
say("1/4 5+10: 100 ok/s")
while scenario == "endless.py":
    time.sleep(1)
report()
"""


@dataclass
class Served:
    """The pages of a Locust process, its settings, and a client with the page's token."""

    live: Live
    client: Any
    settings: ServedSettings
    headers: dict[str, str]

    def state(self) -> dict[str, Any]:
        """The state of the form and of its newest comparison."""
        return dict(self.client.get("/pool/compare").json)

    def post(self, path: str = "", form: dict[str, str] = FORM, **headers: str) -> Any:
        """The answer to a form."""
        return self.client.post(
            f"/pool/compare{path}", data=form, headers={**self.headers, **headers}
        )

    def report(self, number: int) -> str:
        """The report of a comparison."""
        address = f"/pool/compare/report/{number}"
        led = urljoin(address, self.client.get(address).headers.get("Location", ""))
        with self.client.get(led) as answer:
            return str(answer.text)

    def ended(self) -> dict[str, Any]:
        """The newest comparison once it has ended."""

        def find() -> dict[str, Any] | None:
            found = self.state()["comparison"]
            return None if found["running"] else dict(found)

        return until(find, "the comparison to end")


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    command = (sys.executable, "-I", "-S", str(program))
    monkeypatch.setattr(started_comparison, "PROGRAM", command)
    monkeypatch.setenv("FORCE_COLOR", "1")
    settings = ServedSettings(
        scenarios={"quick.py": ["rows=8"], "endless.py": [], "refused.py": []},
        defaults=FORM,
        load={"warmup": "1s"},
        database_url=ADDRESS,
        results=str(tmp_path / "results"),
    )
    web_ui = Environment().create_web_ui("127.0.0.1", 0, delayed_start=True)
    live = Live()
    served = Served(live, web_ui.app.test_client(), settings, {})
    live.serve(web_ui, "", lambda: Path(served.settings.results), lambda: served.settings)
    served.headers[TOKEN_HEADER] = served.state()["token"]
    yield served
    live.comparisons.close()


def test_a_comparison_runs_and_has_a_verdict_and_a_report(served: Served) -> None:
    assert served.state()["comparison"] is None
    answer = served.post()
    assert answer.status_code == 200
    assert answer.json["comparison"]["asked"] == FORM

    ended = served.ended()
    assert ended["state"] == "Comparison 1 has ended."
    assert ended["verdict"] == "20+0 is best.\nIt is."
    assert (ended["done"], ended["planned"]) == (1, 4)
    command, environment, run = ended["lines"]
    assert command == (
        "compare quick.py --pool 5+10 --pool 20+0 --rounds 2 --users 5 --time 2s --warmup 1s "
        f"--option rows=8 --results {served.settings.results}"
    )
    assert environment == f"{ADDRESS} False"
    assert run == "1/4 5+10: 100 ok/s"
    assert served.report(1) == "<h1>the report</h1>"

    assert served.post(form={**FORM, "scenario": "refused.py"}).status_code == 200
    refused = served.ended()
    assert refused["state"] == ("Comparison 2 was refused; the reason is at the end of its output.")
    assert refused["lines"][-1] == "the server has no room"
    assert served.report(2).startswith("There is no report yet")
    assert served.report(1) == "<h1>the report</h1>"


def test_one_at_a_time_until_it_is_cancelled(served: Served) -> None:
    endless = {**FORM, "scenario": "endless.py"}
    assert served.post("/cancel").json == {"problems": {"": "No comparison is running."}}
    assert served.post(form=endless).status_code == 200
    until(lambda: served.state()["comparison"]["done"], "a run")
    assert served.state()["comparison"]["state"] == ("Comparison 1 is running: 1 of 4 runs done.")
    second = served.post()
    assert second.status_code == 409
    assert second.json["problems"][""].startswith("A comparison is running")
    with pytest.raises(UsageError, match="running a comparison"):
        served.live.comparisons.refuse_run()
    with pytest.raises(UsageError, match="running a comparison"):
        served.live.comparisons.hold_off()

    assert served.post("/cancel").json["comparison"]["cancelled"]
    ended = served.ended()
    assert ended["state"] == "Comparison 1 was cancelled; its report covers the runs until then."
    assert ended["report"]
    served.live.comparisons.refuse_run()


def test_a_running_comparison_ends_with_the_process(served: Served) -> None:
    known = set(psutil.Process().children(recursive=True))
    served.post(form={**FORM, "scenario": "endless.py"})
    until(lambda: served.state()["comparison"]["done"], "a run")
    started = set(psutil.Process().children(recursive=True)) - known
    assert len(started) == 2  # the keeper and the command
    served.live.comparisons.close()
    assert [process for process in started if process.is_running()] == []


def test_none_starts_beside_a_load_test(served: Served) -> None:
    served.live.comparisons.hold_off()
    answer = served.post()
    assert answer.status_code == 409
    assert "both would measure each other" in answer.json["problems"][""]
    assert served.state()["comparison"] is None
    served.live.end("stopped", lambda: None)
    assert served.post().status_code == 200


@pytest.mark.parametrize(
    ("changed", "problems"),
    [
        ({"pools": "5+10 20"}, {"pools": "20: '20' is not a setting"}),
        ({"pools": "5+10"}, {"pools": "a comparison needs at least two pools"}),
        ({"pools": ""}, {"pools": "a comparison needs at least two pools"}),
        ({"pools": "5+10 5+10"}, {"pools": "5+10 is given twice; with names it works: a:5+10"}),
        ({"pools": "a:5+10 a:20+0"}, {"pools": "two pools have the name 'a'"}),
        ({"pools": "as-is 20+0"}, {"pools": "as-is is an application's own pool"}),
        ({"pools": "5+10 'a"}, {"pools": "5+10 'a: a quotation mark has no counterpart"}),
        ({"rounds": "0"}, {"rounds": "'0' is not a number of rounds"}),
        ({"duration": "soon"}, {"duration": "'soon' is not a duration; write 30s"}),
        ({"duration": "0"}, {"duration": "must be above 0"}),
        ({"duration": "2.5s"}, {"duration": "warm-up plus duration is 3.5 s"}),
        ({"users": "some"}, {"users": "must be a whole number (got 'some')"}),
        ({"users": "0"}, {"users": "must be at least 1"}),
        ({"scenario": "../other.py"}, {"scenario": "choose one of quick.py, endless.py"}),
        (
            {"pools": "5+x 20+0", "rounds": "-1", "duration": "", "users": ""},
            {
                "pools": "5+x: '5+x' is not a setting",
                "rounds": "'-1' is not a number of rounds",
                "duration": "'' is not a duration",
                "users": "must be a whole number",
            },
        ),
    ],
)
def test_each_mistake_is_told_at_its_field_and_nothing_starts(
    served: Served, changed: dict[str, str], problems: dict[str, str]
) -> None:
    answer = served.post(form={**FORM, **changed})
    assert answer.status_code == 400
    assert answer.json["problems"].keys() == problems.keys()
    for name, beginning in problems.items():
        assert answer.json["problems"][name].startswith(beginning)
    assert served.state()["comparison"] is None


@pytest.mark.parametrize("pools", ["5+10, 20+0", "5+10,20+0", " 5+10\n20+0,", "5+10,b:20+0"])
def test_commas_may_separate_pools(served: Served, pools: str) -> None:
    served.post(form={**FORM, "pools": pools})
    command = str(served.ended()["lines"][0])
    assert command.count("--pool ") == 2
    assert "--pool 5+10 --pool" in command


def test_other_websites_neither_start_one_nor_read_the_token(served: Served) -> None:
    for wrong in ("", "x", served.headers[TOKEN_HEADER][:-1]):
        answer = served.post(**{TOKEN_HEADER: wrong})
        assert answer.status_code == 403
        assert "reload the page" in answer.json["problems"][""]
    for origin in ("http://evil.example", "null", "http://localhost:1"):
        for answer in (
            served.post(Origin=origin),
            served.post("/cancel", Origin=origin),
            served.client.get("/pool/compare", headers={"Origin": origin}),
        ):
            assert answer.status_code == 403
            assert "comes from another website" in answer.json["problems"][""]
    rebound = {"Host": "evil.example:8089"}
    answer = served.client.get("/pool/compare", headers=rebound)
    assert answer.status_code == 403
    assert "start Locust with --web-login" in answer.json["problems"][""]
    assert served.state()["comparison"] is None
    for host in ("127.0.0.1:8089", "[::1]:8089", "localhost"):
        own = {"Host": host, "Origin": f"http://{host}"}
        assert served.client.get("/pool/compare", headers=own).status_code == 200
    served.settings = replace(served.settings, local=False)
    assert served.client.get("/pool/compare", headers=rebound).status_code == 200


def test_a_reason_against_comparisons_is_told(served: Served) -> None:
    served.settings = replace(served.settings, refusal="not here")
    assert served.post().json == {"problems": {"": "not here"}}
    assert "comparison-form" in served.client.get("/pool").text
