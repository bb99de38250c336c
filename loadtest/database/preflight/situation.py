"""The input of the checks before a run (demand, machine, server), and a check as a value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from loadtest.model.pool import PoolConfig

if TYPE_CHECKING:
    from loadtest.database.preflight.handshake import Handshake
    from loadtest.database.preflight.occupancy import Occupancy

Severity = Literal["ok", "note", "warning", "error"]


@dataclass(frozen=True)
class PreflightCheck:
    """The outcome of a check: code, severity, what it means, what to do, and the numbers."""

    code: str
    severity: Severity
    message: str
    advice: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.message}: {self.advice}" if self.advice else self.message


@dataclass(frozen=True)
class Demand:
    """The connections and the load that a run, or each run of an experiment, may need.

    users: per process. per_user: the most connections that each of them holds at once.
    seconds: the duration of the load; None: until it is stopped.
    arrival_rate: the highest offered rate (1/s); None in a closed loop. overload: whether the user
    allows more than the usual share. killing: whether a fault kills connections.
    prefill: whether the pools open pool_size connections before the load begins. other_engines:
    the most connections of an application's engines that are not under test, in all processes.
    """

    pools: tuple[PoolConfig, ...]
    users: int
    processes: int = 1
    seconds: float | None = None
    arrival_rate: float | None = None
    overload: bool = False
    killing: bool = False
    prefill: bool = False
    per_user: int = 1
    other_engines: int = 0

    def of_process(self, pool: PoolConfig) -> int:
        """The maximum number of connections of this pool in one process."""
        kept = (pool.kept_connections or 0) if self.prefill else 0
        return max(kept, pool.connections_for(self.users * self.per_user))

    def connections(self, pool: PoolConfig) -> int:
        """The maximum number of connections of this pool in all processes together."""
        return self.processes * self.of_process(pool)

    @property
    def most(self) -> int:
        """The maximum over all pools."""
        return max(map(self.connections, self.pools))

    @property
    def beside(self) -> int:
        """The connections outside the pools: of other engines, to read the status, and to kill."""
        return self.other_engines + (2 if self.killing else 1)


@dataclass(frozen=True)
class Machine:
    """The limits of this machine: open files per process, local ports, local ports in use.

    None: no limit, or an unknown one.
    """

    open_files: int | None
    local_ports: int | None
    ports_in_use: int = 0


@dataclass(frozen=True)
class Situation:
    """The input of all checks. private: the tool started the server and is its only client.

    standstill: the share of a sleeping query in which no other user could run. handshake: the time
    to connect. others: the programs that use the processors, as from `OtherPrograms`. The three are
    None if they were not measured. driver: its name.
    """

    demand: Demand
    machine: Machine
    server: Occupancy
    private: bool
    host: str = ""
    standstill: float | None = None
    handshake: Handshake | None = None
    others: Sequence[Mapping[str, Any]] | None = None
    driver: str = "PyMySQL"
