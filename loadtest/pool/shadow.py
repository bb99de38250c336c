"""Methods of one instance in front of those of its class."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any


def shadow(instance: object, name: str, wrap: Callable[[Any], Any]) -> None:
    """Put a function in front of a method of one instance; wrap: makes it from the method."""
    original = getattr(instance, name)
    made = wrap(original)
    made.shadowed = original
    setattr(instance, name, made)


def unshadow(instance: object, names: Iterable[str]) -> None:
    """Put the shadowed methods back."""
    for name in names:
        made = getattr(instance, name)
        setattr(instance, name, getattr(made, "shadowed", made))
