"""Response times in Locust's own statistics and charts, with two significant digits."""

from __future__ import annotations

from locust import stats


def two_digits(milliseconds: float) -> float:
    """A response time (ms) rounded to two significant digits, at least to a microsecond.

    Locust counts response times by their rounded values. Its own rounding has whole milliseconds,
    so a quick query would take 0 ms.
    """
    if milliseconds >= 100:
        return _whole(milliseconds)
    if milliseconds >= 10:
        return round(milliseconds)
    parts = 10 if milliseconds >= 1 else 100 if milliseconds >= 0.1 else 1000
    return round(milliseconds * parts) / parts


# Locust's documentation allows replacing this function.
_whole = stats.bucket_response_time
stats.bucket_response_time = two_digits  # type: ignore[assignment]
