"""A best pool whose rounds differ much hides no pool that is clearly worse than a steady one."""

from pathlib import Path

from loadtest.analysis.summarize import summarize_runs
from tests.analysis.builders import steady

LITTLE, MUCH = [720, 780, 740, 800, 765], [860, 930, 880, 940, 896]
NOISY = [700, 1140, 800, 1090, 850]


def test_a_pool_that_does_less_than_a_steady_one_is_not_recommended(tmp_path: Path) -> None:
    runs = [
        *steady(tmp_path, "default:5+10", LITTLE, peak=15, started=1),
        *steady(tmp_path, "20+0", MUCH, peak=20, started=2),
        *steady(tmp_path, "noisy:3000+inf", NOISY, peak=100, started=3),
    ]
    verdict = summarize_runs(runs).verdict
    headline, equal, worst, *_ = verdict.text.splitlines()
    assert verdict.recommended == "20+0"
    assert "1.18 times as many as with default" in headline
    assert equal.startswith("Equally good within the noise: noisy (916 per second")
    assert worst.startswith("The worst choice is default: 761 per second")


def test_a_pool_of_which_requests_fail_drops_no_other(tmp_path: Path) -> None:
    runs = [
        *steady(tmp_path, "default:5+10", LITTLE, peak=15, started=1),
        *steady(tmp_path, "20+0", MUCH, peak=20, failures=90, started=2),
        *steady(tmp_path, "noisy:3000+inf", NOISY, peak=100, started=3),
    ]
    assert summarize_runs(runs).verdict.recommended == "default"
