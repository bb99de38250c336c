"""The open connections of pools that may be dropped without `dispose()`."""

from __future__ import annotations

import weakref
from functools import partial
from typing import Any

from loadtest.pool.checkout_batch import clock

_MISSING = object()


class OpenConnections(dict[object, int]):
    """The opening time of each open connection, by its record, which it does not keep alive.

    SQLAlchemy closes a collected connection without an event. It is then added to `closes` with the
    reason `collected`. Records of a type without weak references are kept alive.
    """

    def __init__(self, closes: list[tuple[int, int, str]]) -> None:
        super().__init__()
        self._closes = closes
        self._alive: dict[int, object] = {}

    def __setitem__(self, record: object, opened: int) -> None:
        super().__setitem__(self._key(record), opened)

    def __contains__(self, record: object) -> bool:
        return super().__contains__(id(record))

    def get(self, record: object, default: Any = None) -> Any:
        """As of a dictionary."""
        return super().get(id(record), default)

    def setdefault(self, record: object, opened: int = 0) -> int:
        """As of a dictionary."""
        return super().setdefault(self._key(record), opened)

    def pop(self, record: object, default: Any = _MISSING) -> Any:
        """As of a dictionary."""
        self._alive.pop(id(record), None)
        found = super().pop(id(record), default)
        if found is _MISSING:
            raise KeyError(record)
        return found

    def clear(self) -> None:
        """As of a dictionary."""
        self._alive.clear()
        super().clear()

    def _key(self, record: object) -> int:
        key = id(record)
        if key not in self._alive:
            try:
                self._alive[key] = weakref.ref(record, partial(self._collected, key))
            except TypeError:
                self._alive[key] = record
        return key

    def _collected(self, key: int, _: object) -> None:
        self._alive.pop(key, None)
        opened = super().pop(key, None)
        if opened is not None:
            self._closes.append((opened, clock(), "collected"))
