"""The additions to Locust's own page: figures for the tab *Connection pool*, and links."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from loadtest.load.web_ui_internals import add_statistics, change_page

# Locust's tabs are tables of text. So the links stand below the table, where React does not remove
# them, and are visible only with the table.
_LINKS = """
<style>
  #pool-links { display: none; gap: 0.5rem 1.5rem; flex-wrap: wrap; padding: 1.2rem 1rem;
    font: 1rem/1.5 Roboto, Helvetica, Arial, sans-serif; }
  body:has(th[data-sortkey="poolFigure"]) #pool-links { display: flex; }
  #pool-links a { color: inherit; }
</style>
<nav id="pool-links" aria-label="Connection pool">
  <a href="./pool" target="_blank">Live page with charts</a>
  <a href="./pool/report" target="_blank">Report of the last finished run</a>
</nav>
<script>
  (() => {
    const links = document.getElementById("pool-links");
    new MutationObserver(() => {
      const table = document.querySelector('th[data-sortkey="poolFigure"]')?.closest("table");
      const box = table?.parentElement;
      if (box && box.nextElementSibling !== links) box.after(links);
    }).observe(document.getElementById("root"), { childList: true, subtree: true });
  })();
</script>
</body>"""


def extend(web_ui: Any, statistics: Callable[[], Mapping[str, Any]]) -> None:
    """Add the links and the statistics to Locust's page."""
    add_statistics(web_ui, statistics)
    change_page(web_ui, lambda page: page.replace("</body>", _LINKS, 1))
