"""Names with numbers, so that a checkout appends a number."""

from __future__ import annotations

from itertools import count


class NumberedNames:
    """The names that have come so far, by number; later ones than `most` share the name `rest`.

    Threads may ask at once, without a lock: a number belongs to one name, and some may be unused.
    """

    def __init__(self, most: int, rest: str) -> None:
        self._most = most
        self._numbers: dict[str, int] = {}
        self._names: dict[int, str] = {0: rest}
        self._free = count(1)

    def number(self, name: str) -> int:
        """The number of a name; 0 if there are too many."""
        known = self._numbers.get(name)
        if known is not None:
            return known
        if len(self._numbers) >= self._most:
            return 0
        # First the name: another thread may ask for it as soon as it has the number.
        number = next(self._free)
        self._names[number] = name
        return self._numbers.setdefault(name, number)

    def name(self, number: int) -> str:
        """The name with a number."""
        return self._names[number]
