"""The fields of the requests of one name in an interval."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

from msgspec import Meta, Struct

from loadtest.model.request_use import RequestUse, TimeBand
from loadtest.runfile.place_schema import Count

_Number = Annotated[int, Meta(ge=0, lt=2**16)]
_Band = tuple[_Number, Count, Count, Count]


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

    @property
    def value(self) -> RequestUse:
        """The requests as a value of an interval."""
        counts = (self.count, self.failed, self.retried, self.timed_out)
        squares = dict(self.squares)
        bands = {
            band: TimeBand(told, time, waited, squares.get(band, 0))
            for band, told, time, waited in self.bands
        }
        by_status = Counter(self.by_status)
        return RequestUse(*counts, by_status, bands, self.told_5xx, self.timed_out_5xx)
