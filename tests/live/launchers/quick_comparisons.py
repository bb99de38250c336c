"""Comparisons of the live page on a machine where no other program disturbs a run."""

import sys

from loadtest.live.comparing import started_comparison

started_comparison.PROGRAM = (sys.executable, "-m", "tests.undisturbed")
