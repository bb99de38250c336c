"""When a run is ended for the sake of others, second by second."""

from __future__ import annotations

from locust.env import Environment
from locust.event import Events

from argparse import Namespace
from types import SimpleNamespace
from typing import Any, cast

import gevent
import pytest

from loadtest.database.server_guard import (
    ABORTED,
    REFUSED,
    SETTLED_SECONDS,
    UNTOLD_SECONDS,
    WINDOW_SECONDS,
    Guard,
)
from loadtest.database.server_status import STATUS_COUNTERS
from loadtest.load.plugin import Plugin
from loadtest.model.allowances import UNSEEN_SECONDS
from loadtest.model.interval import SERVER, Interval

SECOND = 1_000_000_000
FULL, WORDS = "(1040, 'Too many connections')", "1040, 'Too many connections'"


class Watched:
    """A guard, and the seconds that it is shown."""

    def __init__(self) -> None:
        self.status = SimpleNamespace(answers=0, problem="")
        self.guard, self.now = Guard(self.status), 1_750_000_000

    def second(self, refused: int = 0, aborted: int = 0, own: int = 0, late: int = 0) -> str:
        """What it says of a second: what the server refused, of which `own` were the run's.

        late: those of the run's in the second before, of which a worker tells only now.
        """
        self.now += 1
        mine = Interval(self.now, "here", "measured", SECOND)
        mine.counters["checkout_errors"] = own
        before = Interval(self.now - 1, "worker", "measured", SECOND)
        before.counters["checkout_errors"] = late
        servers = Interval(self.now, SERVER, "measured", SECOND)
        servers.counters["refused_connects"] = refused
        servers.counters["aborted_connects"] = aborted
        self.status.answers += 1
        return "".join(map(self.guard.take, (mine, before, servers)))

    def silent(self, seconds: int, problem: str = "") -> list[str]:
        """What it says of some seconds in which the server does not tell its status."""
        self.status.problem = problem
        said = []
        for _ in range(seconds):
            self.now += 1
            said.append(self.guard.take(Interval(self.now, "here", "measured", SECOND)))
        return said


def test_a_quiet_server_is_left_alone() -> None:
    watched = Watched()
    assert not any(watched.second() for _ in range(60))


def test_refused_connections_of_others_are_told_once_they_have_settled() -> None:
    watched = Watched()
    said = [watched.second(refused=1) for _ in range(REFUSED + SETTLED_SECONDS)]
    assert said[:-1] == [""] * (len(said) - 1)
    assert said[-1].startswith(f"it refused {REFUSED} connections of other clients within")


def test_what_the_run_itself_was_refused_is_its_result() -> None:
    watched = Watched()
    assert not any(watched.second(refused=50, aborted=50, own=50) for _ in range(60))


def test_a_worker_that_tells_late_is_waited_for() -> None:
    watched = Watched()
    assert not watched.second(refused=50, aborted=50)
    assert not any(watched.second(refused=50, aborted=50, late=50) for _ in range(60))


def test_a_checkout_of_the_run_may_fail_in_the_second_after_its_refusal() -> None:
    watched = Watched()
    watched.second(refused=REFUSED)
    watched.second(own=REFUSED)
    assert not any(watched.second() for _ in range(WINDOW_SECONDS + SETTLED_SECONDS))


def test_the_runs_own_failures_hide_no_more_than_they_are() -> None:
    watched = Watched()
    said = [watched.second(refused=60, own=50) for _ in range(30)]
    assert "it refused" in "".join(said)


def test_failures_long_ago_hide_nothing() -> None:
    watched = Watched()
    for _ in range(10):
        assert not watched.second(refused=50, own=50)
    for _ in range(WINDOW_SECONDS + SETTLED_SECONDS):
        watched.second()
    said = [watched.second(refused=REFUSED) for _ in range(SETTLED_SECONDS + 1)]
    assert said[-1]


def test_now_and_then_one_is_no_trouble() -> None:
    watched = Watched()
    said = [watched.second(refused=1, aborted=1) or watched.second() for _ in range(60)]
    assert not any(said)


def test_attempts_that_fail_for_whatever_reason_count_too() -> None:
    watched = Watched()
    said = [watched.second(aborted=ABORTED) for _ in range(SETTLED_SECONDS + 1)]
    assert (
        said[-1]
        == f"{ABORTED} connection attempts of other clients failed within {WINDOW_SECONDS} s"
    )


