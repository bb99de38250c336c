"""The errors and the retries of a pool's requests, by kind."""

from __future__ import annotations

from pydantic import Field

from loadtest.model.field_types import Value


class ErrorKind(Value):
    """Errors of one kind: the UTC seconds of the first and the last, and an example message.

    advice: what they mean in this pool's runs, and what to do.
    """

    first: int | None
    last: int | None
    example: str | None
    advice: str = ""


class Errors(Value):
    """The share of failed requests, and the number of errors by kind."""

    rate: float | None
    by_kind: dict[str, int]
    kinds: dict[str, ErrorKind] = Field(default_factory=dict)


class Retries(Value):
    """Failed checkouts and statements that a later statement of the same request made up for."""

    count: int = 0
    by_kind: dict[str, int] = Field(default_factory=dict)
