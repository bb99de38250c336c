"""What a person allows on a database server that others use, too."""

from __future__ import annotations

from dataclasses import dataclass

# A run ends when the status of such a server cannot be read for this long.
UNSEEN_SECONDS = 10


@dataclass(frozen=True)
class Allowances:
    """What the tool does to a server that it did not start only where it is told to.

    overload: take more than a share of the free connections. trouble: go on when the server refuses
    connections of others, or its status cannot be read. tables: leave the scenario's tables there
    at the end.
    """

    overload: bool = False
    trouble: bool = False
    tables: bool = False

    def arguments(self) -> list[str]:
        """The same as options of Locust's command line."""
        flags = {
            "--allow-overload": self.overload,
            "--no-abort": self.trouble,
            "--keep-tables": self.tables,
        }
        return [flag for flag, given in flags.items() if given]


NO_ALLOWANCES = Allowances()
"""What the tool does where nobody said anything."""
