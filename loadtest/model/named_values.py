"""Values by name, joined name by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

_K = TypeVar("_K")
_T = TypeVar("_T")
Join = Callable[[_T, _T], _T]


def together(one: dict[_K, _T], other: dict[_K, _T], join: Join[_T]) -> dict[_K, _T]:
    """All values of both; a value of only one side is unchanged."""
    both = one.keys() & other.keys()
    return {**one, **other, **{name: join(one[name], other[name]) for name in both}}


def by_name(one: dict[str, _T], other: dict[str, _T], join: Join[_T], nothing: _T) -> dict[str, _T]:
    """All values of both; a value of only one side is joined with `nothing`."""
    names = sorted(one.keys() | other.keys())
    return {name: join(one.get(name, nothing), other.get(name, nothing)) for name in names}
