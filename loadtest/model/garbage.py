"""How often Python looks for garbage while a process starts."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

# The number of new objects after which Python looks for garbage. Imports make many objects and no
# garbage; with Python's 700, looking for it takes an eighth of the start and of a report.
OBJECTS_PER_COLLECTION = 100_000


@contextmanager
def rare_collections() -> Iterator[None]:
    """A time in which Python seldom looks for garbage, for imports."""
    usual = gc.get_threshold()
    gc.set_threshold(OBJECTS_PER_COLLECTION, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)
