"""The limits of this machine for a process with many connections."""

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
    """The limits of this machine, and the local ports in use by connections to this server."""
    return Machine(open_files_limit(), local_port_count(), _ports_in_use(url.port or 3306))


def open_files_limit() -> int | None:
    """The hard limit of open files per process; None without a limit."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return None if hard == resource.RLIM_INFINITY else hard


def local_port_count() -> int | None:
    """The number of local ports, so of connections to one address; None if unknown."""
    try:
        low, high = _PORT_RANGE.read_text().split()
    except (OSError, ValueError):
        return None
    return int(high) - int(low) + 1


def _ports_in_use(port: int) -> int:
    """The connections to this port on any host, including those that were just closed."""
    try:
        return sum(c.raddr[1:2] == (port,) for c in psutil.net_connections("tcp"))
    except psutil.Error as error:
        logger.debug("cannot count connections: %s", error)
        return 0
