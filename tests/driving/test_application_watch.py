"""During a run, an application must do what was asked and announced, or the run ends."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import closing, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from loadtest.database.server_guard import REFUSED, SETTLED_SECONDS
from loadtest.experiment.driving import application_watch, process_count, told_engines
from loadtest.experiment.driving.application_watch import ApplicationWatch
from loadtest.experiment.driving.control_folder import ControlFolder
from loadtest.experiment.driving.servers.driven_server import DrivenServer
from loadtest.experiment.faults.relay import Relay
from loadtest.model.allowances import UNSEEN_SECONDS
from loadtest.model.driven_application import DrivenApplication
from loadtest.model.errors import MoreThanAnnounced, RefusedRun, ServerInTrouble
from loadtest.model.interval import SECOND, SERVER, Interval
from loadtest.model.pool import PoolConfig, parse_pool
from loadtest.model.server_identity import ReachedServer
from tests.analysis.builders import START, interval
from tests.driving.told import QUEUE, message, told_engine
from tests.processes import until
from tests.runfile.driven_runs import OF_APPLICATION, application_second, load_second, part

APPLICATION = DrivenApplication(command="shop", ready="http://127.0.0.1:8800/")
POOL = parse_pool("2+0").of_application()
SETTINGS = QUEUE | {"pool_size": 2, "max_overflow": 0}
FOREIGN = DrivenServer(ceilings={"2+0": 2}, processes=2, guarded=True)


class Watched:
    """An application in memory that tells its engines and writes a recording."""

    def __init__(self, control: ControlFolder, folder: Path) -> None:
        self.control, self.folder = control, folder

    def by(
        self,
        server: DrivenServer = FOREIGN,
        pool: PoolConfig = POOL,
        application: DrivenApplication = APPLICATION,
    ) -> ApplicationWatch:
        """A watch of this application."""
        return ApplicationWatch(application, pool, server, self.control, self.folder)

    def tell(self, *messages: Mapping[str, Any]) -> None:
        """Send messages through the pipe."""
        with self.control.pipe.open("wb", buffering=0) as pipe:
            for one in messages:
                pipe.write(json.dumps(one).encode() + b"\n")


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    with ControlFolder() as control:
        control.make()
        yield Watched(control, tmp_path)


def refused(second: int, refusals: int) -> Interval:
    """A second of a server that refused connections."""
    return interval(second, process=SERVER, counters={"refused_connects": refusals})


def test_an_application_that_does_what_was_asked_goes_on(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(application_watch, "is_running", bool)
    watched.tell(message(set=SETTINGS), message(set=SETTINGS, pid=8))
    part(watched.folder, [application_second(START)])
    part(watched.folder, [application_second(START, "web-8")], process="web-8")
    watch = watched.by()
    watch.check()
    watch.conclude()
    assert watch.names == {"shop"}
    assert watch.facts == {
        "command": "shop",
        "ready": "http://127.0.0.1:8800/",
        "place": "shop/db.py:9 <module>",
        "own_pool": {"poolclass": "QueuePool"},
    }


def test_a_worker_that_ends_with_the_load_is_told(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(application_watch, "is_running", lambda pid: pid != 8)
    monkeypatch.setattr(process_count, "serving_processes", set)
    shop = DrivenApplication(command="shop {app_processes}", ready=APPLICATION.ready, processes="2")
    watch = watched.by(application=shop)
    for number in (7, 8):
        watched.tell(message(set=SETTINGS, pid=number))
        name = f"web-{number}"
        part(watched.folder, [application_second(START, name)], process=name)
    watch.check()
    watch.take(load_second(0))
    watch.conclude()
    assert watch.facts["ended"] == ["web-8"]


def test_another_number_of_processes_under_load_refuses_the_run(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_count, "serving_processes", set)
    shop = DrivenApplication(command="shop {app_processes}", ready=APPLICATION.ready, processes="2")
    watch = watched.by(application=shop)
    watched.tell(message(set=SETTINGS))
    watch.check()
    watch.take(load_second(0, period="warmup"))
    watch.conclude()
    watch.take(load_second(1))
    with pytest.raises(RefusedRun, match=r"requested 2 processes .* but 1 with an engine ran in 1"):
        watch.conclude()


def test_the_pool_in_the_recording_is_read_back(watched: Watched) -> None:
    watched.tell(message(set=SETTINGS))
    part(watched.folder, [], pool=replace(OF_APPLICATION, pool_size=5))
    with pytest.raises(RefusedRun) as error:
        watched.by().check()
    assert str(error.value) == (
        "requested pool_size=2, but the engine at shop/db.py:9 runs with pool_size=5"
    )


def test_the_pool_of_an_engine_that_is_not_meant_may_be_any(watched: Watched) -> None:
    watched.tell(message(set=SETTINGS), message(name="audit", recording="audit", place="a.py:1 f"))
    part(watched.folder, [], pool=replace(OF_APPLICATION, name="audit", pool_size=5))
    watched.by(application=APPLICATION.model_copy(update={"engine": "shop"})).check()


@pytest.mark.parametrize("used", [True, False])
def test_an_engine_that_opens_connections_past_the_relay_refuses_the_run(
    watched: Watched, used: bool
) -> None:
    with closing(Relay(make_url("mysql+pymysql://app@127.0.0.1:1/shop"))) as relay:
        if used:
            socket.create_connection(relay.address).close()
            until(lambda: relay.used, "the connection")
        watched.tell(message(set=SETTINGS, through=relay.address))
        first = application_second(START)
        first.counters["opened"] = 1
        part(watched.folder, [first])
        watch = watched.by(replace(FOREIGN, relay=relay))
        with nullcontext() if used else pytest.raises(RefusedRun, match="does not connect to"):
            watch.check()


def test_connections_of_other_engines_go_past_the_relay(watched: Watched) -> None:
    with closing(Relay(make_url("mysql+pymysql://app@127.0.0.1:1/shop"))) as relay:
        watched.tell(
            message(set=SETTINGS, through=relay.address),
            message(name="audit", recording="audit", place="a.py:1 f"),
        )
        first = application_second(START)
        first.counters["opened"] = 1
        part(watched.folder, [first], pool=replace(OF_APPLICATION, name="audit", pool_size=5))
        application = APPLICATION.model_copy(update={"engine": "shop"})
        watched.by(replace(FOREIGN, relay=relay), application=application).check()


def test_two_engines_refuse_the_run(watched: Watched) -> None:
    watched.tell(message(set=SETTINGS), message(set=SETTINGS, place="shop/audit.py:4 <module>"))
    with pytest.raises(RefusedRun, match="makes 2 engines"):
        watched.by().check()


def test_no_engine_refuses_the_run_at_its_end(watched: Watched) -> None:
    (watched.control.notes / "7").write_text("python\n")
    watch = watched.by()
    watch.check()
    with pytest.raises(RefusedRun) as error:
        watch.conclude()
    assert str(error.value) == (
        "the application made no SQLAlchemy engine: no process imported SQLAlchemy"
    )


def test_an_unknown_engine_refuses_the_run_with_those_that_exist(watched: Watched) -> None:
    watched.tell(message())
    watch = watched.by(application=APPLICATION.model_copy(update={"engine": "stock"}))
    with pytest.raises(RefusedRun) as error:
        watch.conclude()
    assert str(error.value) == (
        "--app-engine: the application has no engine stock; it makes shop (shop/db.py:9)"
    )


def test_each_engine_is_checked_when_it_is_made(watched: Watched) -> None:
    checked = list[Any]()
    watch = watched.by(DrivenServer(check_engine=lambda *about: checked.append(about)))
    watch.check()
    watched.tell(message(set=SETTINGS), message(set=SETTINGS, pid=8))
    watch.check()
    watched.tell(message(set=SETTINGS, pid=9))
    watch.check()
    one, two = told_engine(set=SETTINGS), told_engine(set=SETTINGS, pid=8)
    three = told_engine(set=SETTINGS, pid=9)
    assert checked == [(engine, set(), True) for engine in (one, two, three)]


def test_a_process_beyond_its_ceiling_ends_the_run(watched: Watched) -> None:
    beyond = application_second(START)
    beyond.counters["beyond_announced"] = 1
    part(watched.folder, [beyond])
    with pytest.raises(MoreThanAnnounced, match=r"web-7 tried to open more than the 2 connections"):
        watched.by().check()


def test_one_process_more_than_announced_ends_the_run(watched: Watched) -> None:
    watch = watched.by()
    for number in (7, 8):
        part(watched.folder, [application_second(START, f"web-{number}")], process=f"web-{number}")
    watch.check()
    part(watched.folder, [application_second(START, "web-9")], process="web-9")
    with pytest.raises(MoreThanAnnounced, match="3 processes of the application use connections"):
        watch.check()


def test_a_process_that_replaces_another_is_none_more(watched: Watched) -> None:
    last, first = application_second(START, "web-8"), application_second(START, "web-9")
    last.length, first.length = SECOND // 3, SECOND // 2
    part(watched.folder, [application_second(START)])
    part(watched.folder, [last], process="web-8")
    part(watched.folder, [first, application_second(START + 1, "web-9")], process="web-9")
    watched.by().check()


def test_a_parent_without_checkouts_since_its_fork_is_no_process_more(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that loads the application before it forks has a pool and serves nothing."""
    monkeypatch.setattr(told_engines.time, "time", lambda: START + 1.5)
    monkeypatch.setattr(application_watch, "is_running", bool)
    monkeypatch.setattr(application_watch, "serving_processes", lambda known: known - {7})
    watch = watched.by()
    watched.tell(message(set=SETTINGS), *({"kind": "fork", "pid": n, "parent": 7} for n in (8, 9)))
    idle = interval(2, process="web-7", gauges={"open": 1, "in_use": 0})
    part(watched.folder, [application_second(0), idle])
    for number in (8, 9):
        one = application_second(2, f"web-{number}")
        part(watched.folder, [one], process=f"web-{number}")
    watch.check()
    assert (watch.idle_parents, watch.serving) == ({7}, {8, 9})
    part(watched.folder, [application_second(3)], number=2)
    watch.check()
    assert (watch.idle_parents, watch.serving) == (set(), {7, 8, 9})
    for number in (8, 9):
        one = application_second(3, f"web-{number}")
        part(watched.folder, [one], process=f"web-{number}", number=2)
    with pytest.raises(MoreThanAnnounced, match="3 processes of the application use connections"):
        watch.check()


