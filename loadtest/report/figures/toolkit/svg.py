"""Figures as SVG that takes its text colour, fonts and shades from the page it stands in."""

from __future__ import annotations

import io
import re
import textwrap
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# The colour of text, axes and neutral areas; the page replaces it.
INK = "#010203"
# The background of faults.
FAULT = "#cc3311"
# Okabe and Ito's colours, distinct for colour-blind people ("Color Universal Design", 2008).
POOL_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a7a00")
_ON_DARK = ("#4aa8e0", "#f0803c", "#2fc79b", "#e09cc4", "#f0b440", "#8ccbf0", "#e8dc5a")

_NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
_TITLE_WIDTH = 40


def to_svg(figure: Figure, name: str) -> str:
    """A figure as an `<svg>` element for a page; its identifiers begin with the name."""
    import matplotlib

    text = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(text, format="svg", transparent=True, metadata=_NO_METADATA)
    return _themed(_plain(text.getvalue(), name))


def _plain(svg: str, name: str) -> str:
    """The SVG without prolog, style sheet, fonts and group names, which would affect the page."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", svg, flags=re.S)
    svg = re.sub(r"font-family: [^;\"]+;? ?", "", svg)
    svg = re.sub(r'<g id="[^"]*">', "<g>", svg)
    svg = re.sub(r'( id="| xlink:href="#|url\(#)', rf"\1{name}-", svg)
    svg = re.sub(r' transform="rotate\(-?0 [^"]*\)"', "", svg)
    svg = re.sub(r' width="[\d.]+pt" height="[\d.]+pt"', "", svg, count=1)
    return re.sub(r"\s*\n\s*", " ", svg)


def _themed(svg: str) -> str:
    """The SVG with the page's text colour, and pool colours that `--pool-1` and so on change."""
    svg = svg.replace(INK, "currentColor")
    for number, colour in enumerate(POOL_COLOURS, start=1):
        svg = svg.replace(colour, f"var(--pool-{number}, {colour})")
    return svg


def standalone(svg: str, title: str) -> str:
    """An SVG file with its title above, good on light and dark ground."""
    lines = textwrap.wrap(title, _TITLE_WIDTH)
    space = 14 * len(lines) + 8
    box = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)
    assert box, "matplotlib always writes a viewBox"
    width, height = float(box[1]), float(box[2])
    heading = "".join(
        f'<text x="8" y="{14 * n - space + 2}" font-size="10.5" font-weight="600" '
        f'fill="currentColor">{escape(line)}</text>'
        for n, line in enumerate(lines, start=1)
    )
    head = f'viewBox="0 {-space} {width} {height + space}" width="{width}pt"'
    svg = svg.replace(box[0], head, 1)
    svg = svg.replace(">", f"><style>{_standalone_style()}</style>{heading}", 1)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{svg}\n'


def _standalone_style() -> str:
    return (
        f"svg{{color:#33383d;font-family:{_FONT}}}*{{stroke-linejoin:round}}"
        f"@media (prefers-color-scheme:dark){{svg{{color:#c9ced3;{pool_variables(dark=True)}}}}}"
    )


def pool_variables(dark: bool) -> str:
    """The colours of the pools as CSS custom properties, `--pool-1` first."""
    colours = _ON_DARK if dark else POOL_COLOURS
    return "".join(f"--pool-{n}:{colour};" for n, colour in enumerate(colours, start=1))
