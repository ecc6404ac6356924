# SPDX-License-Identifier: BSD-2-Clause
"""Golden models of `gateware/link`."""
