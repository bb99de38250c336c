"""Predictions compared with the rounds that were measured afterwards.

A prediction is right if the measured value lies in its 95 % interval, within the resolution of a
recording: 1 %, a millisecond of waits, and 0.1 % of the checkouts. Predictions are precise if their
intervals are on average at most twice as wide as the range of the rounds, plus 20 % of their mean.
Rounds of different arrivals have different waits for that reason alone, so the range is that of
measured values less their predictions.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from loadtest.analysis.prediction.recorded_arrivals import RecordedArrivals, RecordedWaits
from loadtest.analysis.prediction.replayed_pools import PredictedValue, ReplayedPool

RESOLUTION = 0.01
# Smaller differences of each metric count as none.
METRICS = {"timeouts": 1e-3, "wait_mean": 1e-3, "wait_p95": 1e-3}


@dataclass(frozen=True)
class PredictedRound:
    """A recording, the pools predicted from it, and what they then did under the same arrivals."""

    recorded: RecordedArrivals
    predicted: Sequence[ReplayedPool]
    measured: Sequence[RecordedArrivals]

    def values(self, place: int, metric: str) -> tuple[PredictedValue, float]:
        """The predicted and the measured value of a pool."""
        measured = float(getattr(ran(self.measured[place]), metric))
        return getattr(self.predicted[place], metric), measured


def ran(recorded: RecordedArrivals) -> RecordedWaits:
    """What a recorded pool did in the whole recording."""
    assert recorded.ran, "the recording is short enough to be replayed as a whole"
    return recorded.ran


def table(rounds: Sequence[PredictedRound]) -> dict[str, Any]:
    """The rows of each pool and metric, and the shares that were right and precise.

    `inside` is the share of each pool and of both: a pool without waits proves little.
    """
    names = [pool.settings.name for pool in rounds[0].predicted]
    rows = [
        {
            "pool": name,
            "metric": metric,
            **compared([one.values(n, metric) for one in rounds], least),
        }
        for n, name in enumerate(names)
        for metric, least in METRICS.items()
    ]
    for row in rows:
        _show(row)
    found: dict[str, Any] = {"rows": rows, "recordings": [_recording(one) for one in rounds]}
    for kind in ("inside", "precise"):
        shares = {name: _share(rows, kind, name) for name in names}
        found[kind] = {**shares, "both": _share(rows, kind)}
        say(f"{kind}: {found[kind]}")
    return found


def compared(values: Sequence[tuple[PredictedValue, float]], least: float) -> dict[str, Any]:
    """Predictions and measured values of a metric; least: smaller differences count as none."""
    predicted, measured = zip(*values, strict=True)
    apart = [value - one.value for one, value in values]
    width = float(np.mean([one.ci95[1] - one.ci95[0] for one in predicted]))
    allowed = 2 * (max(apart) - min(apart)) + 0.2 * float(np.mean(measured)) + least
    return {
        "predicted": [one.value for one in predicted],
        "ci95": [one.ci95 for one in predicted],
        "measured": measured,
        "inside": [_is_inside(one, value, least) for one, value in values],
        "allowed_width": allowed,
        "width": width,
        "precise": width <= allowed,
    }


def _is_inside(predicted: PredictedValue, measured: float, least: float) -> bool:
    low, high = predicted.ci95
    return low * (1 - RESOLUTION) - least <= measured <= high * (1 + RESOLUTION) + least


def _share(rows: Sequence[Mapping[str, Any]], kind: str, pool: str = "") -> float:
    return float(np.mean([row[kind] for row in rows if pool in ("", row["pool"])]))


def _recording(one: PredictedRound) -> dict[str, Any]:
    """The circumstances of a recording and of the rounds after it."""
    runs = (one.recorded, *one.measured)
    found = {
        "recorded": vars(ran(one.recorded)),
        "hold": one.recorded.mean_hold,
        "hold_error": one.recorded.hold_error.error * one.recorded.mean_hold,
        "holds_later": [run.mean_hold for run in one.measured],
        "shares": [run.shares for run in runs],
    }
    shares = ", ".join("/".join(f"{share:.2f}" for share in run.shares) for run in runs)
    holds = " ".join(f"{hold:.4f}" for hold in found["holds_later"])
    say(f"hold {found['hold']:.4f} ± {found['hold_error']:.4f}, then {holds}; shares {shares}")
    return found


def _show(row: Mapping[str, Any]) -> None:
    say(f"{row['pool']} {row['metric']}")
    for predicted, edges, value, right in zip(
        row["predicted"], row["ci95"], row["measured"], row["inside"], strict=True
    ):
        low, high = edges
        mark = "" if right else "  outside"
        say(f"  {predicted:.4f} ({low:.4f} to {high:.4f}): {value:.4f}{mark}")


def say(text: str) -> None:
    """Print to standard error."""
    print(text, file=sys.stderr, flush=True)
