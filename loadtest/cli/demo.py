"""The command `loadtest demo`: three pools in a flash sale."""

from __future__ import annotations

from pathlib import Path

from loadtest.cli.output import AnswerOptions, conduct_and_answer
from loadtest.cli.shared_options import DatabaseOptions, Quiet, Results, ServerOption
from loadtest.experiment import bundled_scenarios


def demo(
    *,
    server: ServerOption = "",
    database: DatabaseOptions,
    results: Results = Path("reports"),
    quiet: Quiet = False,
) -> None:
    """Compare three pools in a flash sale and report the best; takes about three minutes.

    Example: [bold]loadtest demo[/]
    """
    from loadtest.model.experiment import read_experiment

    plan = read_experiment(bundled_scenarios.scenarios_folder() / "hot_row.toml")
    plan = plan.changed("--server", server=server)
    conduct_and_answer(plan, database, results, AnswerOptions(quiet=quiet))
