"""Tells the tool about a driven process: a line of JSON for each fact, into its named pipe."""

from __future__ import annotations

import errno
import json
import os
from collections import deque
from typing import Any

from loadtest.recording.steering.orders import Orders

# A pipe takes a line of this length in one piece, beside the lines of other processes.
MOST_BYTES = 4096
_TOO_LONG = "its address is too long to be told"
# Without a reader there is no tool; its folder goes with it.
_GONE = {errno.ENXIO, errno.ENOENT}

# Lines for which the pipe had no room yet.
_LEFT = deque[bytes](maxlen=200)


def tell(orders: Orders, kind: str, **facts: Any) -> None:
    """Send a line to the tool, now or with a later `deliver`; never waits, never fails."""
    _LEFT.append(_line({"kind": kind, **facts}))
    deliver(orders)


def deliver(orders: Orders) -> bool:
    """Send the lines that are left; returns whether the tool is still there.

    A pipe that this process may not open (it may run as another user) tells nothing: True.
    """
    try:
        pipe = os.open(orders.tell, os.O_WRONLY | os.O_NONBLOCK)
    except OSError as error:
        return error.errno not in _GONE
    try:
        while _LEFT:
            line = _LEFT.popleft()
            os.write(pipe, line)
        return True
    except IndexError:  # another thread has sent the last one
        return True
    except BlockingIOError:  # the pipe is full
        _LEFT.appendleft(line)
        return True
    except OSError:
        return False
    finally:
        os.close(pipe)


def begin_in_child() -> None:
    """Leave the lines of the parent to the parent, after a fork."""
    _LEFT.clear()


def _line(facts: dict[str, Any]) -> bytes:
    """The facts as a line of at most MOST_BYTES: the begin of a long place is cut off."""
    line = _encoded(facts)
    if len(line) > MOST_BYTES and "place" in facts:
        line = _encoded({**facts, "place": facts["place"][len(line) - MOST_BYTES :]})
    if len(line) > MOST_BYTES:
        empty = {k: type(v)() if isinstance(v, str | dict) else v for k, v in facts.items()}
        line = _encoded({**empty, "kind": facts["kind"], "refused": _TOO_LONG})
    return line


def _encoded(facts: dict[str, Any]) -> bytes:
    text = json.dumps(facts, separators=(",", ":"), ensure_ascii=False, default=str)
    return f"{text}\n".encode(errors="replace")
