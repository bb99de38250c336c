"""The requests of one name, as a summary has them."""

from __future__ import annotations

from pydantic import Field

from loadtest.model.durations import Durations
from loadtest.model.field_types import Value


class Explained(Value):
    """How much of a percentile of request times is waiting for a connection.

    seconds: the percentile. waiting_seconds: at least so much of it, since short waits are not
    told. told: the number of requests of about that time whose responses told their waits.
    """

    seconds: float
    waiting_seconds: float
    told: int


class RequestTimes(Durations):
    """The requests of one name: the times of those that succeeded, and the outcomes of all.

    unfinished: the requests in progress at the end of the rounds, which are in no other count; the
    times are cut off by their ages. by_status: by the status code of HTTP; `none` without an
    answer. explained: by percentile; empty if the application does not tell the waits of its
    requests.
    """

    count: int = 0
    failed: int = 0
    retried: int = 0
    unfinished: int = 0
    error_rate: float | None = None
    by_status: dict[str, int] = Field(default_factory=dict)
    explained: dict[str, Explained] = Field(default_factory=dict)
