"""The additions to Locust's own page: figures for the tab *Connection pool*, and links."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from loadtest.load.web_ui_internals import add_statistics, change_page

# Locust's tabs are tables of text, and before the first run there is only the start form. So the
# links stand below the table or above the form, where React does not remove them.
_LINKS = """
<style>
  #pool-links { display: flex; gap: 0.5rem 1.5rem; flex-wrap: wrap; padding: 1.2rem 1rem;
    font: 1rem/1.5 Roboto, Helvetica, Arial, sans-serif; }
  #pool-links[hidden], #pool-links [hidden] { display: none; }
  #pool-links a { color: inherit; }
</style>
<nav id="pool-links" aria-label="Connection pool" hidden>
  <a href="./pool" target="_blank">Live page with charts</a>
  <a href="./pool/report" target="_blank">Report of the last finished run</a>
</nav>
<script>
  (() => {
    const links = document.getElementById("pool-links"), page = document.getElementById("root");
    const [, report] = links.children;
    new MutationObserver(() => {
      const cell = page.querySelector('th[data-sortkey="poolFigure"]');
      const table = cell?.closest("table").parentElement, form = page.querySelector("form");
      links.hidden = !table && !form;
      report.hidden = !table;
      if (table && table.nextElementSibling !== links) table.after(links);
      if (!table && form && form.previousElementSibling !== links) form.before(links);
    }).observe(page, { childList: true, subtree: true });
  })();
</script>
</body>"""


def extend(web_ui: Any, statistics: Callable[[], Mapping[str, Any]]) -> None:
    """Add the links and the statistics to Locust's page."""
    add_statistics(web_ui, statistics)
    change_page(web_ui, lambda page: page.replace("</body>", _LINKS, 1))
