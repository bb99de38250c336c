"""Greenlets that are woken at exact moments."""

from contextlib import closing

import gevent

from loadtest.load.users.precise_timer import PreciseTimer
from loadtest.pool.checkout_batch import clock

MILLISECOND = 1_000_000


def test_everybody_is_woken_in_turn_and_nobody_too_early() -> None:
    woken: list[int] = []
    with closing(PreciseTimer()) as alarm:
        moments = [clock() + n * MILLISECOND for n in (0, 1, 1, 5, 30)]

        def sleeper(moment: int) -> None:
            alarm.sleep_until(moment)
            assert clock() >= moment
            woken.append(moment)

        sleepers = [gevent.spawn(sleeper, moment) for moment in moments]
        gevent.joinall(sleepers, timeout=10, raise_error=True)
    assert woken == moments


def test_one_who_is_killed_in_its_sleep_does_not_keep_the_others_from_waking() -> None:
    with closing(PreciseTimer()) as alarm:
        first, second = (
            gevent.spawn(alarm.sleep_until, clock() + n * MILLISECOND) for n in (20, 40)
        )
        gevent.sleep(0)
        first.kill()
        second.join(timeout=10)
        assert second.successful()


def test_a_moment_in_the_past_is_now() -> None:
    with closing(PreciseTimer()) as alarm, gevent.Timeout(10):
        alarm.sleep_until(clock() - MILLISECOND)
