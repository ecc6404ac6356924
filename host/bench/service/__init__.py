# SPDX-License-Identifier: BSD-2-Clause
"""Rows of `bench jobs`: processes that are killed, and what becomes of the jobs."""
