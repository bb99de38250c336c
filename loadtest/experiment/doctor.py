"""The checks of `loadtest doctor`: those before every run, and three that need a measurement."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from dataclasses import replace
from functools import partial
from typing import Any

from sqlalchemy import URL

from loadtest.database.application import (
    Application,
    NeedsDatabase,
    database_in_environment,
    find_application,
    refuse_second_database,
)
from loadtest.database.connection_errors import connection_error, hint_without_database
from loadtest.database.engine import database_url
from loadtest.database.preflight.announcement import situation
from loadtest.database.preflight.checks import run_checks
from loadtest.database.preflight.handshake import Handshake, application_handshake, handshake
from loadtest.database.preflight.other_programs import OtherPrograms
from loadtest.database.preflight.server_probe import probe_server
from loadtest.database.preflight.situation import Demand, PreflightCheck
from loadtest.database.private_server import PrivateServer
from loadtest.database.redaction import host_and_port
from loadtest.database.server_program import refuse_beside_database
from loadtest.experiment import deadlines
from loadtest.model.errors import LoadtestError, UsageError


def situation_checks(
    given: str, demand: Demand, session: str = "", engine: str = "", server: str = ""
) -> tuple[str, list[PreflightCheck]]:
    """The server in words, and all checks of the server, this machine and the pools.

    given: a database URL; without one, a private server starts. server: its program, as
    `find_server_program` reads it. session, engine: the names of an application's session or
    engine, whose way to connect is checked; if the application reads LOADTEST_DATABASE_URL and it
    is not set, it gets a private server. Raises UsageError if the database cannot be used.
    """
    if session or engine:
        try:
            return _application(given, demand, session, engine, server)
        except NeedsDatabase:
            with PrivateServer(server=server) as private:
                address = private.url.render_as_string(hide_password=False)
                return _application(address, demand, session, engine)
    refuse_beside_database(bool(server), bool(given))
    if given:
        return _looked_at(database_url(given), demand, private=False)
    with PrivateServer(server=server) as private:
        return _looked_at(private.url, demand, private=True)


def _looked_at(url: URL, demand: Demand, *, private: bool) -> tuple[str, list[PreflightCheck]]:
    others, facts = OtherPrograms(), probe_server(url)
    now = situation(url, demand, private=private)
    still = _standstill(LOADTEST_DATABASE_URL=url.render_as_string(False))
    shaken = _shaken(partial(handshake, url, tls=facts.tls), url)
    measured = replace(now, handshake=shaken, standstill=still, others=others.shares())
    where = "a private server" if private else host_and_port(url)
    return f"{facts.version} at {where}", run_checks(measured)


def _application(
    given: str, demand: Demand, session: str, engine: str, server: str | None = None
) -> tuple[str, list[PreflightCheck]]:
    """The checks of an application; server: None if the given database is a private one."""
    with database_in_environment(given):
        with redirect_stdout(sys.stderr):  # keeps an application's output out of the answer
            application = find_application(session, engine)
        assert application
        refuse_second_database(application, given)
        refuse_beside_database(bool(server), True)
        return _connecting(application, demand, (session, engine), private=server is None)


def _connecting(
    application: Application, demand: Demand, names: tuple[str, str], *, private: bool
) -> tuple[str, list[PreflightCheck]]:
    url, how, others = application.url, application.connecting, OtherPrograms()
    demand = replace(demand, pools=tuple(map(application.described, demand.pools)))
    facts = probe_server(url, how)
    session = application.session_variables()
    now = situation(url, demand, private=private, connecting=how, session=session)
    shaken = _shaken(partial(application_handshake, url, how, tls=facts.tls), url, how)
    still = _standstill(*names)
    measured = replace(
        now, handshake=shaken, standstill=still, others=others.shares(), driver=shaken.driver
    )
    where = "a private server" if private else host_and_port(url)
    return f"{facts.version} at {where}, as {application.name} connects", run_checks(measured)


def _shaken(
    measure: Callable[[], Handshake], url: URL, how: Mapping[str, Any] | None = None
) -> Handshake:
    """The time to connect; UsageError if the server has stopped or is full."""
    try:
        return measure()
    except Exception as error:  # the class depends on the application's driver
        raise connection_error(error, url, hint_without_database(how)) from None


def _standstill(session: str = "", engine: str = "", **environment: str) -> float:
    command = deadlines.watched_command("loadtest.load.setup.driver_probe", session, engine)
    given = os.environ | environment
    asked = subprocess.run(command, env=given, capture_output=True, text=True, check=False)
    if asked.returncode == UsageError.exit_code:
        raise UsageError(asked.stdout.strip())
    try:
        return float(asked.stdout)
    except ValueError:
        raise LoadtestError("cannot test whether the driver blocks other users") from None
