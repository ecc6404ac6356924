# SPDX-License-Identifier: BSD-2-Clause
"""Golden models, one for each gateware core and at the same place: `sim/models/a/b.py` for `gateware/a/b.py`."""
