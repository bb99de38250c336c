"""What is looked at before a run (what it asks for, the machine, the server), and what is found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from loadtest.model.pool import PoolConfig

if TYPE_CHECKING:
    from loadtest.database.preflight.handshake import Handshake
    from loadtest.database.preflight.occupancy import Occupancy

Severity = Literal["ok", "note", "warning", "error"]


@dataclass(frozen=True)
class PreflightCheck:
    """What was looked at: a code, how serious it is, what it means and what to do about it."""

    code: str
    severity: Severity
    message: str
    advice: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.message}: {self.advice}" if self.advice else self.message


@dataclass(frozen=True)
class Demand:
    """What a run, or each run of an experiment, may ask for.

    users: of each process. seconds: how long the load goes on, None until somebody ends it.
    arrival_rate: the most arrivals per second, None in a closed loop. overload: whether a person
    agreed that it takes more than its share. killing: whether some of them are killed meanwhile.
    prefill: whether the pools open what they keep before the load begins.
    """

    pools: tuple[PoolConfig, ...]
    users: int
    processes: int = 1
    seconds: float | None = None
    arrival_rate: float | None = None
    overload: bool = False
    killing: bool = False
    prefill: bool = False

    def of_process(self, pool: PoolConfig) -> int:
        """The most connections that this pool has in one process."""
        kept = (pool.kept_connections or 0) if self.prefill else 0
        return max(kept, pool.connections_for(self.users))

    def connections(self, pool: PoolConfig) -> int:
        """The most connections that this pool has in all processes together."""
        return self.processes * self.of_process(pool)

    @property
    def most(self) -> int:
        """The most connections of any of the pools."""
        return max(map(self.connections, self.pools))

    @property
    def beside(self) -> int:
        """The connections outside of the pools: to ask for the server's status, and to kill."""
        return 2 if self.killing else 1


@dataclass(frozen=True)
class Machine:
    """What this machine allows: open files of a process, local ports and those in use there.

    None: no limit, or none that is known.
    """

    open_files: int | None
    local_ports: int | None
    ports_in_use: int = 0


@dataclass(frozen=True)
class Situation:
    """All that is looked at. private: the tool started the server, and nobody else uses it.

    standstill: for which share of a sleeping query nobody else could run; handshake: what
    connecting takes; None where nobody measured. driver: its name.
    """

    demand: Demand
    machine: Machine
    server: Occupancy
    private: bool
    host: str = ""
    standstill: float | None = None
    handshake: Handshake | None = None
    driver: str = "PyMySQL"
