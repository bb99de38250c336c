"""Tries how an application connects, in a process that gevent has patched, as for users.

The command, which never imports Locust, runs this in a process of its own. The arguments are the
names of a session and an engine, both empty without an application.
"""

from __future__ import annotations

import locust  # noqa: F401 - first: gevent patches the sockets that the driver imports

import os
import sys
import time
from argparse import Namespace
from itertools import pairwise

import gevent
from sqlalchemy import Engine, NullPool, create_engine

from loadtest.database.application import DATABASE_URL, Application
from loadtest.database.connection_errors import connection_error, hint_without_database
from loadtest.database.preflight.handshake import application_handshake
from loadtest.database.preflight.pool_checks import (
    STANDSTILL_SHARE,
    driver_check,
    tls_context_check,
)
from loadtest.database.preflight.server_probe import probe_server
from loadtest.database.preflight.situation import PreflightCheck
from loadtest.database.supervisor import die_with_parent
from loadtest.load.setup.application_pool import load_application
from loadtest.model.errors import UsageError

# A hundred times the cost of a greenlet switch, and still short.
QUERY_SECONDS = 0.2
TICK_SECONDS = 0.002
ATTEMPTS = 3


def probe_driver(application: Application, *, greenlets: bool) -> list[PreflightCheck]:
    """The cost of an application's connections for its users, measured in half a second.

    greenlets: whether users are greenlets, which the driver may block. The tool's own engine needs
    no probe: its driver does not block others, and all its connections share one TLS context.
    Raises UsageError if the database cannot be used.
    """
    url, how = application.url, application.connecting
    try:
        shaken = application_handshake(url, how, tls=probe_server(url, how).tls)
        checks = [tls_context_check(shaken)]
        if greenlets:
            still = longest_pause(create_engine(url, poolclass=NullPool, **how))
            checks.append(driver_check(still, shaken.driver))
    except UsageError:
        raise
    except Exception as error:  # drivers raise errors of any class
        raise connection_error(error, url, hint_without_database(how)) from None
    return checks


def longest_pause(engine: Engine) -> float:
    """The longest time without a switch to another greenlet, as a share of a sleeping query.

    Another program may cause a pause, too: of several attempts the shortest one counts.
    """
    shortest = 1.0
    for _ in range(ATTEMPTS):
        shortest = min(shortest, _pause(engine))
        if shortest <= STANDSTILL_SHARE:
            break
    return shortest


def _pause(engine: Engine) -> float:
    moments: list[float] = []

    def tick() -> None:
        while True:
            moments.append(time.perf_counter())
            gevent.sleep(TICK_SECONDS)

    with engine.connect() as connection:
        ticking = gevent.spawn(tick)
        gevent.sleep(TICK_SECONDS)
        begin = time.perf_counter()
        connection.exec_driver_sql(f"SELECT SLEEP({QUERY_SECONDS})").all()
        end = time.perf_counter()
        ticking.kill()
    edges = [begin, *(moment for moment in moments if begin < moment < end), end]
    return max(after - before for before, after in pairwise(edges)) / (end - begin)


def _engine(session: str, engine: str) -> Engine:
    given = os.environ.get(DATABASE_URL, "")
    options = Namespace(session=session, engine=engine, database_url=given)
    application = load_application(Namespace(parsed_options=options, parsed_locustfiles=[]))
    if application:
        return create_engine(application.url, poolclass=NullPool, **application.connecting)
    return create_engine(given, poolclass=NullPool)


if __name__ == "__main__":
    die_with_parent()  # the server may never answer
    answer, sys.stdout = sys.stdout, sys.stderr  # the application may print, too
    try:
        print(longest_pause(_engine(*sys.argv[1:])), file=answer)
    except UsageError as error:
        print(error, file=answer)
        sys.exit(error.exit_code)
