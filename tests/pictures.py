"""Pictures of pages and terminals, as people see them, kept as artefacts of the tests."""

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Locator, Page
from rich.console import Console
from rich.terminal_theme import DEFAULT_TERMINAL_THEME, MONOKAI

Scheme = Literal["light", "dark"]
# A telephone, a small dark window, and a desk.
VIEWS: tuple[tuple[int, Scheme], ...] = ((390, "light"), (820, "dark"), (1440, "light"))
# CSS pixels: a letter of the terminal, and the margins of its page.
_LETTER, _MARGINS = 7.85, 16
_DRAWN = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
# Each text that is written on a canvas, and where it ends as a share of the canvas's width.
NOTE_WHAT_IS_WRITTEN = """
    window.written = [];
    const fill = CanvasRenderingContext2D.prototype.fillText;
    CanvasRenderingContext2D.prototype.fillText = function (text, x, ...more) {
        const right = { left: 1, start: 1, center: 0.5 }[this.textAlign] ?? 0;
        written.push([text, (x + right * this.measureText(text).width) / this.canvas.width]);
        return fill.call(this, text, x, ...more);
    };"""
_DARK = "matchMedia('(prefers-color-scheme: dark)').matches"


def keep_picture(page: Page, name: str, of: Locator | None = None) -> None:
    """Keep a picture of a whole page, or of a part, under its width and its colours.

    In the folder LOADTEST_SCREENSHOTS; without one, none is taken.
    """
    if not (folder := os.environ.get("LOADTEST_SCREENSHOTS")):
        return
    width = page.viewport_size["width"] if page.viewport_size else 0
    dark = "-dark" if page.evaluate(_DARK) else ""
    path = Path(folder) / f"{name}-{width}{dark}.png"
    if of is None:
        page.screenshot(path=path, full_page=True)
    else:
        of.screenshot(path=path)


def keep_views(page: Page, name: str, again: Callable[[], None] | None = None) -> None:
    """Keep pictures of an open page in all views; then it is as before.

    again: opens it again, if it looks at the colours only then.
    """
    before = page.viewport_size
    if not os.environ.get("LOADTEST_SCREENSHOTS") or not before:
        return
    for width, scheme in VIEWS:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        if again:
            again()
        page.evaluate(_DRAWN)
        keep_picture(page, name)
    page.set_viewport_size(before)
    page.emulate_media(color_scheme="light")


def keep_terminal_pictures(
    browser: Browser, show: Callable[[Console], None], name: str
) -> list[str]:
    """Keep pictures of terminals that are as wide as the views; returns their texts."""
    texts = []
    for width, scheme in VIEWS:
        columns = int((width - _MARGINS) / _LETTER)
        file = io.StringIO()
        console = Console(
            file=file, record=True, force_terminal=True, color_system="truecolor", width=columns
        )
        show(console)
        texts.append(console.export_text(clear=False))
        theme = MONOKAI if scheme == "dark" else DEFAULT_TERMINAL_THEME
        page = browser.new_page(viewport={"width": width, "height": 600}, color_scheme=scheme)
        page.set_content(console.export_html(theme=theme))
        # As in a terminal, longer lines go on in the next row.
        style = "pre { font-size: 13px; white-space: pre-wrap; overflow-wrap: anywhere; }"
        page.add_style_tag(content=style)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        keep_picture(page, f"terminal-{name}")
        page.close()
    return texts
