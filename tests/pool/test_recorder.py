"""A recorder gives out everything that was recorded exactly once."""

import subprocess
import sys
import time

import pytest
from measuring import MILLISECOND, Bench, counted, milliseconds, others_go_on, use_once

from loadtest.model.interval import Fair, Gauge
from loadtest.pool.recorder import Recorder


def test_tasks_are_counted_by_how_they_ended():
    recorder = Recorder()
    recorder.requests += [10 * MILLISECOND, 30 * MILLISECOND]
    recorder.failed(50 * MILLISECOND, "deadlock", "")
    recorder.failed(70 * MILLISECOND, "pool_timeout", "")
    recorder.abandoned.append(90 * MILLISECOND)
    interval = recorder.cut("measured")
    assert counted(interval) == {
        "abandoned": 1,
        "errors.deadlock": 1,
        "errors.pool_timeout": 1,
        "failures": 2,
        "requests": 4,
    }
    assert milliseconds(interval, "request") == 40
    assert milliseconds(interval, "failed_request") == 120
    assert milliseconds(interval, "abandoned_request") == 90
    assert counted(recorder.cut("measured")) == {}


def test_an_interval_carries_its_process_its_period_and_its_length():
    with Bench() as bench:
        bench.cut()
        bench.forward(1500)
        interval = bench.recorder.cut("drain")
        assert (interval.process, interval.period) == ("p1", "drain")
        assert interval.length == 1500 * MILLISECOND
        later = bench.cut()
        assert later.length == 0
        assert later.second - interval.second in (1, 2)


def test_a_second_is_the_utc_second_of_the_wall_clock():
    recorder = Recorder()
    before, now, after = time.time(), recorder.second(time.perf_counter_ns()), time.time()
    assert int(before) - 1 <= now <= int(after) + 1


def test_restarting_forgets_what_was_recorded_but_not_what_goes_on():
    with Bench() as bench:
        use_once(bench.engine)
        connection = bench.take()
        bench.recorder.failed(1, "other", "")
        bench.recorder.lags.append(7)
        bench.forward(100)
        bench.recorder.restart()
        bench.forward(10)
        interval = bench.cut()
        assert counted(interval) == {}
        assert interval.histograms == {}
        assert interval.gauges["in_use"] == Gauge(10 * MILLISECOND, 1, 1, 1)
        assert interval.gauges["open"].last == 1
        connection.close()
        assert counted(bench.cut()) == {}


def test_levels_of_others_are_read_at_each_cut():
    with Bench() as bench:
        bench.recorder.levels["users"] = lambda: 7
        bench.forward(100)
        assert bench.cut().gauges["users"] == Gauge(700 * MILLISECOND, 7, 7, 7)


def test_the_lags_of_the_generator_are_a_histogram():
    recorder = Recorder()
    recorder.lags += [MILLISECOND, 3 * MILLISECOND]
    assert milliseconds(recorder.cut("measured"), "generator_lag") == 4
    assert "generator_lag" not in recorder.cut("measured").histograms


def test_thinking_between_tasks_is_a_histogram():
    recorder = Recorder()
    recorder.thinks += [MILLISECOND, 3 * MILLISECOND]
    assert milliseconds(recorder.cut("measured"), "think") == 4
    assert "think" not in recorder.cut("measured").histograms


def test_the_first_error_of_each_kind_is_kept():
    recorder = Recorder()
    recorder.failed(1, "deadlock", "Deadlock found")
    recorder.failed(1, "deadlock", "another")
    recorder.failed(1, "other", "something else")
    examples = recorder.cut("measured").examples
    assert examples == {"deadlock": "Deadlock found", "other": "something else"}
    recorder.failed(1, "deadlock", "much later")
    assert recorder.cut("measured").examples == {}
    recorder.restart()
    recorder.failed(1, "deadlock", "in another run")
    assert recorder.cut("measured").examples == {"deadlock": "in another run"}


def test_how_users_share_the_pool_is_summed_up_since_measuring_began():
    with Bench(pool_size=1, max_overflow=0) as bench:
        bench.recorder.levels["users"] = lambda: 5
        use_once(bench.engine)
        bench.recorder.cut("warmup")
        use_once(bench.engine)
        held = bench.take()
        users = [bench.begin_to_take(), bench.begin_to_take()]
        bench.forward(30)
        assert bench.cut().fair == Fair(5, 1, 2, 4, 30 * MILLISECOND)
        held.close()
        others_go_on()
        bench.forward(30)
        assert bench.cut().fair == Fair(5, 2, 3, 4 + 1, 60 * MILLISECOND)
        assert bench.recorder.cut("drain").fair == Fair()
        for user in users:
            user.get().close()


