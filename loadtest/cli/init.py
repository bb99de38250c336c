"""The command `loadtest init`: a scenario for existing SQLAlchemy models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from loadtest.model.errors import UsageError


def init(
    *,
    models: Annotated[
        str,
        typer.Option(
            "--models",
            help="The module of the models, like blog.models; or a base or MetaData in it, like "
            "blog.models:Base.",
        ),
    ] = "",
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="File to write (default: blog_load.py for blog.models)."),
    ] = None,
) -> None:
    """Write a scenario for existing SQLAlchemy models: rows, reads and a write.

    It runs unchanged on a private server. Change its rows and tasks until they resemble those of
    your application.

    Example: [bold]loadtest init --models blog.models[/]
    """
    if not models:
        raise UsageError(
            "name the module of your models: loadtest init --models blog.models (loadtest "
            "scenarios lists scenarios with their own tables)"
        )
    from loadtest.experiment.scenario_writer.models import find_models
    from loadtest.experiment.scenario_writer.scenario_text import scenario_gaps, scenario_text

    found = find_models(models)
    path = out or Path(f"{found.module.partition('.')[0]}_load.py")
    _write(path, scenario_text(found))
    typer.echo(f"wrote {path}")
    for gap in scenario_gaps(found):
        typer.secho(gap, fg="yellow", err=True)
    typer.echo(f"Next: loadtest run {path} --try")
    typer.echo(f"Then: loadtest compare {path} --pool 5+10 --pool 20+0 -u 50 -t 5s")


def _write(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{path} exists: choose another -o FILE") from None
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None
