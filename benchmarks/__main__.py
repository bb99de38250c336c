"""Runs all benchmarks and writes their results to reports/bench.json, one key each."""

import json
from pathlib import Path

from benchmarks import overhead

BENCHMARKS = {"overhead": overhead.main}


def main() -> None:
    """Run them one after another, keeping what is done if a later one fails."""
    path = Path("reports") / "bench.json"
    path.parent.mkdir(exist_ok=True)
    results = {}
    for name, run in BENCHMARKS.items():
        results[name] = run()
        path.write_text(json.dumps(results, indent=1) + "\n")
        print(json.dumps({name: results[name]}))


if __name__ == "__main__":
    main()
