"""When a run is ended for the sake of others, second by second."""

from __future__ import annotations

from loadtest.interval import SERVER, Interval
from loadtest.load.guard import ABORTED, REFUSED, SETTLED_SECONDS, WINDOW_SECONDS, Guard

SECOND = 1_000_000_000


class Watched:
    """A guard, and the seconds that it is shown."""

    def __init__(self) -> None:
        self.guard, self.now = Guard(), 0

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
        return "".join(map(self.guard.take, (mine, before, servers)))


def test_a_quiet_server_is_left_alone() -> None:
    watched = Watched()
    assert not any(watched.second() for _ in range(60))


def test_refused_connections_of_others_are_told_once_they_have_settled() -> None:
    watched = Watched()
    said = [watched.second(refused=1) for _ in range(REFUSED + SETTLED_SECONDS)]
    assert said[:-1] == [""] * (len(said) - 1)
    assert said[-1].startswith(f"it refused {REFUSED} connections of others within")


def test_what_the_run_itself_was_refused_is_its_result() -> None:
    watched = Watched()
    assert not any(watched.second(refused=50, aborted=50, own=50) for _ in range(60))


def test_a_worker_that_tells_late_is_waited_for() -> None:
    watched = Watched()
    assert not watched.second(refused=50, aborted=50)
    assert not any(watched.second(refused=50, aborted=50, late=50) for _ in range(60))


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
    assert said[-1] == f"{ABORTED} attempts of others to connect failed within {WINDOW_SECONDS} s"
