"""Makes a report in a process of its own, beside runs that may be measuring."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

# Exit codes of `loadtest report` about the measurement, not about a failure.
REPORTED = (0, 3, 4, 5)


def report_command(results: Sequence[Path], out: Path) -> list[str]:
    """The command that makes the report of some results in a folder, with low priority."""
    command = [sys.executable, "-m", "loadtest", "report", *map(str, results)]
    command += ["--out", str(out), "--quiet"]
    return ["nice", *command] if shutil.which("nice") else command
