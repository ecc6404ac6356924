# SPDX-License-Identifier: BSD-2-Clause
"""Arithmetic on complex samples."""
