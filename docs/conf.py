"""How Sphinx builds the documentation; two reference pages are generated from the program."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from generated import commands, metrics

import loadtest

project = "loadtest"
author = "The loadtest authors"
copyright = f"2026, {author}"
release = version = loadtest.__version__

extensions = ["myst_parser", "sphinx_copybutton", "sphinx_llms_txt"]
myst_enable_extensions = ["colon_fence", "deflist"]
smartquotes = False  # "--pool" would get a dash
myst_heading_anchors = 3
myst_links_external_new_tab = False
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "loadtest"
copybutton_prompt_text = "$ "
llms_txt_full_file = False
llms_txt_summary = (
    "loadtest measures SQLAlchemy connection pools on MySQL and MariaDB under load and says which "
    "pool settings an application should use."
)


def setup(app: Any) -> None:
    """Write the generated pages before Sphinx looks for its sources."""
    reference = Path(__file__).parent / "reference"
    for name, page in {"commands.md": commands(), "metrics.md": metrics()}.items():
        path = reference / name
        if not path.exists() or path.read_text(encoding="utf-8") != page:
            path.write_text(page, encoding="utf-8")
