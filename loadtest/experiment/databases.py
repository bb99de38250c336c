"""The database of an experiment: the given one, the application's, or private servers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial

from sqlalchemy import URL

from loadtest.analysis.pool_settings import changed_settings
from loadtest.database.engine import database_url
from loadtest.database.preflight import server_probe
from loadtest.database.preflight.announcement import (
    connections_now,
    database_place,
    intentions,
    load_in_words,
    situation,
)
from loadtest.database.preflight.checks import refuse_errors, run_checks, warning_texts
from loadtest.database.preflight.situation import Situation
from loadtest.database.private_server import PrivateServer
from loadtest.database.server_program import refuse_beside_database
from loadtest.database.table_claims import tables_left_behind
from loadtest.experiment.faults.schedule import FaultSchedule
from loadtest.experiment.rounds import ScenarioFacts, check_scenario
from loadtest.experiment.run_demand import demand_of
from loadtest.experiment.run_plan import SECONDS_BESIDE_LOAD
from loadtest.experiment.single_run import Database, Databases
from loadtest.model.allowances import NO_ALLOWANCES, Allowances
from loadtest.model.experiment import Experiment
from loadtest.model.pool import PoolSettings
from loadtest.runfile.folders import as_typed


@contextmanager
def databases(
    given: str,
    experiment: Experiment,
    looked: ScenarioFacts,
    allowed: Allowances = NO_ALLOWANCES,
    runs: int = 1,
    *,
    tried: bool = False,
) -> Iterator[Databases]:
    """The given database, or private servers that live as long as this context.

    An application's own database is known only to Locust's process, which makes the same checks.
    looked: the result of `check_scenario`. runs: the maximum number of runs; tried: whether each
    task is tried once before them.
    Raises UsageError if the experiment cannot run there.
    """
    demand = demand_of(experiment, allowed, looked.pool)
    server_probe.raise_open_files_limit(demand.most)
    refuse_beside_database(bool(experiment.server), bool(given or looked.place))
    if looked.place:
        url = database_url(given) if given else None
        work = work_in_words(experiment, runs, tried)
        intended = intentions(looked.place, demand, work, looked.tables, allowed, looked.in_use)
        changes = changed_settings(
            demand.pools, PoolSettings(**looked.pool), experiment.named_engine
        )
        yield {"": Database(url, False, None, allowed, (), (*intended, *changes))}
    elif given:
        work = work_in_words(experiment, runs, tried)
        with _foreign(given, experiment, looked, allowed, work) as database:
            yield {"": database}
    else:
        with ExitStack() as stack:
            yield {
                server: stack.enter_context(_private(server, experiment, allowed))
                for server in experiment.servers
            }


@contextmanager
def _foreign(
    given: str, experiment: Experiment, looked: ScenarioFacts, allowed: Allowances, work: str
) -> Iterator[Database]:
    url, demand = database_url(given), demand_of(experiment, allowed)
    with closing(FaultSchedule(experiment.fault, url, None)) as faults:
        now = situation(url, demand, private=False)
        warned = checked(now)
        place, in_use = database_place(url), connections_now(now.server)
        intended = intentions(place, demand, work, looked.tables, allowed, in_use)
        left = partial(tables_left_behind, url, () if allowed.tables else looked.tables)
        yield Database(faults.url, False, faults, allowed, warned, tuple(intended), left=left)


@contextmanager
def _private(program: str, experiment: Experiment, allowed: Allowances) -> Iterator[Database]:
    demand = demand_of(experiment, allowed)
    with (
        PrivateServer(demand.most, program) as server,
        closing(FaultSchedule(experiment.fault, server.url, server)) as faults,
    ):
        yield Database(
            faults.url,
            True,
            faults,
            allowed,
            (
                *checked(situation(server.url, demand, private=True)),
                *_known(experiment, server.url),
            ),
            ready=server.ready,
            running=lambda: server.running,
            last_error=lambda: server.last_error,
        )


def _known(experiment: Experiment, url: URL) -> list[str]:
    """The warnings about an application that needs the private server's URL to be imported."""
    address = url.render_as_string(hide_password=False)
    if not experiment.named_engine:
        return []
    return check_scenario(experiment, address, connect=True, private=True).warnings


def checked(now: Situation) -> tuple[str, ...]:
    """The warnings of a situation; raises UsageError with its errors."""
    checks = run_checks(now)
    refuse_errors(checks)
    return tuple(warning_texts(checks))


def work_in_words(experiment: Experiment, runs: int, tried: bool, beside: float = 0.0) -> str:
    """The work on a server that the tool did not start, in words; runs: zero for a trial only.

    beside: the seconds of each run for its application.
    """
    load, scenario = experiment.load, as_typed(experiment.scenario)
    if not runs:
        return f"each task of {scenario} once; what it commits stays"
    each = load.warmup + load.duration
    minutes = runs * (each + SECONDS_BESIDE_LOAD + beside) / 60
    longer = "longer if runs are disturbed and repeated"
    times = f", at most {runs} times ({minutes:.1f} min; {longer})" if runs > 1 else ""
    faults = ", ".join(map(str, experiment.fault))
    broken = f", and break its own connections: {faults}" if faults else ""
    many = load_in_words(load.users, load.highest_rate)
    first = "; each task runs once first; what it commits stays" if tried else ""
    return f"{scenario} with {many} for {each:g} s{times}{broken}{first}"
