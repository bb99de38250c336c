"""Feeds every target for some time: `python -m tests.fuzz --seconds 60 [TARGET …]`.

Prints JSON: how many inputs each target had, and of each kind of failure the number that repeats
it. Exit code 1 if there was any.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import traceback
import warnings
from collections.abc import Sequence
from random import Random
from typing import Any

from tests.fuzz.targets import TARGETS, Target


def fed(target: Target, numbers: Sequence[int] | range, seconds: float = float("inf")) -> Any:
    """How many inputs there were, and the first number of each kind of failure with its trace."""
    failures: dict[str, dict[str, Any]] = {}
    ends, done = time.monotonic() + seconds, 0
    for number in numbers:
        if time.monotonic() >= ends:
            break
        done += 1
        try:
            target(Random(number))
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            kind = f"{type(error).__name__} in {place.filename}:{place.lineno}"
            failures.setdefault(kind, {"number": number, "trace": traceback.format_exc()[-3000:]})
    return done, failures


def main() -> None:
    """Feed them all, each for its share of the time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", default=list(TARGETS), help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    warnings.simplefilter("error")
    share = given.seconds / len(given.targets)
    numbers = range(given.seed * 10**9, (given.seed + 1) * 10**9)
    said = {name: fed(TARGETS[name], numbers, share) for name in given.targets}
    inputs = {name: done for name, (done, _) in said.items()}
    failures = {name: failed for name, (_, failed) in said.items() if failed}
    print(json.dumps({"inputs": inputs, "together": sum(inputs.values()), "failures": failures}))
    for name, kinds in failures.items():
        for kind, failure in kinds.items():
            print(f"\n{name} {failure['number']}: {kind}\n{failure['trace']}", file=sys.stderr)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
