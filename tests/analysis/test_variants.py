"""Whether a conclusion that was drawn with greenlets, or on one server, holds for the others."""

from pathlib import Path

import pytest

from loadtest.analysis.comparison.verdict import verdict_exit_code
from loadtest.analysis.summarize import summarize_runs
from loadtest.model.summary import Summary
from loadtest.runfile.reader import Run
from tests.analysis.builders import header, interval, run, steady

SPREAD = [1.0, 1.01, 0.99, 1.02, 0.98]
# Successes a second of the pools 5+10 and 20+0.
SMALL, LARGE = (646, 760), (760, 646)


def with_model(model: str) -> dict[str, object]:
    return {**header()["load"], "model": model}


def measured(
    folder: Path, greenlets: tuple[int, int], threads: tuple[int, int], rounds: int = 5
) -> Summary:
    """Both pools with both models, as one experiment has them."""
    runs: list[Run] = []
    for started, (model, speeds) in enumerate({"greenlets": greenlets, "threads": threads}.items()):
        ending = "" if model == "greenlets" else f".{model}"
        for pool, speed in zip(("5+10", "20+0"), speeds, strict=True):
            runs += steady(
                folder,
                f"{pool}{ending}:{pool}",
                [round(speed * factor) for factor in SPREAD[:rounds]],
                peak=15 if pool == "5+10" else 20,
                started=started,
                load=with_model(model),
            )
    settings = {one.pool_name: one.told["pool"] for one in runs}
    names = ("5+10", "5+10.threads", "20+0", "20+0.threads")
    load = with_model("greenlets,threads")
    plan = {"name": "x", "load": load, "baseline": "5+10", "pool": [settings[n] for n in names]}
    return summarize_runs(runs, plan)


def test_pools_are_compared_with_the_baseline_of_their_own_model(tmp_path: Path) -> None:
    summary = measured(tmp_path, SMALL, LARGE)

    decisive = [c for c in summary.comparisons if c.role == "primary"]
    assert [(c.pool, c.baseline) for c in decisive] == [
        ("20+0", "5+10"),
        ("20+0.threads", "5+10.threads"),
    ]
    assert [c.decision for c in decisive] == ["better", "worse"]


def test_a_pool_is_told_by_its_given_name_its_model_and_its_server(tmp_path: Path) -> None:
    both = measured(tmp_path / "models", SMALL, LARGE)
    on_both = on_servers(tmp_path / "servers", mariadb=SMALL, mysql=SMALL)

    assert [(pool.name, pool.given, pool.model) for pool in both.pools] == [
        ("5+10", "5+10", "greenlets"),
        ("5+10.threads", "5+10", "threads"),
        ("20+0", "20+0", "greenlets"),
        ("20+0.threads", "20+0", "threads"),
    ]
    assert [(pool.name, pool.given, pool.server_name) for pool in on_both.pools] == [
        ("5+10", "5+10", "mariadb"),
        ("20+0", "20+0", "mariadb"),
        ("5+10.mysql", "5+10", "mysql"),
        ("20+0.mysql", "20+0", "mysql"),
    ]


def test_the_same_recommendation_carries_over(tmp_path: Path) -> None:
    summary = measured(tmp_path, SMALL, SMALL)

    lines = summary.verdict.text.splitlines()
    assert lines[1].startswith("With greenlets: Set pool_size=20, max_overflow=0: 760 requests")
    assert any(line.startswith("With threads: Set pool_size=20") for line in lines)
    assert lines[0] == "The conclusion carries over: both recommend 20+0."
    assert summary.verdict.recommended == "20+0"
    assert verdict_exit_code(summary) == 0


def test_another_recommendation_does_not(tmp_path: Path) -> None:
    summary = measured(tmp_path, SMALL, LARGE)

    first = summary.verdict.text.splitlines()[0]
    assert first == "The conclusion does not carry over: greenlets 20+0, threads 5+10."
    assert summary.verdict.recommended is None
    assert verdict_exit_code(summary) == 5


