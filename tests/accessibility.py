"""What the accessibility checker axe-core finds on a page."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page


def barriers(page: Page) -> list[str]:
    """The rules that a page breaks seriously or critically, each with the elements that do."""
    violations = Axe().run(page).response["violations"]
    return [
        f"{rule['id']}: {rule['help']}: {[node['target'] for node in rule['nodes']]}"
        for rule in violations
        if rule["impact"] in ("serious", "critical")
    ]
