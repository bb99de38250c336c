"""The recorded pool of a shop, whose places hold connections in the ways of a test."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from loadtest.model.distribution import Distribution
from loadtest.model.interval import SECOND, Gauge, Interval
from loadtest.model.place_use import Holders, PlaceUse, Shortage
from tests.analysis.builders import MILLISECOND, START
from tests.analysis.recorded_pools import write_recording

PAY, LIST = "shop/checkout.py:88 pay", "shop/orders.py:19 list_orders"
CALL = "shop/checkout.py:91 pay"


def place(hold: int, query: int, needed: int | None = None, **more: Any) -> PlaceUse:
    """Ten checkouts a second of one place; times of one hold in milliseconds."""
    times = {"hold": hold, "query": query, "needed": hold if needed is None else needed}
    sums = {name: 10 * time * MILLISECOND for name, time in times.items()}
    values = {"checkouts": 10, "holds": 10, "queries": 20, **sums}
    return PlaceUse(**{**values, "longest_hold": hold * MILLISECOND, **more})


def second(
    number: int,
    places: dict[str, PlaceUse],
    *,
    waits: Sequence[int] = (),
    timeouts: int = 0,
    in_use: int = 1,
    waiting: float = 0,
    process: str = "web-1",
    counters: dict[str, int] | None = None,
    gauges: dict[str, int] | None = None,
    **more: Any,
) -> Interval:
    """A second of a process; waits in milliseconds. Ten checkouts of each place have ended."""
    ended = sum(use.checkouts for use in places.values())
    counted = {"checkouts": ended, "checkouts.pooled": ended, "timeouts": timeouts}
    levels = {"in_use": in_use, "open": max(in_use, 2), "engines": 1, **(gauges or {})}
    found = Interval(
        START + number,
        process,
        counters=Counter({**counted, **(counters or {})}),
        gauges={name: Gauge(level * SECOND, level, level, level) for name, level in levels.items()},
        places=places,
        **more,
    )
    most = int(waiting + 0.999)
    found.gauges["waiting"] = Gauge(int(waiting * SECOND), 0, most, 0)
    found.histograms = {"wait": milliseconds([*waits, *[0] * (ended - len(waits))])}
    for name, use in places.items():
        for kind in ("hold", "needed"):
            each = getattr(use, kind) // max(use.holds, 1)
            found.histograms[f"{kind}@{name}"] = Distribution.of([each] * use.holds)
    holds = [use.hold // max(use.holds, 1) for use in places.values() for _ in range(use.holds)]
    found.histograms["hold"] = Distribution.of(holds)
    return found


def milliseconds(values: Iterable[int]) -> Distribution:
    """A distribution of times in milliseconds."""
    return Distribution.of([value * MILLISECOND for value in values])


def shortage(number: int, wait: int, *, timed_out: bool = False) -> Shortage:
    """A wait in milliseconds while `pay` held two connections and the list one."""
    holders = (Holders(LIST, 1, 3 * MILLISECOND), Holders(PAY, 2, 800 * MILLISECOND))
    at = (START + number) * SECOND
    return Shortage(at, wait * MILLISECOND, timed_out, LIST, holders)


def quick() -> PlaceUse:
    """A place that uses its connections for queries only."""
    return place(5, 4, routes=Counter({"GET /orders": 10}))


def paying() -> PlaceUse:
    """A place that holds its connection during a call of 200 ms."""
    return place(
        *(210, 8, 12),
        routes=Counter({"POST /orders": 10}),
        held=2,
        idle_at=Counter({CALL: 2, PAY: 1}),
    )


def clean_shop(folder: Path, seconds: int = 20) -> Path:
    """A recording of a shop without a mistake, in two processes."""
    for process in ("web-1", "web-2"):
        rows = [second(n, {LIST: quick()}, process=process) for n in range(seconds)]
        write_recording(folder, rows, process)
    return folder


def paying_shop(folder: Path, seconds: int = 60) -> Path:
    """A recording of a shop that holds connections during a call, and is full for 30 seconds."""
    rows = []
    for number in range(seconds):
        full = 10 <= number < 40
        busy: dict[str, Any] = {"in_use": 3, "waiting": 2, "timeouts": 1} if full else {}
        late: dict[str, Any] = {"waits": [200] * 5, "shortages": [shortage(number, 200 + number)]}
        rows.append(
            second(number, {PAY: paying(), LIST: quick()}, **busy, **(late if full else {}))
        )
    write_recording(folder, rows)
    return folder
