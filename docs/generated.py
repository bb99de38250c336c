"""The reference pages that are made from the program itself: commands and metrics."""

from collections.abc import Iterator
from typing import Any

from typer.main import get_command

from loadtest.cli.main import app
from loadtest.model import metrics as exported


def commands() -> str:
    """Every command with its arguments and options, as a page in Markdown."""
    group: Any = get_command(app)
    lines = ["# Commands", "", "`loadtest COMMAND --help` prints the same texts.", ""]
    for name in sorted(group.commands):
        lines += _command(name, group.commands[name])
    return "\n".join(lines) + "\n"


def _command(name: str, command: Any) -> Iterator[str]:
    context = command.make_context(name, [], resilient_parsing=True)
    command = context.command  # the module of a command is imported when it is used
    usage = " ".join(command.collect_usage_pieces(context))
    yield from (f"## loadtest {name}", "", f"```text\nloadtest {name} {usage}\n```", "")
    yield from (_plain(command.help or ""), "")
    shown = [one for one in command.params if not getattr(one, "hidden", False)]
    if shown:
        yield from ("| Argument or option | Meaning |", "|---|---|")
        yield from (f"| {_names(one)} | {_cell(one)} |" for one in shown)
        yield ""


def _names(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{(parameter.metavar or parameter.name).upper()}`"
    return ", ".join(f"`{name}`" for name in [*parameter.opts, *parameter.secondary_opts])


def _cell(parameter: Any) -> str:
    text = _plain(parameter.help or "").replace("|", "\\|").replace("\n", " ")
    default = parameter.default
    if default in (None, "", False, [], ()) or "default" in text:
        return text
    return f"{text.removesuffix('.')} (default: {default})."


def _plain(text: str) -> str:
    """Typer's help without Rich's markup: what is bold is a command."""
    return text.replace("[bold]", "`").replace("[/]", "`").replace("\\[", "[")


def metrics() -> str:
    """Every exported metric with its labels, as a page in Markdown."""
    lines = [
        "# Metrics",
        "",
        "All names are exported in Prometheus form, in seconds, with the label",
        f"`{exported.POOL_LABEL}`. Names that begin with `db_client_` are OpenTelemetry's.",
        "Histograms have the same buckets in every run, from 10 µs to 60 s.",
        "",
        f"A recorded application has one more label, `{exported.SLOT_LABEL}`: a small number of",
        "the process, which a later process takes over. OpenTelemetry's instruments have the same",
        "names with dots, without the endings `_seconds` and `_total`, and no slot.",
        "",
        "| Metric | Meaning |",
        "|---|---|",
        *(_metric(one, "histogram") for one in exported.HISTOGRAM_METRICS),
        *(_metric(one, "counter", "_total") for one in exported.COUNTER_METRICS),
        *(_metric(one, "gauge") for one in exported.LEVEL_METRICS),
    ]
    single = (exported.OLDEST_WAIT, exported.MOST, exported.MOST_IDLE, exported.LEAST_IDLE)
    return "\n".join([*lines, *(f"| `{name}`<br>gauge | {text} |" for name, text in single)]) + "\n"


def _metric(one: Any, kind: str, suffix: str = "") -> str:
    values = ", ".join(f"`{value}`" for value, _ in one.sources if value)
    label = f"<br>`{one.label}`: {values}" if one.label else ""
    where = getattr(one, "measured_in", exported.BOTH)
    only = "" if where == exported.BOTH else f"<br>Only in {where[0]}s."
    return f"| `{one.name}{suffix}`<br>{kind} | {one.help}{label}{only} |"
