# SPDX-License-Identifier: BSD-2-Clause
"""Drivers: one per way of reaching a board. `bus` holds what all of them share."""
