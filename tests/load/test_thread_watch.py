"""Samples of users' threads: the task that used the CPU, if its request lasted for a tick."""

from __future__ import annotations

from locust import User
from locust.env import Environment

from types import SimpleNamespace
from typing import Any

import pytest

from loadtest.load import loop_watch
from loadtest.load.users import thread_watch
from loadtest.load.users.session_task import SessionTask
from loadtest.load.users.thread_watch import ThreadWatch

MILLISECOND = 1_000_000
LATE = [20 * MILLISECOND] * 10


class Shopper(User):
    abstract = True


class FakeThread:
    """A user's thread without a system thread."""

    def __init__(self, user: User, number: int) -> None:
        self.args, self.cpu_clock, self.greenlet = (user,), number, object()


class Scene:
    """A watch on two threads, with clocks that move by hand (ms)."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0
        user = Shopper(Environment())
        self.threads = [FakeThread(user, number) for number in range(2)]
        self.used = [0, 0]
        for module in (loop_watch, thread_watch):
            monkeypatch.setattr(module, "clock", lambda: self.now * MILLISECOND)
        for timer in ("_CHECK_SECONDS", "_SAMPLE_SECONDS"):
            monkeypatch.setattr(loop_watch, timer, 3600)
        monkeypatch.setattr(thread_watch, "_TICK_SECONDS", 3600)
        monkeypatch.setattr(thread_watch, "UserThread", FakeThread)
        threads = SimpleNamespace(enumerate=lambda: [*self.threads, object()])
        monkeypatch.setattr(thread_watch, "threading", threads)
        clock = SimpleNamespace(clock_gettime_ns=self.cpu_time)
        monkeypatch.setattr(thread_watch, "time", clock)
        self.recorder: Any = SimpleNamespace(lags=LATE, tasks={}, rising={})
        self.watch = ThreadWatch(self.recorder)

    def cpu_time(self, number: int) -> int:
        if self.used[number] < 0:
            raise OSError("the thread has ended")
        return self.used[number] * MILLISECOND

    def begin_request(self, number: int, name: str) -> None:
        task = SessionTask.__new__(SessionTask)
        task.name, task._start = name, self.now * MILLISECOND
        self.recorder.tasks[self.threads[number].greenlet] = task

    def pass_time(self, elapsed: int, *used: int) -> None:
        """Let time pass in which the threads use this CPU time, until the next tick."""
        self.now += elapsed
        self.used = [before + more for before, more in zip(self.used, used, strict=True)]
        self.watch._tick()

    def kept(self) -> dict[str, int]:
        self.watch._finish()
        return {name: read() // MILLISECOND for name, read in self.recorder.rising.items()}


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Any:
    scene = Scene(monkeypatch)
    yield scene
    scene.watch.stop()


def test_cpu_time_counts_for_the_request_that_lasted_from_tick_to_tick(scene: Scene) -> None:
    scene.begin_request(0, "report")
    scene.now += 5
    scene.watch._check()
    scene.pass_time(10, 8, 1)
    scene.pass_time(10, 8, 1)
    assert scene.kept() == {"loop.report": 16, "loop.Shopper": 2, "loop_watched": 20}


def test_a_request_that_began_after_the_tick_may_not_have_used_the_time(scene: Scene) -> None:
    scene.watch._check()
    scene.now += 5
    scene.begin_request(0, "innocent")
    scene.pass_time(5, 9, 0)
    assert scene.kept() == {"loop.Shopper": 9, "loop_watched": 10}


def test_threads_that_run_at_once_use_more_than_one_core(scene: Scene) -> None:
    scene.begin_request(0, "report")
    scene.begin_request(1, "report")
    scene.watch._check()
    scene.pass_time(10, 8, 9)
    assert scene.kept() == {"loop.report": 17, "loop_watched": 10}


def test_a_thread_that_ends_counts_no_longer(scene: Scene) -> None:
    scene.begin_request(0, "report")
    scene.watch._check()
    scene.used[1] = -1
    scene.pass_time(10, 8, 0)
    assert scene.kept() == {"loop.report": 8, "loop_watched": 10}


def test_a_sample_is_not_begun_twice(scene: Scene) -> None:
    scene.watch._check()
    began = scene.watch.since
    scene.now += 100
    scene.watch._check()
    assert scene.watch.since == began
