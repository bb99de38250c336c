"""Output of tables and texts to a terminal, a file or a pipe."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import repeat

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

PIPE_WIDTH = 1000  # columns of a file or a pipe, where lines are not broken
LEAST_WIDTH = len("(invalid)")  # of the first column of a table, which may break its words
_GAP = 2  # columns between two columns of a table
_ASCII = str.maketrans({"µ": "u", "–": "-", "≥": ">", "×": "x", "·": "-"})
# Control characters are shown and do not reach the terminal.
_CONTROLS = {n: f"\\x{n:02x}" for n in (*range(32), *range(127, 160)) if chr(n) not in "\t\n"}


def standard_output() -> Console:
    """The standard output: a terminal, or a file or a pipe, whose lines are not broken."""
    console = Console()
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    return console


@contextmanager
def trimmed(console: Console) -> Iterator[None]:
    """Remove blanks at the ends of lines that the block prints to a file or a pipe."""
    if console.is_terminal:
        yield
        return
    with console.capture() as printed:
        yield
    console.out("\n".join(line.rstrip() for line in printed.get().splitlines()), highlight=False)


def text_table(
    console: Console,
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    styles: Iterable[str] = repeat(""),
    words: Collection[str] = (),
) -> Table:
    """A table of plain cells, with a style for each row; no frames in a file.

    words: the other columns of text; they are left-aligned, and break if space is short.
    """
    frameless = console.options.ascii_only or not console.is_terminal
    table = Table(
        box=None if frameless else box.SIMPLE_HEAD,
        padding=(0, 1),
        pad_edge=False,
        show_edge=False,
        collapse_padding=not frameless,  # the frame has blanks between columns
    )
    for number, heading in enumerate(columns):
        text = number == 0 or heading in words
        table.add_column(
            heading,
            justify="left" if text else "right",
            overflow="fold",
            no_wrap=not text,
            min_width=None if number else LEAST_WIDTH,
        )
    for cells, style in zip(rows, styles, strict=False):
        table.add_row(*(plain(cell, console) for cell in cells), style=style)
    return table


def fitting(
    console: Console, columns: Sequence[str], rows: Sequence[Sequence[str]], spare: Sequence[str]
) -> tuple[list[str], list[list[str]]]:
    """The columns and rows of a table without the columns for which a terminal is too narrow.

    Cut numbers would mislead. spare: the columns that may be left out, the first ones first.
    """
    wide = [
        max(len(line) for cell in cells for line in cell.splitlines() or [""])
        for cells in zip(columns, *rows, strict=True)
    ]
    wide[0] = min(wide[0], LEAST_WIDTH)
    kept = list(range(len(columns)))
    for name in spare:
        if sum(wide[n] for n in kept) + _GAP * (len(kept) - 1) <= console.width:
            break
        kept.remove(columns.index(name))
    return [columns[n] for n in kept], [[row[n] for n in kept] for row in rows]


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], console: Console) -> None:
    """Print a table of plain cells, as narrow as possible, numbers right-aligned."""
    table = text_table(console, columns, rows)
    table.collapse_padding = True
    table.columns[0].min_width = None
    console.print(table)


def plain(text: str, console: Console, style: str = "") -> Text:
    """Text without markup, since names come from files; ASCII if the console has nothing else."""
    text = text.translate(_CONTROLS)
    return Text(text.translate(_ASCII) if console.options.ascii_only else text, style=style)
