# SPDX-License-Identifier: BSD-2-Clause
"""Sphinx settings. `make docs` builds the site; every warning is an error."""

from importlib.metadata import version as installed

from triplane.gateware.decoder.layouts import RESULT

project = "Triplane"
author = "Triplane maintainers"
copyright = "Triplane maintainers, BSD-2-Clause"  # noqa: A001 (Sphinx reads this name)
version = release = installed("triplane")

extensions = ["myst_parser"]
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath", "substitution"]
myst_heading_anchors = 3
# The layout is printed from its declaration, the one that the gateware and the host are made from.
myst_substitutions = {"result_record": RESULT.table(), "result_words": RESULT.words}

nitpicky = True
html_theme = "furo"
html_title = f"Triplane {version}"
html_theme_options = {"source_view_link": ""}
