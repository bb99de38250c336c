"""Locust on a machine whose wall clock is wrong: shifted_clock.py SECONDS LOCUST'S ARGUMENTS."""

import sys
import time

_shift = float(sys.argv.pop(1))
_seconds, _nanoseconds = time.time, time.time_ns
time.time = lambda: _seconds() + _shift
time.time_ns = lambda: _nanoseconds() + round(_shift * 1e9)

from locust.main import main  # noqa: E402 - what imports the clock now has the wrong one

sys.exit(main())
