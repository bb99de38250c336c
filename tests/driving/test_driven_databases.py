"""What is found behind the engine of an application is announced, or refuses the runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

from loadtest.experiment.driving.look import ApplicationFacts
from loadtest.experiment.driving.servers import driven_databases
from loadtest.experiment.driving.servers.driven_server import DrivenServer
from loadtest.experiment.driving.servers.engine_servers import KnownServer
from loadtest.experiment.driving.told_engines import ToldEngine
from loadtest.experiment.single_run import Database
from loadtest.model.allowances import NO_ALLOWANCES, Allowances
from loadtest.model.driven_application import DrivenApplication
from loadtest.model.errors import RefusedRun, UsageError
from loadtest.model.experiment import Experiment
from loadtest.model.fault import parse_fault
from loadtest.model.load import LoadConfig
from loadtest.model.pool import parse_pool
from loadtest.model.server_identity import ReachedServer
from tests.driving.told import QUEUE, told_engine

Found = Callable[..., Database]
ALL = Allowances(overload=True, trouble=True)
ELSEWHERE = "postgresql+psycopg://app:s3cret@db1/shop"
NOWHERE = "mysql+aiomysql://app:s3cret@127.0.0.1:1/shop?charset=utf8mb4"
EXPERIMENT = Experiment(
    name="shop",
    scenario=Path("visitors.py"),
    application=(DrivenApplication(command="shop", ready="http://127.0.0.1:8800/"),),
    load=LoadConfig(users=50, duration=4, warmup=1),
    pool=(parse_pool("4+0"), parse_pool("as-is")),
)


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> Found:
    """The database of an application with this engine, which is not started."""

    def find(
        engine: ToldEngine | None,
        others: tuple[ToldEngine, ...] = (),
        *,
        given: str = "",
        allowed: Allowances = NO_ALLOWANCES,
        processes: int = 2,
        reached: ReachedServer | None = None,
        faults: Sequence[str] = (),
        chosen: str = "",
    ) -> Database:
        connected = {one.identity: {reached} for one in (engine, *others) if one and reached}
        facts = ApplicationFacts(engine, others, processes, seconds=3.0, reached=connected)
        monkeypatch.setattr(driven_databases, "look_at", lambda *_: facts)
        planned = EXPERIMENT.changed("", fault=tuple(map(parse_fault, faults)))
        (application,) = planned.application
        named = (application.model_copy(update={"engine": chosen}),)
        planned = planned.model_copy(update={"application": named})
        with driven_databases.driven_databases(given, planned, allowed, 6, tried=True) as at:
            (database,) = at.values()
        return database

    return find


def test_a_file_has_no_server(found: Found) -> None:
    database = found(told_engine(name="rows", url="sqlite:///rows.db"))
    assert (database.url, database.private, database.driven.ceilings) == (None, False, {})
    assert database.intentions == (
        "In the database of the application, rows (shop/db.py:9), loadtest will",
        "- send requests of visitors.py, which write to the application's own tables",
        "- run visitors.py with at most 50 users for 5 s, at most 6 times (1.1 min; longer if runs "
        "are disturbed and repeated); each task runs once first; what it commits stays",
    )
    assert database.driven.seconds == 3.0


PREPARED = EXPERIMENT.model_copy(
    update={
        "application": (
            DrivenApplication(
                command="shop",
                ready="http://127.0.0.1:8800/",
                prepare="fill mysql://a:s3cret@db1/shop",
                env={"SHOP_URL": "{database_url}"},
            ),
        )
    }
)


@pytest.mark.database
def test_the_preparation_is_announced_before_the_application_is_looked_at(
    monkeypatch: pytest.MonkeyPatch, url: URL
) -> None:
    shown = list[str]()
    here = told_engine(url=url.render_as_string(False))

    def look(_experiment: object, server: DrivenServer) -> ApplicationFacts:
        assert shown == [
            f"In the database {url.database} at 127.0.0.1:{url.port}, on a server that this tool "
            "did not start, loadtest will run 'fill mysql://a:***@db1/shop' before each start of "
            "the application"
        ]
        assert server.url == url
        return ApplicationFacts(here, (), 1, seconds=1.0)

    monkeypatch.setattr(driven_databases, "look_at", look)
    given = url.render_as_string(False)
    with driven_databases.driven_databases(
        given, PREPARED, NO_ALLOWANCES, 1, announce=shown.extend
    ) as at:
        (database,) = at.values()
    announced = "- run 'fill mysql://a:***@db1/shop' before each start of the application, and send"
    assert database.intentions[2].startswith(announced)


def test_an_engine_that_requests_make_is_checked_later(found: Found) -> None:
    database = found(None, processes=0)
    assert "its server is not known before the load" in database.intentions[0]
    assert database.driven.ceilings == {"4+0": 4, "as-is": 50}
    assert database.driven.processes is None
    database.driven.check_engine(told_engine(url="sqlite:///rows.db"), (), True)
    for url in (ELSEWHERE, NOWHERE):
        with pytest.raises(RefusedRun, match="let the URL of --ready use the database"):
            database.driven.check_engine(told_engine(url=url), (), True)
    permitted = found(None, processes=0, allowed=ALL).driven
    permitted.check_engine(told_engine(url=ELSEWHERE), (), True)


def test_a_name_that_no_engine_has_is_told_before_the_load(found: Found) -> None:
    rows = told_engine(name="rows", url="sqlite:///rows.db")
    told = found(None, (rows,), chosen="stock").intentions[0]
    assert told.startswith(
        "The application has no engine stock (--app-engine); it makes rows (shop/db.py:9). Correct "
        "the name, or the run is refused unless a request makes the engine"
    )


@pytest.mark.parametrize("url", [ELSEWHERE, NOWHERE])
def test_a_server_that_cannot_be_seen_needs_permission(found: Found, url: str) -> None:
    with pytest.raises(UsageError, match="must see the application's server") as refused:
        found(told_engine(url=url))
    assert "s3cret" not in str(refused.value)
    database = found(told_engine(url=url), allowed=ALL)
    (warning,) = database.warnings
    assert warning.startswith("The application's server cannot be watched: ")
    assert "s3cret" not in warning
    assert (database.url, database.driven.guarded) == (None, False)
    assert (database.driven.ceilings, database.driven.processes) == ({"4+0": 4, "as-is": 15}, 2)


def test_another_kind_of_server_is_announced_without_its_status(found: Found) -> None:
    database = found(told_engine(url=ELSEWHERE), allowed=ALL)
    first, connections, writes, work = database.intentions
    assert first == (
        "In the database shop at db1:5432, on a server that this tool did not start and cannot "
        "watch, loadtest will"
    )
    assert connections == ("- open at most 30 connections at once (2 processes × 15 in the pool)")
    assert "the application's own tables" in writes
    assert work.startswith("- run visitors.py with at most 50 users")
    assert database.warnings[0].endswith("and loadtest reads the status of MariaDB and MySQL only")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("mysql+pymysql://a:s3cret@db2/shop", "connected to shop at db1:5432: leave out"),
        (ELSEWHERE.replace("psycopg", "asyncpg"), r"starts with postgresql\+asyncpg://.*leave it"),
    ],
)
def test_a_given_url_is_refused_for_another_kind_of_server(
    found: Found, given: str, said: str
) -> None:
    with pytest.raises(UsageError, match=said) as refused:
        found(told_engine(url=ELSEWHERE), given=given, allowed=ALL)
    assert "s3cret" not in str(refused.value)
    with pytest.raises(UsageError, match=r"adds load\. Give --allow-overload and --no-abort"):
        found(told_engine(url=ELSEWHERE))


@pytest.mark.database
@pytest.mark.parametrize("by_url", [True, False])
def test_another_url_must_lead_to_the_server_that_was_reached(
    found: Found, url: URL, by_url: bool
) -> None:
    engine, given = told_engine(url=NOWHERE, by_url=by_url), url.render_as_string(False)
    here = ReachedServer("shop", KnownServer.of(url).identity)
    database = found(engine, given=given, reached=here)
    assert database.url == url
    assert database.driven.ceilings == {"4+0": 4, "as-is": 15}
    assert (database.driven.processes, database.driven.guarded) == (2, True)
    with pytest.raises(UsageError, match=r"has not connected yet.*use the database"):
        found(engine, given=given)
    assert found(engine, given=given, allowed=ALL).url == url
    there = ReachedServer("shop", "db2|3306")
    for allowed in (NO_ALLOWANCES, ALL):
        with pytest.raises(UsageError, match=r"to another server than .* at 127\.0\.0\.1"):
            found(engine, given=given, reached=there, allowed=allowed)
    with pytest.raises(RefusedRun, match="connects to a server that was not announced"):
        database.driven.check_engine(engine, {there}, True)
    database.driven.check_engine(engine, {here}, True)


@pytest.mark.database
def test_a_given_url_of_another_server_than_the_application_s_is_refused(
    found: Found, url: URL
) -> None:
    engine = told_engine(url=url.render_as_string(False))
    with pytest.raises(UsageError, match=r"--database-url leads to shop at 127\.0\.0\.1:1"):
        found(engine, given="mysql+pymysql://app:s3cret@127.0.0.1:1/shop")


@pytest.mark.database
def test_an_engine_that_reached_another_server_than_that_of_its_url_is_refused(
    found: Found, url: URL
) -> None:
    engine = told_engine(url=url.render_as_string(False))
    with pytest.raises(UsageError, match=r"(?s)to another server than .*Give --database-"):
        found(engine, reached=ReachedServer("shop", "db2|3306"))
    database = found(engine)
    database.driven.check_engine(engine, (), True)


@pytest.mark.database
def test_a_server_of_an_engine_that_is_not_meant_is_announced(found: Found, url: URL) -> None:
    rows = told_engine(name="rows", url="sqlite:///rows.db")
    audit = told_engine(name="audit", url=url.render_as_string(False), place="audit.py:3 f")
    database = found(rows, (audit,))
    place, connections = database.intentions[-2:]
    assert place == (
        f"In the database {url.database} at 127.0.0.1:{url.port}, on a server that this tool did "
        "not start and does not watch, the application will"
    )
    said = "- open at most 30 connections at once by audit (audit.py:3), not under test; "
    assert connections.startswith(said)
    database.driven.check_engine(audit, (), False)
    later = told_engine(name="later", url=url.render_as_string(False), place="later.py:3 f")
    with pytest.raises(RefusedRun, match=r"makes the engine later \(later.py:3\) with a request"):
        database.driven.check_engine(later, (), False)


def test_an_engine_that_is_not_meant_needs_a_known_server(found: Found) -> None:
    rows = told_engine(name="rows", url="sqlite:///rows.db")
    for other in (told_engine(url=ELSEWHERE), told_engine(url=NOWHERE)):
        with pytest.raises(
            UsageError, match="is not under test, but its connections must be"
        ) as no:
            found(rows, (other,))
        assert "s3cret" not in str(no.value)
        (warning,) = found(rows, (other,), allowed=ALL).warnings
        assert warning.startswith("The server of the engine shop (shop/db.py:9) is not known: ")
    assert not found(rows, (told_engine(url="sqlite:///audit.db"),)).warnings


@pytest.mark.database
@pytest.mark.parametrize(
    ("settings", "connections"), [(QUEUE, 30), ({"poolclass": "NullPool"}, 100), ({}, 100)]
)
def test_engines_that_are_not_meant_are_announced(
    found: Found, url: URL, settings: dict[str, Any], connections: int
) -> None:
    unsized = {"pool_size": None, "max_overflow": None} if settings else {}
    where = url.set(drivername="mysql+aiomysql").render_as_string(False)
    audit = told_engine(name="audit", place="audit.py:3 f", url=where, set=unsized | settings)
    files = told_engine(name="files", place="files.py:3 f", url="sqlite:///files.db")
    here = told_engine(url=where)
    announced = found(here, (audit, files)).intentions[1]
    most = 2 * 15 + connections + 1
    assert announced.startswith(
        f"- open at most {most} connections at once (2 processes × 15 in the pool, {connections} "
        "in other engines, 1 to read the server's status)"
    )


ON_POSTGRESQL = "postgresql+psycopg://app:s3cret@127.0.0.1:1/shop"


@pytest.mark.parametrize(
    ("engine", "fault", "said"),
    [
        (told_engine(), "freeze@1s+1s", "can be frozen; put {database_url} into --app-env to have"),
        (None, "refuse@1s+1s", "let the URL of --ready use the database"),
        (told_engine(url="sqlite:///a.db"), "refuse@1s+1s", "connects to sqlite without a server"),
        (
            told_engine(url=ON_POSTGRESQL),
            "kill@1s",
            "the engine shop (shop/db.py:9) connects to po",
        ),
        (told_engine(url=f"{NOWHERE}&unix_socket=/run/a"), "kill@1s", "has a unix_socket"),
    ],
)
def test_impossible_faults_are_refused(
    found: Found, engine: ToldEngine | None, fault: str, said: str
) -> None:
    with pytest.raises(UsageError) as refused:
        found(engine, faults=["latency:1ms", fault], allowed=ALL)
    assert said in str(refused.value)
    assert "s3cret" not in str(refused.value)


def test_faults_of_the_network_need_no_server_that_the_tool_knows(found: Found) -> None:
    database = found(told_engine(url=ON_POSTGRESQL), faults=["latency:1ms"], allowed=ALL)
    assert database.driven.relay
    assert database.faults
    assert database.faults.url.port == database.driven.relay.address[1]


@pytest.mark.database
@pytest.mark.parametrize("fault", ["kill@1s", "latency:0.001s"])
def test_faults_act_before_the_server_of_the_application(
    found: Found, url: URL, fault: str
) -> None:
    here = told_engine(url=url.set(drivername="mysql+aiomysql").render_as_string(False))
    database = found(here, faults=[fault])
    assert database.driven.relay
    assert database.url == url  # for looking
    announced = f"break its own connections: {fault}; each task runs once first"
    assert any(announced in line for line in database.intentions)
