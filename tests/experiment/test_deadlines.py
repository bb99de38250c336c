"""How long a run may take, and where the process is that takes longer."""

from __future__ import annotations

import re
import sysconfig
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from sqlalchemy import URL

from loadtest.analysis.comparison.verdict import verdict_exit_code
from loadtest.analysis.summarize import summarize_runs
from loadtest.database import supervisor
from loadtest.experiment import bundled_scenarios, deadlines, rounds
from loadtest.experiment.deadlines import MARGIN_SECONDS, blocked_line
from loadtest.experiment.run_plan import SECONDS_BESIDE_LOAD, STOP_TIMEOUT_SECONDS, RunPlan
from loadtest.experiment.single_run import run_once
from loadtest.model.errors import Overdue, UsageError
from loadtest.model.experiment import Experiment
from loadtest.model.load import GREENLETS, THREADS, LoadConfig
from loadtest.model.pool import parse_pool
from loadtest.runfile.reader import read_run
from tests.conftest import ROOT, long
from tests.experiment.test_rounds import DATABASE, DATABASES, Notes, experiment
from tests.processes import free_port, until

LIBRARY = (f"{sysconfig.get_path('purelib')}/driver/connections.py", "9", "query")
STANDARD = (f"{sysconfig.get_path('stdlib')}/threading.py", "8", "wait")
OURS = (str(Path(deadlines.__file__)), "7", "running")
FROZEN = ("<frozen runpy>", "6", "_run_code")
BUY = ("/srv/shop/orders.py", "5", "buy")


class TestLimit:
    """The time that a run may take."""

    def test_it_is_what_is_planned_the_stop_timeout_and_the_margin(self) -> None:
        (plan,) = rounds.plans(experiment("5+10"))
        load = LoadConfig(users=300, spawn_rate=100, warmup=2, duration=10)
        slow = replace(plan, experiment=plan.experiment.model_copy(update={"load": load}))

        planned = 2 + 10 + 300 / 100 + SECONDS_BESIDE_LOAD
        assert slow.limit == planned + STOP_TIMEOUT_SECONDS + MARGIN_SECONDS

    def test_users_who_start_at_once_take_a_second(self) -> None:
        (plan,) = rounds.plans(experiment("5+10"))

        assert plan.limit == 2 + 5 + 1 + SECONDS_BESIDE_LOAD + 10 + MARGIN_SECONDS


class TestPlace:
    """The words for where a process is."""

    @pytest.mark.parametrize(
        ("stacks", "place"),
        [
            ([[BUY, FROZEN]], "the process was at /srv/shop/orders.py:5, in buy"),
            (
                [[LIBRARY, OURS, BUY]],
                "the process was at /srv/shop/orders.py:5, in buy, "
                "which waited for driver/connections.py:9, in query",
            ),
            (
                [[STANDARD, FROZEN], [LIBRARY], [STANDARD, BUY]],
                "the process was at /srv/shop/orders.py:5, in buy, "
                "which waited for threading.py:8, in wait",
            ),
            (
                [[STANDARD, OURS], [LIBRARY]],
                "the process was outside the scenario's code, at threading.py:8, in wait",
            ),
            (
                [[OURS, FROZEN]],
                "the process was outside the scenario's code, at "
                "loadtest/experiment/deadlines.py:7, in running",
            ),
            (
                [[FROZEN]],
                "the process was outside the scenario's code, at <frozen runpy>:6, in _run_code",
            ),
            ([], "the process did not report where it was"),
        ],
    )
    def test_is_the_first_frame_outside_of_libraries(
        self, monkeypatch: pytest.MonkeyPatch, stacks: Sequence[deadlines.Stack], place: str
    ) -> None:
        monkeypatch.chdir(ROOT)
        assert blocked_line(stacks) == place

    @pytest.mark.parametrize("folder", ["scenarios", "examples"])
    def test_a_ready_scenario_is_no_library_wherever_it_is_installed(
        self, monkeypatch: pytest.MonkeyPatch, folder: str
    ) -> None:
        installed = Path(deadlines.__file__).parent.parent / folder
        monkeypatch.setattr(bundled_scenarios, f"{folder}_folder", lambda: installed)

        assert "hot_row.py:3, in buy" in blocked_line(
            [[(str(installed / "hot_row.py"), "3", "buy")]]
        )


BEGUN = 'open("begun", "w").close()'
BUSY = f"""
def block():
    {BEGUN}
    while True:
        pass
"""
# A loop in C that never looks for signals and never lets another thread run.
IN_C = f"""
import collections, itertools
def block():
    {BEGUN}
    collections.deque(itertools.repeat(None), maxlen=0)
"""
IDLE_LOOP = f"""
import gevent
def block():
    {BEGUN}
    gevent.sleep(1000)
"""
IDLE_THREAD = f"""
import time
def block():
    {BEGUN}
    time.sleep(1000)
"""
CALL = "scenario.block()"
GREENLET = "import gevent; gevent.spawn(scenario.block).join()"
THREAD = "import threading; threading.Thread(target=scenario.block).start()"
FORK = "import os; os.fork() and os.wait(); scenario.block()"


