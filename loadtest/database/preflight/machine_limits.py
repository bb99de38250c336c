"""What this machine allows a process that connects a lot."""

from __future__ import annotations

import logging
import resource
from pathlib import Path

import psutil
from sqlalchemy import URL

from loadtest.database.preflight.situation import Machine

logger = logging.getLogger("loadtest")
_PORT_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def machine_limits(url: URL) -> Machine:
    """The limits of this machine, and the local ports that connections to this server have now."""
    return Machine(open_files_limit(), local_port_count(), _ports_in_use(url.port or 3306))


def open_files_limit() -> int | None:
    """How many files a process may have open, once it asks for it; None without a limit."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return None if hard == resource.RLIM_INFINITY else hard


def local_port_count() -> int | None:
    """How many connections to one address this system can have; None where it does not tell."""
    try:
        low, high = _PORT_RANGE.read_text().split()
    except (OSError, ValueError):
        return None
    return int(high) - int(low) + 1


def _ports_in_use(port: int) -> int:
    """Connections to this port of any host, those that were closed a moment ago, too."""
    try:
        return sum(c.raddr[1:2] == (port,) for c in psutil.net_connections("tcp"))
    except psutil.Error as error:
        logger.debug("cannot count connections: %s", error)
        return 0
