# SPDX-License-Identifier: BSD-2-Clause
"""The machine without a board: golden models, the Verilated board, and what tests of cores share."""
