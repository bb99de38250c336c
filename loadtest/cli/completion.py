"""What the shell offers at Tab: scenarios, pools and results."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

POOLS = ("5+10", "20+0", "3000+inf", "as-is", "pool_size=")
_NEWEST = Path("reports/latest")


def complete_scenario(begun: str) -> list[str]:
    """The scenarios and experiments whose path begins like this, and folders on the way."""
    return [*_paths(begun, ".py", ".toml")]


def complete_pool(begun: str) -> list[str]:
    """The forms of a pool that begin like this."""
    return [one for one in POOLS if one.startswith(begun)]


def complete_result(begun: str) -> list[str]:
    """The results whose path begins like this; if nothing is begun, those in reports/."""
    reports = _NEWEST.parent
    if begun or not reports.is_dir():
        return [*_paths(begun, ".jsonl", ".gz")]
    newest = [str(_NEWEST)] if _NEWEST.exists() else []
    found = sorted(one for one in reports.iterdir() if one.is_dir() and not one.is_symlink())
    return newest + [str(one) for one in found]


def _paths(begun: str, *suffixes: str) -> Iterator[str]:
    """The folders and the files with these suffixes whose path begins like this."""
    head, slash, start = begun.rpartition("/")
    folder = Path(head or slash or ".")
    for one in sorted(folder.iterdir()) if folder.is_dir() else []:
        hidden = one.name.startswith((".", "__"))
        if one.name.startswith(start) and not hidden:
            if one.is_dir():
                yield f"{head}{slash}{one.name}/"
            elif one.suffix in suffixes:
                yield f"{head}{slash}{one.name}"
