"""Suggestions for names that are not known."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

# Words less similar than this (0 to 1, difflib's ratio) are not the same word misspelt.
SIMILAR = 0.6


def did_you_mean(name: str, known: Iterable[str], similar: float = SIMILAR) -> str:
    """The end of a sentence with the known names that are most like a name; empty without any.

    Names that end with it after a `_` come first: `recycle` means pool_recycle.
    similar: the least similarity, from 0 to 1. Capitals make no difference.
    """
    import difflib  # only a mistake needs it

    by_lower = {one.lower(): one for one in known}
    ends = [one for one in by_lower if one.endswith(f"_{name.lower()}")]
    near = ends[:3] or difflib.get_close_matches(name.lower(), by_lower, n=3, cutoff=similar)
    return f"; did you mean {', '.join(by_lower[one] for one in near)}?" if near else ""


def did_you_mean_file(path: Path) -> str:
    """The same for a file that is not there, with the files of its kind in its folder."""
    try:
        there = [one.name for one in path.parent.iterdir() if one.suffix == (path.suffix or ".py")]
    except (OSError, ValueError):  # there is no such folder, or no folder can have such a name
        return ""
    return did_you_mean(path.name, there)
