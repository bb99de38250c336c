"""The fields of histograms, and of the requests of one name in an interval."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from loadtest.model.distribution import Distribution
from loadtest.model.request_use import RequestUse, TimeBand
from loadtest.runfile.place_schema import Count

_Number = Annotated[int, Meta(ge=0, lt=2**16)]
_Band = tuple[_Number, Count, Count, Count]


class TimesLine(Struct, frozen=True):
    """A histogram as a line has it: count, sum and maximum (ns), and its text."""

    count: Count
    sum: Count
    max: Count
    hdr: str


class RequestLine(Struct, frozen=True):
    """The requests of one name; `RequestUse` describes the fields. A band has its number first,
    as has the sum of its squares."""

    count: Count = 0
    failed: Count = 0
    retried: Count = 0
    timed_out: Count = 0
    by_status: dict[str, Count] = {}
    bands: tuple[_Band, ...] = ()
    told_5xx: Count = 0
    timed_out_5xx: Count = 0
    squares: tuple[tuple[_Number, Count], ...] = ()
    unfinished: TimesLine | UnsetType = UNSET

    def value(self, unfinished: Distribution) -> RequestUse:
        """The requests as a value of an interval; unfinished: the decoded histogram."""
        counts = (self.count, self.failed, self.retried, self.timed_out)
        squares = dict(self.squares)
        bands = {
            band: TimeBand(told, time, waited, squares.get(band, 0))
            for band, told, time, waited in self.bands
        }
        of_answers = (Counter(self.by_status), bands)
        return RequestUse(*counts, *of_answers, self.told_5xx, self.timed_out_5xx, unfinished)
