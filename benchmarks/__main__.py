"""Runs all benchmarks and writes their results to reports/bench.json, one key each."""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from benchmarks._length import LONG
from loadtest.database.supervisor import die_with_parent

BENCHMARKS = (
    *("instructions", "overhead", "drivers", "accuracy", "resolution", "scrape"),
    *("connect", "users", "erlang", "merge", "calibration", "tune", "report", "startup"),
    *("recording", "driving"),
)
IN_TWO_LENGTHS = ("overhead", "drivers", "erlang", "tune", "recording", "driving")


def main() -> None:
    """Run the benchmarks one after another, each in its own process; save after each."""
    alone = f"One alone: python -m benchmarks.NAME, one of {', '.join(BENCHMARKS)}."
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__, epilog=alone)
    lengthy = f"the longer forms of {', '.join(IN_TWO_LENGTHS)}: about an hour more"
    parser.add_argument(LONG, action="store_true", help=lengthy)
    longer = parser.parse_args().long
    path = Path("reports") / "bench.json"
    path.parent.mkdir(exist_ok=True)
    results = {}
    for name in BENCHMARKS:
        more = [LONG] if longer and name in IN_TWO_LENGTHS else []
        command = [sys.executable, "-m", f"benchmarks.{name}", *more]
        done = subprocess.run(
            command, stdout=subprocess.PIPE, check=True, preexec_fn=die_with_parent
        )
        results[name] = json.loads(done.stdout)
        path.write_text(json.dumps(results, indent=1) + "\n")
        print(json.dumps({name: results[name]}))


if __name__ == "__main__":
    main()