@pytest.mark.parametrize(
    ("scenario", "call"),
    [
        *((IN_C, CALL), (IDLE_LOOP, GREENLET), (IDLE_THREAD, THREAD)),
        *(long(BUSY, FORK), long(BUSY, CALL), long(IDLE_LOOP, CALL)),
    ],
)
def test_a_process_tells_where_it_is_whatever_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scenario: str, call: str
) -> None:
    library = tmp_path / "site-packages"
    library.mkdir()
    (library / "caller.py").write_text(f"import scenario\n{call}\n")
    (tmp_path / "scenario.py").write_text(scenario)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", f"{library}:{ROOT}")
    with tempfile.TemporaryFile() as log:
        kept = supervisor.start_supervised(deadlines.watched_command("caller"), output=log)
        try:
            until((tmp_path / "begun").exists, "the program")
            place = deadlines.stacks_of(kept, log)
        finally:
            supervisor.stop_supervised(kept, 0.1)

    assert re.match(r"the process was at scenario\.py:\d, in block", place), place


def test_what_does_not_listen_is_not_disturbed_and_tells_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(deadlines, "_TELLING_SECONDS", 0.2)
    with tempfile.TemporaryFile() as log:
        kept = supervisor.start_supervised(["sleep", "1000"], output=log)
        until(psutil.Process(kept.pid).children, "the child")
        place = deadlines.stacks_of(kept, log)
        running = kept.poll() is None
        supervisor.stop_supervised(kept)

    assert running
    assert place == "the process did not report where it was"


def test_what_runs_for_too_long_is_an_error_and_what_ends_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(deadlines, "_TELLING_SECONDS", 0.2)
    with tempfile.TemporaryFile() as log:
        kept = supervisor.start_supervised(["sleep", "1000"], output=log)
        with pytest.raises(Overdue, match="too late: the process did not report"):
            list(
                deadlines.watched_process(
                    kept, log, 0.0, lambda place: Overdue(f"too late: {place}")
                )
            )
        supervisor.stop_supervised(kept)
        assert list(deadlines.watched_process(kept, log, 0.0, Overdue)) == []


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    """What a scenario makes when it begins to block."""
    return tmp_path / "begun"


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch, begun: Path) -> None:
    """A clock of the deadlines that jumps far ahead at each look while the scenario blocks.

    One jump is too few: on a busy machine a deadline may be set after the scenario blocks.
    """
    ahead = [0.0]

    def sleep(seconds: float) -> None:
        time.sleep(seconds)
        if seconds == deadlines.OUTPUT_POLL_SECONDS and begun.exists():
            ahead.append(1e6)

    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + sum(ahead), sleep=sleep)
    monkeypatch.setattr(deadlines, "time", clock)
    monkeypatch.setattr(deadlines, "STOP_SECONDS", 0.2)


def left_of(path: Path) -> list[psutil.Process]:
    """The processes that have this path in their command line or environment."""
    return [one for one in psutil.process_iter(["cmdline", "environ"]) if _names(one, path)]


def _names(process: psutil.Process, path: Path) -> bool:
    told = [*(process.info["cmdline"] or ()), *(process.info["environ"] or {}).values()]
    return any(str(path) in part for part in told)


def plan_of(scenario: Path, model: str = GREENLETS) -> RunPlan:
    load = LoadConfig(users=2, warmup=0, duration=3, model=model)
    pool = parse_pool("2+0")
    chosen = Experiment(name="test", scenario=scenario, load=load, pool=(pool,))
    return RunPlan(chosen, pool, 1, model)


SLEEPS, SPINS = "time.sleep(1000)", "while True: pass"


