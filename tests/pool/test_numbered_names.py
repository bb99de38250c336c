"""The names of places and routes, by number."""

from __future__ import annotations

from loadtest.pool.numbered_names import NumberedNames


class Interrupted(dict[str, int]):
    """Numbers by name; another thread asks for the names as soon as a number is there."""

    def __init__(self, names: NumberedNames) -> None:
        super().__init__()
        self.names, self.seen = names, list[str]()

    def setdefault(self, name: str, number: int = 0) -> int:
        """As of a dictionary."""
        found = super().setdefault(name, number)
        self.seen.append(self.names.name(found))
        return found


def test_a_number_that_another_thread_gets_has_its_name() -> None:
    names = NumberedNames(3, "(other places)")
    names._numbers = numbers = Interrupted(names)
    assert names.name(names.number("one")) == "one"
    assert names.name(names.number("two")) == "two"
    assert numbers.seen == ["one", "two"]


def test_two_threads_that_come_with_a_name_at_once_get_one_number() -> None:
    names = NumberedNames(3, "(other places)")
    first = names.number("one")
    names._numbers = late = Late({"one": first})
    assert names.number("one") == first
    assert late.asked == 1


class Late(dict[str, int]):
    """Numbers by name, in which a first look finds nothing yet."""

    asked = 0

    def get(self, name: str, default: int | None = None) -> int | None:  # type: ignore[override]
        """As of a dictionary."""
        self.asked += 1
        return default