def test_equals_are_no_contradiction(tmp_path: Path) -> None:
    runs = [
        run(
            tmp_path,
            [
                interval(
                    counters={"requests": requests, "cpu": 1},
                    gauges={"open": peak},
                    request=[9] * 600,
                )
            ],
            f"{name}:{pool}",
            round_,
            load=with_model(model),
        )
        for model, pool, peak, ending in (
            ("greenlets", "5+10", 12, ""),
            ("greenlets", "20+0", 20, ""),
            ("threads", "5+10", 15, ".threads"),
            ("threads", "20+0", 14, ".threads"),
        )
        for name in [f"{pool}{ending}"]
        for round_, requests in enumerate([700, 705, 695, 701, 699], start=1)
    ]

    verdict = summarize_runs(runs).verdict
    assert verdict.text.splitlines()[0] == (
        "The conclusion carries over: greenlets 5+10, threads 20+0, and these pools are equally "
        "good within the noise."
    )
    assert verdict.recommended == "5+10"


def test_without_a_recommendation_of_both_it_cannot_be_told(tmp_path: Path) -> None:
    summary = measured(tmp_path, SMALL, SMALL, rounds=1)

    first = summary.verdict.text.splitlines()[0]
    assert first == (
        "Whether the conclusion carries over is unknown: there is no recommendation with "
        "greenlets and with threads."
    )
    assert summary.verdict.recommended is None


SERVERS = {"mariadb": "10.11.19-MariaDB", "mysql": "9.7.4"}


def on_servers(folder: Path, **speeds: tuple[int, int]) -> Summary:
    """Both pools on several servers, as one experiment has them; the first is the baseline."""
    runs: list[Run] = []
    for started, (server, of_server) in enumerate(speeds.items()):
        ending = "" if not started else f".{server}"
        for pool, speed in zip(("5+10", "20+0"), of_server, strict=True):
            runs += steady(
                folder,
                f"{pool}{ending}:{pool}",
                [round(speed * factor) for factor in SPREAD],
                peak=15 if pool == "5+10" else 20,
                started=started,
                server={"name": server, "version": SERVERS[server], "variables": {"v": server}},
            )
    return summarize_runs(runs)


def test_a_recommendation_carries_over_to_another_server(tmp_path: Path) -> None:
    summary = on_servers(tmp_path, mariadb=SMALL, mysql=SMALL)

    lines = summary.verdict.text.splitlines()
    assert lines[1].startswith("On MariaDB 10.11.19: Set pool_size=20, max_overflow=0")
    assert any(line.startswith("On MySQL 9.7.4: Set pool_size=20") for line in lines)
    assert lines[0] == "The conclusion carries over: both recommend 20+0."
    decisive = [c for c in summary.comparisons if c.role == "primary"]
    assert [(c.pool, c.baseline) for c in decisive] == [
        ("20+0", "5+10"),
        ("20+0.mysql", "5+10.mysql"),
    ]


def test_another_server_can_contradict(tmp_path: Path) -> None:
    summary = on_servers(tmp_path, mysql=SMALL, mariadb=LARGE)

    first = summary.verdict.text.splitlines()[0]
    assert first == "The conclusion does not carry over: mysql 20+0, mariadb 5+10."
    assert summary.verdict.recommended is None


def test_a_pool_may_be_named_like_a_model(tmp_path: Path) -> None:
    runs = [
        one
        for model, ending in (("greenlets", ""), ("threads", ".threads"))
        for name, pool, speed in (("web.threads", "5+10", 646), ("large", "20+0", 760))
        for one in steady(
            tmp_path,
            f"{name}{ending}:{pool}",
            [round(speed * factor) for factor in SPREAD],
            load=with_model(model),
        )
    ]

    summary = summarize_runs(runs)
    assert [pool.given for pool in summary.pools] == ["web.threads", "large"] * 2
    first = summary.verdict.text.splitlines()[0]
    assert first == "The conclusion carries over: both recommend large."


@pytest.mark.parametrize("model", ["greenlets", "threads"])
def test_with_one_model_nothing_is_said_of_another(tmp_path: Path, model: str) -> None:
    load = with_model(model)
    runs = [
        *steady(tmp_path, "5+10", [600, 610], load=load),
        *steady(tmp_path, "20+0", [700, 710], load=load),
    ]

    assert "carries over" not in summarize_runs(runs).verdict.text


def test_a_late_main_thread_is_named_as_what_it_is(tmp_path: Path) -> None:
    def said(model: str) -> str:
        late = interval(counters={"requests": 9, "cpu": 1}, request=[10] * 9, generator_lag=[5] * 9)
        summary = summarize_runs([run(tmp_path / model, [late], load=with_model(model))])
        (finding,) = (f for f in summary.pools[0].findings if f.code == "generator_lag")
        return finding.message

    assert "event loop was late by" in said("greenlets")
    assert "main thread was late by" in said("threads")
    assert "one thread at a time runs Python" in said("threads")
