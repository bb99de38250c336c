"""The report as one self-contained page: it fetches nothing and runs only its own script."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from loadtest.analysis import units
from loadtest.analysis.findings import mostly_failing, trust_gate
from loadtest.analysis.pool_settings import create_engine_line
from loadtest.model import error_kinds
from loadtest.model.experiment import MARGIN
from loadtest.model.fault import Fault
from loadtest.model.load import Stage
from loadtest.model.server_name import server_title
from loadtest.model.summary import Summary
from loadtest.report import comparison_rows, fault_rows, overview, process_rows, stage_rows
from loadtest.report.driven import request_rows
from loadtest.report.driven.application_rows import application_section, driven_names
from loadtest.report.figures.toolkit.drawing import Drawing
from loadtest.report.finding_rows import finding_rows
from loadtest.report.page_template import page_template, whole_page
from loadtest.report.pool_table import application_changes, line_groups
from loadtest.report.result_files import NO_FILES, ResultFiles

_TEMPLATE = "report.html.j2"


def prepare_page() -> None:
    """Compile the template, which takes a while."""
    page_template(_TEMPLATE)


def report_page(
    summary: Summary,
    drawings: Sequence[Drawing],
    files: ResultFiles = NO_FILES,
) -> str:
    """The report; names and texts from files are escaped, only the figures are taken as markup."""
    about = _about(summary)
    return whole_page(
        _TEMPLATE,
        **about,
        summary=summary,
        drawings=drawings,
        overview=overview.overview_rows(summary),
        overview_headings=overview.OVERVIEW_HEADINGS,
        groups=line_groups(summary),
        changes=application_changes(summary),
        comparisons=[
            {
                "cells": comparison_rows.comparison_row(one),
                "baseline": one.baseline,
                "decision": one.decision,
            }
            for one in summary.comparisons
        ],
        margin=f"{100 * float(summary.experiment.get('margin') or MARGIN):g}",
        findings=finding_rows(summary, _told(about)),
        files=files,
        errors=list(_errors(summary)),
        stages=stage_rows.stage_rows(summary),
        stage_headings=stage_rows.STAGE_HEADINGS,
        processes=process_rows.process_rows(summary),
        process_headings=process_rows.PROCESS_HEADINGS,
        requests=request_rows.request_rows(summary),
        request_headings=request_rows.REQUEST_HEADINGS,
        more_requests=request_rows.not_shown(summary),
        slow_requests=request_rows.explanations(summary),
        faults=fault_rows.fault_rows(summary),
        fault_headings=fault_rows.FAULT_HEADINGS,
        facts=list(_facts(summary)),
        application=application_section(summary, files.application_logs),
        intervals=any(pool.shown_ci95 for pool in summary.pools),
    )


def _about(summary: Summary) -> dict[str, Any]:
    """The head of the page: title, circumstances and verdict."""
    headline, *rest = summary.verdict.text.splitlines()
    recommended = summary.verdict.recommended
    line = create_engine_line(summary.settings) if summary.settings else ""
    # A failing pool beside a recommended one is part of the answer and gets no banner.
    failed = [pool for pool in summary.pools if mostly_failing.fails_mostly(pool)]
    alarming = [pool for pool in failed if not (pool.valid and recommended)]
    invalid = [pool for pool in summary.pools if not pool.valid and pool not in failed]
    return {
        "title": str(summary.experiment.get("name") or "Connection pool"),
        "subtitle": " · ".join(_circumstances(summary)),
        "headline": headline,
        "rest": rest,
        "create_engine": line,
        "recommended": recommended,
        "failing": alarming,
        "failing_codes": mostly_failing.TOLD_FIRST,
        "invalid": invalid,
        "reasons": trust_gate.INVALID_CODES,
        "broken": _broken(summary),
    }


def _told(about: Mapping[str, Any]) -> set[tuple[str, str]]:
    """Pool and code of the findings in the banners."""
    banners = (about["failing"], about["failing_codes"]), (about["invalid"], about["reasons"])
    return {(pool.name, code) for pools, codes in banners for pool in pools for code in codes}


def _circumstances(summary: Summary) -> Iterator[str]:
    load = summary.experiment.get("load", {})
    parts = max((len(pool.stages) for pool in summary.pools), default=0)
    if parts:
        yield units.plural(parts, "stage")
    if load.get("arrival_rate"):
        spacing = ", evenly spaced" if load.get("arrivals") == "even" else ""
        yield f"{units.rate(load['arrival_rate'])} requests per second offered{spacing}"
    if load.get("users"):
        most = "at most " if parts or load.get("arrival_rate") else ""
        yield most + units.plural(load["users"], "user")
    processes = max((pool.processes for pool in summary.pools), default=1)
    if processes > 1:
        yield units.plural(processes, "process", "processes")
    if load.get("model", "greenlets") != "greenlets":
        yield "with " + " and ".join(load["model"].split(","))
    if len(names := driven_names(summary)) > 1:
        yield f"applications {units.listed(names)}"
    yield from map(str, _faults(summary))
    yield _rounds(summary, load.get("duration"))
    versions = summary.environment.get("server_versions")
    if versions:
        yield " and ".join(map(server_title, versions))
    started = summary.environment.get("started")
    if started:
        yield time.strftime("%-d %B %Y, %H:%M UTC", time.gmtime(started))


def _rounds(summary: Summary, lasting: float | None) -> str:
    """The rounds and their length; those of a search differ between its sizes."""
    rounds = [pool.rounds for pool in summary.pools]
    most = max(rounds, default=0)
    fewer = f"{min(rounds)} to " if summary.search and min(rounds, default=0) < most else ""
    of = f" of {units.round_duration(float(lasting))}" if lasting else ""
    return fewer + units.plural(most, "round") + of + (" each" if of and most > 1 else "")


def _faults(summary: Summary) -> list[Fault]:
    """The faults of the experiment, or else of the first run."""
    experiment = summary.experiment
    told = experiment.get("fault") or experiment.get("load", {}).get("faults") or ()
    return [Fault(**fault) for fault in told]


def _broken(summary: Summary) -> str | None:
    return ", ".join(map(str, _faults(summary))) or None


def _errors(summary: Summary) -> Iterator[dict[str, Any]]:
    """A row for each kind of error that occurred, the most frequent first."""
    total: dict[str, int] = {}
    for pool in summary.pools:
        for kind, number in pool.errors.by_kind.items():
            total[kind] = total.get(kind, 0) + number
    for kind in sorted(total, key=lambda kind: -total[kind]):
        numbers = [units.count(pool.errors.by_kind.get(kind, 0)) for pool in summary.pools]
        told = [pool.errors.kinds[kind] for pool in summary.pools if kind in pool.errors.kinds]
        yield {
            "label": error_kinds.label(kind),
            "advice": _advice(summary, kind),
            "numbers": numbers,
            "first": _clock(min((k.first for k in told if k.first is not None), default=None)),
            "last": _clock(max((k.last for k in told if k.last is not None), default=None)),
            "example": next((k.example for k in told if k.example), ""),
        }


def _advice(summary: Summary, kind: str) -> list[str]:
    """What errors of a kind mean: once, or for each pool in which they mean something else."""
    given = {p.name: p.errors.kinds[kind].advice for p in summary.pools if kind in p.errors.kinds}
    if len(set(given.values())) < 2:
        return [*given.values()][:1]
    return [f"{name}: {advice}" for name, advice in given.items()]


def _clock(second: int | None) -> str:
    return units.NO_VALUE if second is None else time.strftime("%H:%M:%S", time.gmtime(second))


def _facts(summary: Summary) -> Iterator[tuple[str, str]]:
    """The environment, a line each."""
    environment, experiment = summary.environment, summary.experiment
    server, host = environment["server"], environment["host"]
    if server.get("version"):
        private = ", private to the run" if server.get("private") else ""
        yield "server", f"{server['version']}{private}"
        variables = sorted(server.get("variables", {}).items())
        told = [(name, value) for name, value in variables if not name.startswith("version")]
        yield from ((name, _with_unit(name, value)) for name, value in told)
    if host:
        memory = units.size(host.get("memory_bytes"))
        yield "machine", f"{host.get('cpus')} CPUs, {memory}, {host.get('platform', '')}"
    yield from ((name, str(version)) for name, version in environment["versions"].items())
    if experiment.get("application"):
        yield "application", ", ".join(driven_names(summary)) or str(experiment["application"])
    yield "scenario", _pretty(experiment.get("scenario", ""))
    yield from ((n, _with_unit(n, v)) for n, v in _asked(summary).items() if v is not None)


def _asked(summary: Summary) -> dict[str, Any]:
    """The load and the scenario's options; stages and faults as the command line has them."""
    experiment = summary.experiment
    said = {**experiment.get("load", {}), **experiment.get("options", {})}
    # An experiment calls them `stage`, a run's file `stages`.
    stages_ = [Stage(**stage) for stage in [*said.pop("stage", ()), *said.pop("stages", ())]]
    said["stages"] = ", ".join(map(str, stages_)) or None
    said["faults"] = _broken(summary)
    if experiment.get("seed") is not None:
        said["seed"] = experiment["seed"]
    return said


def _with_unit(name: str, value: Any) -> str:
    """A setting of the server or the load with its unit, seconds or bytes."""
    text = _pretty(value)
    if not re.fullmatch(r"\d+(\.\d+)?", text):
        return text
    if name.endswith("buffer_pool_size"):
        return units.size(float(text))
    return f"{text} s" if name.endswith(("timeout", "duration", "warmup", "drop_after")) else text


def _pretty(value: Any) -> str:
    if value is None:
        return units.NO_VALUE
    if isinstance(value, Mapping | list | bool):
        return json.dumps(value)
    return f"{value:g}" if isinstance(value, float) else str(value)
