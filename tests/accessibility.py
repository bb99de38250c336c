"""What keeps people from reading a page: by the checker axe-core, and by contrast."""

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

_FAINT = """() => {
    const part = v => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
    const light = c => .2126 * part(c[0]) + .7152 * part(c[1]) + .0722 * part(c[2]);
    const rgb = text => text.match(/[\\d.]+/g).map(Number);
    const ground = e => { for (; e; e = e.parentElement) {
        const c = rgb(getComputedStyle(e).backgroundColor);
        if (c.length < 4 || c[3] > 0) return c; } };
    const faint = [];
    for (const e of document.querySelectorAll('body *')) {
        if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
        const style = getComputedStyle(e);
        const ink = rgb(e.namespaceURI.endsWith('svg') ? style.fill : style.color);
        const pair = [light(ink), light(ground(e))];
        const contrast = (Math.max(...pair) + .05) / (Math.min(...pair) + .05);
        if (contrast < 4.5) faint.push([e.textContent.trim(), contrast]);
    }
    return faint; }"""


def barriers(page: Page, within: str | None = None, *, every: bool = False) -> list[str]:
    """The rules that a page breaks, each with the elements that do.

    within: the selector of the part that is checked; by default, the page. every: also those that
    it breaks neither seriously nor critically.
    """
    violations = Axe().run(page, within).response["violations"]
    return [
        f"{rule['id']}: {rule['help']}: {[node['target'] for node in rule['nodes']]}"
        for rule in violations
        if every or rule["impact"] in ("serious", "critical")
    ]


def faint(page: Page) -> list[Any]:
    """Texts whose contrast to their ground is below 4.5 (WCAG 2.2, 1.4.3), in figures too."""
    return list(page.evaluate(_FAINT))
