"""The requests of one name: their outcomes, and how long they waited for connections."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import log2
from typing import Any

from loadtest.model.distribution import Distribution
from loadtest.model.named_values import together

# The histograms of the requests of one name begin with these: of successful and of failed ones.
_TIMES, _FAILED_TIMES = "request@", "failed_request@"
# The gauge of the requests in progress, of users whose clients tell them.
IN_PROGRESS = "in_progress"
# The bands of durations in a factor of two.
_BANDS_PER_OCTAVE = 4


def times_of_name(name: str, *, failed: bool = False) -> str:
    """The histogram of the times of the requests of a name."""
    return f"{_FAILED_TIMES if failed else _TIMES}{name}"


def is_of_name(histogram: str) -> bool:
    """Whether a histogram belongs to the requests of one name."""
    return histogram.startswith((_TIMES, _FAILED_TIMES))


def name_in(histogram: str) -> str:
    """The name of the requests whose times a histogram has; empty for those of all."""
    return histogram.partition("@")[2] if is_of_name(histogram) else ""


def band_of(nanoseconds: int) -> int:
    """The number of the band of a duration: each covers a quarter of an octave, about 19 %."""
    return int(_BANDS_PER_OCTAVE * log2(max(nanoseconds, 1000) / 1000))


@dataclass(frozen=True, slots=True)
class TimeBand:
    """Successful requests of about the same duration that told their waits for connections.

    told: their number. time, waited: the sums of their durations and of their waits (ns). squares:
    the sum of the squared waits (µs²); 0 in older files.
    """

    told: int = 0
    time: int = 0
    waited: int = 0
    squares: int = 0

    def plus(self, other: TimeBand) -> TimeBand:
        """The requests of both."""
        return TimeBand(
            self.told + other.told,
            self.time + other.time,
            self.waited + other.waited,
            self.squares + other.squares,
        )


@dataclass(slots=True)
class RequestUse:
    """The requests of one name: counts, statuses, and the waits that some of them told.

    retried: requests with a retry inside them; 0 for HTTP. timed_out: requests that told a timeout
    of the application's pool, also those that succeeded after it. told_5xx: failures with a 5xx
    status whose responses told the timeouts of their requests; timed_out_5xx: those that told one.
    by_status: HTTP status codes, and `none` without an answer. bands: by `band_of` their duration.
    unfinished: the ages of the requests in progress at the end, which are in no other number.
    """

    count: int = 0
    failed: int = 0
    retried: int = 0
    timed_out: int = 0
    by_status: Counter[str] = field(default_factory=Counter)
    bands: dict[int, TimeBand] = field(default_factory=dict)
    told_5xx: int = 0
    timed_out_5xx: int = 0
    unfinished: Distribution = field(default_factory=Distribution)

    def then(self, later: RequestUse) -> RequestUse:
        """The requests in this period and the next."""
        joined = self.plus(later)
        joined.unfinished = Distribution() + later.unfinished
        return joined

    def plus(self, other: RequestUse) -> RequestUse:
        """The requests of both, in two processes or two rounds."""
        return RequestUse(
            self.count + other.count,
            self.failed + other.failed,
            self.retried + other.retried,
            self.timed_out + other.timed_out,
            self.by_status + other.by_status,
            together(self.bands, other.bands, TimeBand.plus),
            self.told_5xx + other.told_5xx,
            self.timed_out_5xx + other.timed_out_5xx,
            self.unfinished + other.unfinished,
        )

    def tell(self, time: int, waited: int) -> None:
        """Add the wait of a successful request to its band (ns), in place."""
        band = band_of(time)
        told = self.bands.get(band, TimeBand())
        waited = min(waited, time)  # parts of a request may wait at the same time
        self.bands[band] = told.plus(TimeBand(1, time, waited, (waited // 1000) ** 2))

    def to_json(self) -> dict[str, Any]:
        """The use for a line of a result file; zeros are left out."""
        bands = [[b, one.told, one.time, one.waited] for b, one in self.bands.items()]
        squares = [[b, one.squares] for b, one in self.bands.items() if one.squares]
        told = {name: getattr(self, name) for name in self.__slots__}
        told |= {"bands": bands, "squares": squares}
        told["unfinished"] = self.unfinished.to_json() if self.unfinished.count else None
        return {name: value for name, value in told.items() if value}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> RequestUse:
        """Read what `to_json` wrote."""
        statuses = Counter(data.get("by_status", {}))
        squares = dict(data.get("squares", []))
        bands = {
            band: TimeBand(told, time, waited, squares.get(band, 0))
            for band, told, time, waited in data.get("bands", [])
        }
        known = {name: value for name, value in data.items() if name != "squares"}
        if "unfinished" in data:
            known["unfinished"] = Distribution.from_json(data["unfinished"])
        return cls(**known | {"by_status": statuses, "bands": bands})


def ages_in_progress(requests: Mapping[str, RequestUse], name: str = "") -> Distribution:
    """The ages of the unfinished requests of a name; of all without one."""
    ages = (use.unfinished for own, use in requests.items() if name in ("", own))
    return sum(ages, Distribution())