def test_who_connects_has_waited_no_longer_than_until_then():
    with Bench(pool_size=1, max_overflow=0) as bench:
        bench.hang = "connecting"
        user = bench.begin_to_take()
        bench.forward(500)
        assert bench.cut().fair.longest_wait <= MILLISECOND
        user.kill()


def test_the_cpu_time_is_what_was_used_since_the_last_cut():
    recorder = Recorder()
    used = iter([100, 130, 130])
    recorder.rising["cpu"] = lambda: next(used)
    recorder.cut("measured")
    assert recorder.cut("measured").counters["cpu"] == 30
    assert recorder.cut("measured").counters["cpu"] == 0


def test_an_interval_can_be_cut_before_anything_was_measured():
    interval = Recorder("p1").cut("warmup")
    assert set(interval.gauges) == {"in_use", "open", "idle", "overflow", "waiting"}
    assert interval.unfinished.count == 0


THREADS = """
import sys, threading
from collections import Counter
from sqlalchemy import QueuePool, create_engine
from loadtest.pool.measure import measure
from loadtest.pool.recorder import Recorder
from loadtest.pool.task_usage import Task
from greenlet import getcurrent

USERS, TIMES = 12, 200
engine = create_engine("sqlite://", poolclass=QueuePool, pool_size=2, max_overflow=2,
                       connect_args={"check_same_thread": False})
recorder = Recorder("p1")
measure(engine, recorder)

cut_once = threading.Event()

begin_together = threading.Barrier(USERS)

def work():
    begin_together.wait()  # and ask for the use of the same name at once
    task = recorder.tasks[getcurrent()] = Task("work", recorder.uses["work"])
    for number in range(TIMES):
        if number == TIMES // 2:
            cut_once.wait()
        with engine.connect() as connection:
            connection.exec_driver_sql("SELECT 1")
            task.use.nested.append(1)
        recorder.requests.append(1)

sys.setswitchinterval(1e-6)  # take turns more often than many processors would
users = [threading.Thread(target=work) for _ in range(USERS)]
for user in users:
    user.start()
cuts = [recorder.cut("measured")]
cut_once.set()
while any(user.is_alive() for user in users):
    cuts.append(recorder.cut("measured"))
cuts.append(recorder.cut("measured"))
counters = sum((cut.counters for cut in cuts), Counter())
work_done = USERS * TIMES
assert counters["checkouts"] == counters["requests"] == work_done, counters
waits, holds = (sum(c.histograms[n].count for c in cuts if n in c.histograms)
                for n in ("wait", "hold"))
assert waits == holds == work_done, (waits, holds)
closed = sum(n for name, n in counters.items() if name.startswith("closed."))
assert counters["opened"] - closed == len(recorder.opened) == engine.pool.checkedin()
assert not recorder.pending and not recorder.phases and not recorder.held
assert all(level.min >= 0 for cut in cuts for level in cut.gauges.values())
for gauge, most in (("in_use", 4), ("open", 4), ("overflow", 2), ("waiting", USERS)):
    assert max(cut.gauges[gauge].max for cut in cuts) <= most, gauge
uses = [cut.tasks["work"] for cut in cuts if "work" in cut.tasks]
assert sum(use.holds for use in uses) == sum(use.nested for use in uses) == work_done
"""


def test_nothing_is_lost_between_threads_of_the_system_either():
    # A process of its own: in this one, threads are greenlets.
    subprocess.run([sys.executable, "-W", "error", "-c", THREADS], check=True, timeout=120)


def test_a_recorder_needs_no_locust_and_no_gevent():
    code = "import sys, loadtest.pool.measure; print({'locust', 'gevent'} & sys.modules.keys())"
    printed = subprocess.check_output([sys.executable, "-c", code], text=True, timeout=60)
    assert printed.strip() == "set()"


@pytest.mark.parametrize("period", ["warmup", "measured", "drain"])
def test_a_cut_is_of_the_period_it_is_told(period):
    assert Recorder().cut(period).period == period


def test_an_interval_knows_when_its_first_request_failed():
    recorder = Recorder()
    assert recorder.cut("measured").first_failure == 0
    before = time.time_ns()
    recorder.failed(1, "other", "")
    between = time.time_ns()
    recorder.failed(1, "other", "")
    # The wall clock was read once, when the recorder was made, and may have been corrected since.
    slack = 10 * MILLISECOND
    assert before - slack <= recorder.cut("measured").first_failure <= between + slack
    assert recorder.cut("measured").first_failure == 0
