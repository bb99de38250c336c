"""Work in steps, between which other threads may run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

_T = TypeVar("_T")

LetOthersRun = Callable[[], None]
"""Called between steps; it lets other threads run if they have waited long enough."""


def go_on() -> None:
    """Let no others run."""


def in_steps(items: Iterable[_T], let_others_run: LetOthersRun) -> Iterator[_T]:
    """The items, each a step."""
    for item in items:
        yield item
        let_others_run()