class TestImport:
    """A scenario that blocks when it is imported."""

    def written(self, folder: Path, how: str, begun: Path) -> Path:
        path = folder / "blocks.py"
        path.write_text(
            "import os, time\n"
            "def block():\n"
            f"    with open({str(begun)!r}, 'w') as file:\n"
            "        print(os.getpid(), file=file, flush=True)\n"
            f"    {how}\n"
            "block()\n"
        )
        return path

    @pytest.mark.parametrize("how", [SLEEPS, long(SPINS)])
    def test_is_refused_before_all_runs(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, how: str, begun: Path
    ) -> None:
        keep, scenario = supervisor.start_supervised, self.written(tmp_path, how, begun)

        def until_it_blocks(*command: object, **options: object) -> object:
            kept = keep(*command, **options)  # type: ignore[arg-type]
            until(lambda: begun.exists() and begun.read_text(), "the import")
            return kept

        monkeypatch.setattr(supervisor, "start_supervised", until_it_blocks)
        monkeypatch.setattr(deadlines, "LOOK_SECONDS", 0.1)
        with pytest.raises(
            UsageError, match=r"did not end within 0\.1 s: the process was at "
        ) as refused:
            rounds.check_scenario(plan_of(scenario).experiment)

        assert f"{scenario}:5, in block" in str(refused.value)
        assert not psutil.pid_exists(int(begun.read_text()))

    @pytest.mark.usefixtures("hurried")
    @pytest.mark.parametrize(("how", "model"), [(SLEEPS, GREENLETS), long(SPINS, THREADS)])
    def test_is_refused_before_a_load_begins(
        self, tmp_path: Path, how: str, model: str, begun: Path
    ) -> None:
        (tmp_path / "runs").mkdir()
        scenario = self.written(tmp_path, how, begun)
        with pytest.raises(UsageError, match="the load did not begin within 300 s: ") as refused:
            run_once(plan_of(scenario, model), DATABASE, tmp_path, print)

        assert f"{scenario}:5, in block" in str(refused.value)
        assert left_of(scenario) == []


# When the first second is in the result file, one user stops all others.
BLOCKS = """
from locust import task
import time
from pathlib import Path
from gevent.monkey import get_original
from sqlalchemy import text
from loadtest.load import PoolUser

class Blocking(PoolUser):
    def block(self):
        Path({begun!r}).touch()
        get_original("time", "sleep")(1000)

    @task
    def query(self):
        with self.session("query") as session:
            session.execute(text("SELECT 1"))
        time.sleep(0.05)
        lines = Path({results!r}).read_text().splitlines()
        if any('"measured"' in line and '"requests":' in line for line in lines):
            self.block()
"""
# When the result is complete, a thread keeps the process from ending.
LINGERS = """
from locust import events, task
import threading, time
from pathlib import Path
from sqlalchemy import text
from loadtest.load import PoolUser

class Asking(PoolUser):
    @task
    def query(self):
        with self.session("query") as session:
            session.execute(text("SELECT 1"))
        time.sleep(0.05)

def block():
    path = Path({results!r})
    while not path.exists() or '"footer"' not in path.read_text():
        time.sleep(0.05)
    Path({begun!r}).touch()
    time.sleep(1000)

@events.test_start.add_listener
def start(**_):
    threading.Thread(target=block).start()
"""


@pytest.mark.server
@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize(
    ("program", "model", "processes"),
    [(BLOCKS, GREENLETS, ""), (BLOCKS, GREENLETS, "2"), (LINGERS, THREADS, "")],
    ids=["event loop", "workers", "threads"],
)
def test_a_run_that_does_not_end_is_ended_with_what_it_measured(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    begun: Path,
    url: URL,
    program: str,
    model: str,
    processes: str,
) -> None:
    scenario, port = tmp_path / "blocks.py", free_port()
    plan = plan_of(scenario, model)
    path = plan.file_in(tmp_path)
    path.parent.mkdir()
    scenario.write_text(program.format(begun=str(begun), results=str(path)))
    if processes:
        monkeypatch.setenv("LOCUST_PROCESSES", processes)
        for name in ("LOCUST_MASTER_BIND_PORT", "LOCUST_MASTER_NODE_PORT"):
            monkeypatch.setenv(name, str(port))

    with pytest.raises(Overdue) as overdue:
        run_once(plan, replace(DATABASE, url=url), tmp_path, lambda _: None)

    said = str(overdue.value)
    assert said.startswith(f"ended at its deadline, {plan.limit:.0f} s after its load began: ")
    assert f"the process was at {scenario}:" in said
    assert ", in block" in said
    assert left_of(scenario) == []
    result = read_run(path)
    assert list(result.problems) == []
    assert result.footer
    assert str(result.footer.end) == said
    assert result.footer.totals.counters["requests"] > 0
    assert any(result.measured())
    summary = summarize_runs([result])
    assert "missed_deadline" in [finding.code for finding in summary.pools[0].findings]
    assert verdict_exit_code(summary) == 4


def test_after_a_run_that_missed_its_deadline_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def once(plan: RunPlan, *_: object) -> None:
        if plan.pool.name == "1+0":
            raise Overdue

    monkeypatch.setattr(rounds, "run_once", once)
    notes = Notes()
    assert rounds.run_all(experiment("1+0", "2+0"), DATABASES, tmp_path, notes)

    assert notes.told == [
        *("begin 1+0 1", "failed 1+0 1: ended at its deadline"),
        *("begin 2+0 1", "end 2+0 1"),
    ]
