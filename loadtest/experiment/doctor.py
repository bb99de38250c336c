"""The checks that are made before every run, with what takes a moment to measure."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

from sqlalchemy import URL

from loadtest.database.before import situation
from loadtest.database.checks import examine
from loadtest.database.connecting import handshake
from loadtest.database.engine import database_url
from loadtest.database.preflight import look
from loadtest.database.private import PrivateServer
from loadtest.database.situation import Check, Demand
from loadtest.errors import LoadtestError


def doctor(given: str, demand: Demand) -> tuple[str, list[Check]]:
    """What server there is, in words, and all checks of it, of this machine and of the pools.

    given: the address of a database; a private one is started without. Raises UsageError if it
    cannot be used.
    """
    if given:
        return _looked_at(database_url(given), demand, private=False)
    with PrivateServer() as server:
        return _looked_at(server.url, demand, private=True)


def _looked_at(url: URL, demand: Demand, *, private: bool) -> tuple[str, list[Check]]:
    facts = look(url)
    now = situation(url, demand, private=private)
    connecting = handshake(url, tls=facts.tls)
    measured = replace(now, handshake=connecting, standstill=_standstill(url))
    where = "a private server" if private else f"{url.host or 'localhost'}:{url.port or 3306}"
    return f"{facts.version} at {where}", examine(measured)


def _standstill(url: URL) -> float:
    command = [sys.executable, "-m", "loadtest.experiment.standstill"]
    environment = os.environ | {"LOADTEST_DATABASE_URL": url.render_as_string(False)}
    asked = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    try:
        return float(asked.stdout)
    except ValueError:
        raise LoadtestError("whether the driver lets others run could not be tried") from None
