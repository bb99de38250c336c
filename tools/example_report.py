"""Renders reports/example again from its stored runs, and takes the pictures of it for the README.

usage: .venv/bin/python tools/example_report.py [SEARCH]

Nothing is measured: it changes summary.json, report.html, figures/, report.png, and the figure of
`loadtest whatif` in tour/. SEARCH is the result of a `loadtest tune`, whose figure becomes
tour/tune.png. `loadtest demo` makes new runs: copy their folder to reports/example first.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = "reports/example"
WHATIF = ("--pool-size", "5..60", "--max-overflow", "0,10")
# CSS pixels: the part of the report in the README, and the width of a telephone for one figure.
TOP, PHONE = {"width": 1120, "height": 1720}, {"width": 430, "height": 900}


def main(example: Path, search: Path | None) -> None:
    """Renew the report and the pictures; search: the result of a search, if it has a new one."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if not chromium:
        sys.exit("chromium is missing; make setup installs it")
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        renew(browser, example, search)
        browser.close()


def renew(browser: Browser, example: Path, search: Path | None) -> None:
    """The same with an open browser."""
    run("report", EXAMPLE, "--quiet", "-o", example)
    tour = example / "tour"
    tour.mkdir(exist_ok=True)
    picture(browser, example / "report.html", example / "report.png")
    with tempfile.TemporaryDirectory() as folder:
        run("whatif", EXAMPLE, *WHATIF, "-o", folder)
        figure(browser, Path(folder) / "whatif.html", "#whatif", tour / "whatif.png")
    if search:
        figure(browser, search / "report.html", "#search", tour / "tune.png")


def run(*arguments: str | Path) -> None:
    """Run a loadtest command in this checkout; its exit code is that of the result's verdict."""
    command = [sys.executable, "-m", "loadtest", *map(str, arguments)]
    subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)


def picture(browser: Browser, page: Path, to: Path) -> None:
    """The top of a page."""
    shown = browser.new_page(viewport=TOP, color_scheme="light")
    shown.goto(page.resolve().as_uri())
    shown.screenshot(path=to)
    shown.close()


def figure(browser: Browser, page: Path, place: str, to: Path) -> None:
    """One figure of a page, twice as sharp, without what is folded."""
    shown = browser.new_page(viewport=PHONE, device_scale_factor=2, color_scheme="light")
    shown.goto(page.resolve().as_uri())
    shown.locator(place).screenshot(path=to)
    shown.close()


if __name__ == "__main__":
    if len(sys.argv) > 2:
        sys.exit(__doc__)
    main(ROOT / EXAMPLE, Path(sys.argv[1]) if len(sys.argv) > 1 else None)
