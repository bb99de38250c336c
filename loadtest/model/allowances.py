"""The permissions for a database server that the tool did not start."""

from __future__ import annotations

from dataclasses import dataclass

# A run ends when the status of such a server cannot be read for this long.
UNSEEN_SECONDS = 10


@dataclass(frozen=True)
class Allowances:
    """Actions on a server that the tool did not start, which need your permission.

    overload: use more than a share of the free connections. trouble: continue when the server
    refuses other clients, or its status cannot be read. tables: keep the scenario's tables at the
    end. per_user: the most connections that one user holds at once.
    """

    overload: bool = False
    trouble: bool = False
    tables: bool = False
    per_user: int = 1

    def arguments(self) -> list[str]:
        """The options of Locust's command line with the same meaning."""
        flags = {
            "--allow-overload": self.overload,
            "--no-abort": self.trouble,
            "--keep-tables": self.tables,
        }
        number = ["--connections-per-user", str(self.per_user)] if self.per_user > 1 else []
        return [*(flag for flag, given in flags.items() if given), *number]


NO_ALLOWANCES = Allowances()
"""The default: no permissions."""
