# SPDX-License-Identifier: BSD-2-Clause
"""Sphinx settings. `make docs` builds the site; every warning is an error."""

from importlib.metadata import version as installed

project = "Triplane"
author = "Triplane maintainers"
copyright = "Triplane maintainers, BSD-2-Clause"  # noqa: A001 (Sphinx reads this name)
version = release = installed("triplane")

extensions = ["myst_parser"]
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

nitpicky = True
html_theme = "furo"
html_title = f"Triplane {version}"
html_theme_options = {"source_view_link": ""}
