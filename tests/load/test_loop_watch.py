"""Samples of the event loop: whose code kept it, after a second that was busy or late."""

from __future__ import annotations

from locust import User
from locust.env import Environment

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import gevent
import pytest
from greenlet import getcurrent, gettrace

from loadtest.load import loop_watch
from loadtest.load.loop_watch import LoopWatch
from loadtest.pool.task_usage import Task, Use

LATE, PROMPT = [20_000_000] * 10, [200_000] * 10


class Shopper(User):
    abstract = True


class Scene:
    """A watch on a clock that moves only when a greenlet says that it kept the loop."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.cpu = 0, 0
        monkeypatch.setattr(loop_watch, "clock", lambda: self.now)
        for timer in ("_CHECK_SECONDS", "_SAMPLE_SECONDS"):
            monkeypatch.setattr(loop_watch, timer, 3600)
        clock = SimpleNamespace(process_time_ns=lambda: self.cpu)
        monkeypatch.setattr(loop_watch, "time", clock)
        self.recorder: Any = SimpleNamespace(lags=[], tasks={}, rising={})
        self.watch = LoopWatch(self.recorder)

    def keep(self, milliseconds: int, task: str = "") -> Callable[..., None]:
        """The work of a greenlet that keeps the loop, as a task if it has a name."""

        def work(*_: Any) -> None:
            if task:
                self.recorder.tasks[getcurrent()] = Task(task, Use())
            self.now += milliseconds
            gevent.sleep(0)

        return work

    def look(self, lags: list[int], busy: bool = False) -> bool:
        """Let the watch look at a second; whether it samples now."""
        self.recorder.lags[:] = lags
        self.now += 1000
        self.cpu += 950 if busy else 500
        self.watch._check()
        return gettrace() is not None

    def kept(self) -> dict[str, int]:
        """The counters of the recorder."""
        return {name: read() for name, read in self.recorder.rising.items()}


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    scene = Scene(monkeypatch)
    yield scene
    scene.watch.stop()
    assert gettrace() is None


@pytest.mark.parametrize(
    ("lags", "busy", "samples"),
    [(PROMPT, False, False), (LATE, False, True), (PROMPT, True, True), ([], False, False)],
)
def test_a_sample_follows_a_late_or_a_busy_second_only(
    scene: Scene, lags: list[int], busy: bool, samples: bool
) -> None:
    assert scene.look(lags, busy) is samples


def test_time_between_switches_counts_for_the_task_that_kept_the_loop(scene: Scene) -> None:
    scene.look(LATE)
    user = Shopper(Environment())
    works = [(scene.keep(70, "report"), ()), (scene.keep(5, "look"), ()), (scene.keep(20), (user,))]
    gevent.joinall([gevent.spawn(work, *given) for work, given in works])
    scene.watch._finish()
    assert scene.kept() == {
        **{"loop.report": 70, "loop.look": 5, "loop.Shopper": 20, "loop_watched": 95}
    }


def test_samples_add_up_over_a_run(scene: Scene) -> None:
    for _ in range(2):
        scene.look(LATE)
        gevent.joinall([gevent.spawn(scene.keep(70, "report"))])
        scene.watch._finish()
    assert scene.kept()["loop.report"] == 140


def test_the_end_of_a_run_ends_a_sample(scene: Scene) -> None:
    scene.look(LATE)
    gevent.joinall([gevent.spawn(scene.keep(70, "report"))])
    scene.watch.stop()
    assert gettrace() is None
    assert scene.kept()["loop.report"] == 70
    scene.watch = LoopWatch(scene.recorder)


def test_another_tracer_is_left_alone(scene: Scene) -> None:
    import greenlet

    other: list[str] = []
    before = greenlet.settrace(lambda event, _: other.append(event))
    try:
        scene.look(LATE)
        gevent.sleep(0)
        assert other
        assert scene.kept() == {}
    finally:
        greenlet.settrace(before)
