"""A result as JUnit XML: one test case per pool and limit of the objective."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree as XML

from loadtest.analysis.comparison.objective_check import value_in_words
from loadtest.analysis.summarize import summarize
from loadtest.model.errors import UsageError
from loadtest.model.summary import ObjectiveResult, PoolSummary, Summary
from loadtest.report.render import read_measurements


def junit_lines(paths: Sequence[Path]) -> Iterator[str]:
    """The document's lines; a missed bound is a failure, one that cannot be judged is an error.

    Raises UsageError for a result without objectives.
    """
    summary = summarize(read_measurements([_folder_or_file(paths)]))
    if not any(pool.objectives for pool in summary.pools):
        raise UsageError(
            "this result has no objectives, and JUnit needs one for each test case: measure "
            'with --objective "checkout.wait_seconds.p95 <= 50ms"'
        )
    document = XML.tostring(_suite(summary), encoding="unicode", xml_declaration=True)
    return iter(f"{line}\n" for line in document.splitlines())


def _folder_or_file(paths: Sequence[Path]) -> Path:
    """The folder of several runs, which has the experiment.json; otherwise the one file."""
    inside = paths[0].parent.name == "runs"
    return paths[0].parent.parent if inside else paths[0]


def _suite(summary: Summary) -> XML.Element:
    cases = [_case(pool, one) for pool in summary.pools for one in pool.objectives]
    counts = {
        "tests": len(cases),
        "failures": sum(case.find("failure") is not None for case in cases),
        "errors": sum(case.find("error") is not None for case in cases),
    }
    name = str(summary.experiment.get("name") or "loadtest")
    numbers = {key: str(number) for key, number in counts.items()}
    suite = XML.Element("testsuite", {"name": name, **numbers})
    suite.extend(cases)
    XML.indent(suite)
    return suite


def _case(pool: PoolSummary, objective: ObjectiveResult) -> XML.Element:
    case = XML.Element("testcase", classname=pool.name, name=objective.text)
    message = f"{objective.text}: {value_in_words(objective)}"
    if not pool.valid:
        XML.SubElement(case, "error", message=f"the measurement is not valid; {message}")
    elif objective.met is None:
        XML.SubElement(case, "error", message=f"the rounds do not decide it; {message}")
    elif not objective.met:
        XML.SubElement(case, "failure", message=message)
    return case
