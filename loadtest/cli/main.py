"""The `loadtest` command."""

from __future__ import annotations

import errno
import os
import sys
from typing import Annotated

import typer

from loadtest import __version__
from loadtest.cli.capacity import capacity
from loadtest.cli.compare import compare
from loadtest.cli.demo import demo
from loadtest.cli.diff import diff
from loadtest.cli.doctor import doctor
from loadtest.cli.report import report
from loadtest.cli.run import run
from loadtest.cli.scenarios import scenarios
from loadtest.cli.tune import tune
from loadtest.cli.whatif import whatif
from loadtest.model.errors import LoadtestError

# A full disk, or nobody who reads any more.
_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EPIPE)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"loadtest {__version__}")
        raise typer.Exit


@app.callback()
def _app(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    """Which pool settings should this SQLAlchemy application use, and what if they are wrong?

    Example: [bold]loadtest demo[/]
    """


app.command()(demo)
app.command()(run)
app.command()(compare)
app.command()(report)
app.command()(diff)
app.command()(capacity)
app.command()(doctor)
app.command()(whatif)
app.command()(tune)
app.command()(scenarios)


def main() -> None:
    """Run the command; a problem is one message on standard error and an exit code."""
    try:
        _answer()
    except LoadtestError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)


def _answer() -> None:
    """Run the command. Raises LoadtestError, also where nothing can be written to its output."""
    try:
        try:
            app()
        finally:
            if sys.stdout:
                sys.stdout.flush()
    except OSError as error:
        if error.errno not in _UNWRITABLE:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python tries again
        raise LoadtestError(f"cannot write the answer: {error.strerror}") from None


if __name__ == "__main__":
    main()
