"""The `loadtest` command: its subcommands, each imported on first use."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from loadtest import __version__
from loadtest.cli.help_panels import panel_of
from loadtest.cli.option_groups import spread_out
from loadtest.model.errors import LoadtestError

# The disk is full, or the reader of the pipe is gone.
_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EPIPE)
# Command -> first line of its docstring. Each command is the function in the module of its name.
COMMANDS = {
    "demo": "Compare three pools in a flash sale and report the best; takes about three minutes.",
    "run": "Measure one pool configuration under one load.",
    "compare": "Compare pool configurations in interleaved rounds and report which is best.",
    "report": "Make the report of a recording, or again of a result; exits with the result's own "
    "code.",
    "diff": "Show what became better or worse between two results; exits with 3 if anything is "
    "worse.",
    "capacity": "Check whether a fleet's pools fit the server's limits, and suggest a safe pool.",
    "doctor": "Check this machine, the driver and the database before a run; changes nothing.",
    "whatif": "Predict other pool settings from a measured result or a recording, by simulation.",
    "tune": "Find the smallest pool that meets an objective and loses no throughput.",
    "record": "Run an application and record every connection pool in its processes.",
    "export": "Convert a result for other tools: HdrHistogram log, CSV or JUnit XML.",
    "open": "Open a report in the browser.",
    "scenarios": "List the bundled scenarios, or copy one with its experiment as a starting point.",
    "init": "Write a scenario for existing SQLAlchemy models: rows, reads and a write.",
}
_SETTINGS: dict[str, Any] = {
    "pretty_exceptions_enable": False,
    "rich_markup_mode": "rich",
}


def _shown(parameters: list[Any], ctx: Any) -> list[Any]:
    """Parameters as the help shows them: in groups, with types of values only.

    So there is no <bool>, and <str> for <list[str]>.
    """
    for one in parameters:
        one.rich_help_panel = one.rich_help_panel or panel_of(one.name)
        if one.param_type_name == "option" and one.is_flag:
            one.metavar = ""
        elif one.param_type_name == "option" and one.multiple and one.metavar is None:
            one.metavar = one.display_type(ctx).replace("list[", "").replace("]", "")
    return parameters


class _Group(TyperGroup):
    """The commands."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        # Typer would look for the parameters of each command at every start.
        self.commands = {
            name: _Imported(name, help=first, rich_markup_mode="rich")
            for name, first in COMMANDS.items()
        }

    def get_params(self, ctx: Any) -> list[Any]:
        """As Typer's, shown in plain words."""
        return _shown(super().get_params(ctx), ctx)


app = typer.Typer(
    cls=_Group,
    add_completion=True,
    invoke_without_command=True,
    # The value of an option without a default is converted, and Typer imports pydantic for that.
    context_settings={"help_option_names": ["-h", "--help"], "default_map": {"help": False}},
    **_SETTINGS,
)


class _Imported(TyperCommand):
    """A command without its options; its module is imported on first use."""

    def make_context(self, info_name: str | None, *arguments: Any, **settings: Any) -> Any:
        """The context of the real command, with its options."""
        alone = typer.Typer(add_completion=False, **_SETTINGS)
        module = import_module(f"loadtest.cli.{self.name}")
        alone.command(self.name, cls=_Quick)(spread_out(getattr(module, str(self.name))))
        return get_command(alone).make_context(info_name, *arguments, **settings)


class _Quick(TyperCommand):
    """A command that checks its arguments before Typer imports pydantic to convert them."""

    def get_params(self, ctx: Any) -> list[Any]:
        """As Typer's, shown in plain words."""
        return _shown(super().get_params(ctx), ctx)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As Typer's, with the same errors."""
        given, surplus, order = self.make_parser(ctx).parse_args(args=[*args])
        asked: list[Any] = [one for one in self.get_params(ctx) if one.required]
        missing = [one for one in asked if not given.get(one.name)]
        if not (given.get("help") or ctx.resilient_parsing):
            if missing:
                first = missing[0]
                meant = f"{first.help[:1].lower()}{first.help[1:]}" if first.help else "required."
                ctx.fail(f"Missing argument {first.get_error_hint()}: {meant}")
            if surplus:
                ctx.fail(f"Got unexpected extra argument(s) ({' '.join(surplus)})")
            _refuse_repeated(ctx, order)
        try:
            return super().parse_args(ctx, args)
        except typer.BadParameter as error:
            _in_plain_words(error)
            raise


def _refuse_repeated(ctx: Any, order: Sequence[Any]) -> None:
    """Refuse an option that is given twice but has one value, of which the first would be lost.

    order: the options as they were given.
    """
    single = [one for one in order if one.param_type_name == "option" and not one.multiple]
    for one in single:
        if not one.is_flag and single.count(one) > 1:
            ctx.fail(f"{one.opts[0]} is given {single.count(one)} times; give it once.")


def _in_plain_words(error: typer.BadParameter) -> None:
    """Replace pydantic's words for a value that Typer could not convert."""
    refused = getattr(error.__cause__, "errors", None)
    if refused:
        from loadtest.model.validation_errors import refusal

        error.message = refusal(refused()[0])


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"loadtest {__version__}")
        raise typer.Exit


_BEGINNING = """\
loadtest measures which connection pool settings an SQLAlchemy application should use.

Begin with one of these:

  loadtest demo                          Compare three pools on a private server, in three minutes.
  loadtest scenarios hot_row             Copy a scenario with its experiment, as a start.
  loadtest init --models myapp.models    Write a scenario for your SQLAlchemy models.
  loadtest record -- gunicorn shop:app   Record the pools of an application while it runs.

loadtest --help lists all commands; loadtest COMMAND --help has examples."""


@app.callback()
def _app(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Measure which connection pool settings an SQLAlchemy application should use.

    Example: [bold]loadtest demo[/]
    """
    if context.invoked_subcommand is None:
        typer.echo(_BEGINNING)


def main() -> None:
    """Run the command; an error becomes one message on standard error and an exit code."""
    try:
        _answer()
    except LoadtestError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)


def _answer() -> None:
    """Run the command. Raises LoadtestError, also if the output cannot be written."""
    try:
        try:
            app()
        finally:
            if sys.stdout:
                sys.stdout.flush()
    except OSError as error:
        if error.errno not in _UNWRITABLE:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python flushes again
        raise LoadtestError(f"cannot write the output: {error.strerror}") from None


if __name__ == "__main__":
    main()
