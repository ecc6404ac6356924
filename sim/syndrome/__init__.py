# SPDX-License-Identifier: BSD-2-Clause
"""Syndrome formation under Verilator."""
