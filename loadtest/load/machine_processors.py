"""How busy the processors of this machine are, whatever the program."""

from __future__ import annotations

import psutil


def machine_cpu() -> int:
    """For how long (ns) the processors of this machine have been busy, on average of all."""
    times = psutil.cpu_times()
    # On Linux the time of guests is in that of the user, too.
    idle = times.idle + getattr(times, "iowait", 0.0)
    guests = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
    return round((sum(times) - guests - idle) * 1e9 / (psutil.cpu_count() or 1))