def test_what_a_slow_answer_tells_is_compared_with_all_of_its_seconds() -> None:
    watched = Watched()
    for _ in range(WINDOW_SECONDS):
        assert not watched.second()
    watched.silent(3)
    for second, failed in enumerate((40, 0, 20)):
        mine = Interval(watched.now - second, "here", "measured", SECOND)
        mine.counters["checkout_errors"] = failed
        watched.guard.take(mine)
    slow = Interval(watched.now - 2, SERVER, "measured", 3 * SECOND)
    slow.counters["refused_connects"] = 60
    watched.status.answers += 1
    watched.guard.take(slow)
    assert not any(watched.second() for _ in range(2 * WINDOW_SECONDS))


# ---- A server that does not tell its status


@pytest.mark.parametrize(("problem", "why"), [(FULL, WORDS), ("", "no answer")])
def test_a_server_that_tells_nothing_is_trouble_after_a_while(
    problem: str, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    watched = Watched()
    watched.second()
    said = watched.silent(UNSEEN_SECONDS, problem)
    assert said[:-1] == [""] * (UNSEEN_SECONDS - 1)
    assert said[-1] == (
        f"its status could not be read for {UNSEEN_SECONDS} s ({why}), so the run cannot see "
        "whether it refuses other clients"
    )
    (warning,) = caplog.messages
    assert f"cannot be read ({why})" in warning
    assert f"The run ends if this lasts for {UNSEEN_SECONDS} s" in warning


def test_a_server_that_was_never_asked_is_given_as_long() -> None:
    watched = Watched()
    watched.now += 3600  # between the start of the process and that of the load
    said = watched.silent(UNSEEN_SECONDS + 1, FULL)
    assert said[:-1] == [""] * UNSEEN_SECONDS
    assert said[-1]


def test_a_server_that_answers_now_and_then_is_seen(caplog: pytest.LogCaptureFixture) -> None:
    watched = Watched()
    for _ in range(3):
        assert not any(watched.silent(UNSEEN_SECONDS - 1, FULL))
        watched.status.answers += 1  # a first answer of a new connection is no interval yet
    assert len(caplog.messages) == 3
    assert not any(watched.second() or "".join(watched.silent(1)) for _ in range(30))
    assert not any(watched.silent(UNTOLD_SECONDS - 2))
    assert len(caplog.messages) == 3


def test_seconds_that_a_worker_tells_late_make_no_silence() -> None:
    watched = Watched()
    watched.second()
    watched.silent(UNSEEN_SECONDS - 2)
    watched.status.answers += 1
    watched.guard.take(Interval(watched.now - 5, "worker", "measured", SECOND))
    watched.guard.take(Interval(watched.now, "here", "measured", SECOND))
    assert not any(watched.silent(UNSEEN_SECONDS - 1))


def test_a_server_that_counts_no_refusals_is_told_at_the_start(
    caplog: pytest.LogCaptureFixture,
) -> None:
    status = SimpleNamespace(answers=0, problem="")
    Guard(status, lacks=["refused_connects"])
    assert caplog.messages == []
    Guard(status, lacks=list(STATUS_COUNTERS.values()))
    (warning,) = caplog.messages
    assert "the run cannot stop when the server refuses other clients" in warning


def test_a_run_ends_where_its_server_tells_nothing_any_more() -> None:
    ended: list[str] = []
    runner = SimpleNamespace(log_exception=lambda *_: None, quit=lambda: ended.append("quit"))
    environment = Environment(events=Events())
    environment.parsed_options = Namespace(headless=True, driving=False)
    plugin = Plugin(environment, runner)
    plugin.run.output = cast(Any, SimpleNamespace(add=lambda interval: None))
    plugin.run.guard = Guard(SimpleNamespace(answers=0, problem=FULL))
    for second in range(1, UNSEEN_SECONDS + 5):
        plugin._take(Interval(second, "here", "measured", SECOND))
    gevent.sleep(0)
    assert ended == ["quit"]
    assert str(plugin.run.end).startswith(
        "the server got into trouble: its status could not be read"
    )
    assert f" for {UNSEEN_SECONDS} s ({WORDS})" in str(plugin.run.end)
    assert environment.process_exit_code == 4
