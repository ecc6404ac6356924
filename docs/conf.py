# SPDX-License-Identifier: BSD-2-Clause
"""Sphinx settings. `make docs` builds the site; every warning is an error."""

from importlib.metadata import version as installed
from pathlib import Path

from jupyter_cache import get_cache

DOCS = Path(__file__).parent

project = "Triplane"
author = "Triplane maintainers"
copyright = "Triplane maintainers, BSD-2-Clause"  # noqa: A001 (Sphinx reads this name)
version = release = installed("triplane")

extensions = ["myst_nb"]
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

# Notebooks are executed by tests/test_notebooks.py, never by a build of the site: those that it has executed as they
# stand are shown with what they gave, the others without.
nb_execution_mode = "cache"
nb_execution_cache_path = str(DOCS / "_build" / ".jupyter_cache")
nb_merge_streams = True


def _not_executed() -> list[str]:
    cache = get_cache(nb_execution_cache_path)
    found = []
    for notebook in sorted(DOCS.glob("notebooks/*.ipynb")):
        try:
            cache.match_cache_file(str(notebook))
        except KeyError:
            found.append(notebook.name)
    return found


nb_execution_excludepatterns = _not_executed()

nitpicky = True
html_theme = "furo"
html_title = f"Triplane {version}"
html_theme_options = {"source_view_link": ""}