def test_a_server_in_trouble_ends_the_run(watched: Watched) -> None:
    watch = watched.by()
    watch.take(refused(START, REFUSED))
    for second in range(1, SETTLED_SECONDS):
        watch.take(refused(START + second, 0))
    with pytest.raises(ServerInTrouble, match=f"it refused {REFUSED} connections of other clients"):
        watch.take(refused(START + SETTLED_SECONDS, 0))


def test_refusals_of_the_application_itself_are_no_trouble(watched: Watched) -> None:
    watch, own = watched.by(), application_second(START)
    own.counters["checkout_errors"] = REFUSED
    part(watched.folder, [own])
    watch.take(load_second(START))
    watch.check()
    for second in range(SETTLED_SECONDS + 1):
        watch.take(refused(START + second, 0 if second else REFUSED))


def test_a_server_that_is_not_seen_ends_the_run(watched: Watched) -> None:
    watch = watched.by()
    for second in range(UNSEEN_SECONDS):
        watch.take(load_second(START + second))
    with pytest.raises(ServerInTrouble, match="its status could not be read"):
        watch.take(load_second(START + UNSEEN_SECONDS))


def test_before_the_load_the_server_need_not_be_seen(watched: Watched) -> None:
    part(watched.folder, [application_second(START + n) for n in range(2 * UNSEEN_SECONDS)])
    watched.by().check()


def test_a_private_server_is_not_guarded(watched: Watched) -> None:
    watch = watched.by(DrivenServer())
    for second in range(SETTLED_SECONDS + 1):
        watch.take(refused(START + second, 0 if second else REFUSED))


def test_an_engine_is_checked_again_when_it_has_connected(watched: Watched) -> None:
    checked = list[Any]()
    chosen = APPLICATION.model_copy(update={"engine": "shop/db.py:9"})
    server = DrivenServer(check_engine=lambda *about: checked.append((about[0].line, *about[1:])))
    watch = watched.by(server, POOL, chosen)
    audit = message(number=1, place="audit.py:4 f")
    watched.tell(message(set=SETTINGS), audit, {"kind": "fork", "pid": 8, "parent": 7})
    watch.check()
    reached = {"kind": "reached", "pid": 8, "maker": 7, "database": "shop", "identity": "db1|3306"}
    watched.tell({**reached, "number": 0}, {**reached, "number": 1, "identity": ""})
    watch.check()
    assert checked == [
        ("shop/db.py:9", set(), True),
        ("audit.py:4", set(), False),
        ("shop/db.py:9", {ReachedServer("shop", "db1|3306")}, True),
        ("audit.py:4", set(), False),
    ]
