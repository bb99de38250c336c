"""What one process of a driven application recorded in the measured time of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from loadtest.analysis.recordings.blocks import Blocks, without_places
from loadtest.analysis.recordings.kept_holds import KeptHolds
from loadtest.model.interval import Interval

# A hold of this age (s) that is older than all requests in progress has lost its request.
OUTLIVES_REQUESTS = 5


class MeasuredProcess:
    """Takes the measured intervals of a process in order.

    total: of all, with their places and shortages. blocks: for lines over time. kept: the holds in
    progress at the end.
    """

    def __init__(self, process: str) -> None:
        self.total = Interval(0, process, length=0)
        self.blocks, self.kept = Blocks(), KeptHolds(OUTLIVES_REQUESTS)

    def add(self, interval: Interval) -> None:
        """Add an interval that follows the earlier ones."""
        self._absorb(interval)
        self.blocks.add(without_places(interval))
        self.kept.add(interval)

    def extend(self, later: MeasuredProcess) -> None:
        """Add what it recorded in the part of the run that follows."""
        self._absorb(later.total)
        self.blocks.extend(later.blocks)
        self.kept.extend(later.kept)

    def _absorb(self, later: Interval) -> None:
        self.total.second = self.total.second or later.second
        self.total.absorb(later)


def joined_processes(
    parts: Sequence[Mapping[str, MeasuredProcess]],
) -> Mapping[str, MeasuredProcess]:
    """The processes of some parts of a run that follow each other, by name."""
    found: dict[str, MeasuredProcess] = {}
    for name, process in (one for part in parts for one in part.items()):
        found.setdefault(name, MeasuredProcess(name)).extend(process)
    return found
