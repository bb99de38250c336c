"""How often equal pools are called different, and how often a true difference of 10 % is found.

One pool is really compared with itself, under the demo's load and with its number of rounds. The
simulated comparisons are drawn from the spread of the differences between its rounds. They use the
rules of a report: with five rounds, and with `--rounds auto`, which has four interim analyses.
"""

import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from loadtest.analysis.comparison.comparer import (
    SIGNIFICANCE_OF_FOUR_ANALYSES,
    THROUGHPUT_METRIC,
    ComparisonRule,
    Difference,
    decide,
)
from loadtest.analysis.pool_numbers import numbers_by_round
from loadtest.model.experiment import INTERIM_ROUNDS, read_experiment
from loadtest.model.objective import value_at
from loadtest.model.summary import Decision, PoolSummary
from loadtest.report.render import read_measurements

COMPARISONS = 2000
Decided = Callable[[Sequence[float]], Decision]
DEMO = Path("scenarios/hot_row.toml")
POOL = "40+0"


def main() -> dict[str, object]:
    """Run it: shares of simulated comparisons, and the spread of logarithms behind them.

    itself: the decision of the real comparison of the pool with itself.
    """
    differences = _real_differences()
    spread = float(np.std(differences, ddof=1))
    random = np.random.default_rng(1)

    def share(of: set[Decision], truth: float, decided: Decided) -> float:
        drawn = random.normal(math.log(truth), spread, (COMPARISONS, INTERIM_ROUNDS[-1]))
        return sum(decided(rounds) in of for rounds in drawn.tolist()) / COMPARISONS

    return {
        "false_positive_rate": share({"better", "worse"}, 1.0, _at_once),
        "false_positive_rate_auto": share({"better", "worse"}, 1.0, _in_looks),
        "power_10_percent": share({"better"}, 1.1, _at_once),
        "power_10_percent_auto": share({"better"}, 1.1, _in_looks),
        "between_round_sd": spread,
        "itself": _at_once(differences),
        "rounds": len(differences),
    }


def _at_once(differences: Sequence[float]) -> Decision:
    return _decision(differences[: INTERIM_ROUNDS[0]], ComparisonRule())


def _in_looks(differences: Sequence[float]) -> Decision:
    rule = ComparisonRule(level=SIGNIFICANCE_OF_FOUR_ANALYSES)
    for look in INTERIM_ROUNDS:
        decision = _decision(differences[:look], rule)
        if decision != "undecided":
            break
    return decision


def _decision(differences: Sequence[float], rule: ComparisonRule) -> Decision:
    found = Difference.paired(differences)
    return decide(found.mean or 0.0, *found.chances(rule.margin), rule.level, more_is_better=True)


def _real_differences() -> list[float]:
    """The differences of log throughput between two copies of one pool, one per round."""
    demo = read_experiment(DEMO)
    command = [sys.executable, "-m", "loadtest", "compare", str(demo.scenario), "--quiet"]
    command += ["--pool", f"one:{POOL}", "--pool", f"other:{POOL}", "--rounds", str(demo.rounds)]
    command += ["-u", str(demo.load.users), "-t", f"{demo.load.duration:g}s"]
    command += ["--warmup", f"{demo.load.warmup:g}s"]
    for name, value in demo.options.items():
        command += ["--option", f"{name}={value}"]
    with tempfile.TemporaryDirectory() as folder:
        # 5, undecided, is the right answer for equal pools.
        done = subprocess.run(
            [*command, "--results", folder], stdout=subprocess.DEVNULL, check=False
        )
        if done.returncode not in (0, 5):
            raise RuntimeError(f"the comparison ended with exit code {done.returncode}")
        one, other = (
            numbers_by_round(pool) for pool in read_measurements([Path(folder, "latest")]).pools
        )
    return [_logarithm(one[key]) - _logarithm(other[key]) for key in one.keys() & other.keys()]


def _logarithm(round_: PoolSummary) -> float:
    value, _ = value_at(round_, THROUGHPUT_METRIC)
    return math.log(value or math.nan)


if __name__ == "__main__":
    print(json.dumps(main()))
