# SPDX-License-Identifier: BSD-2-Clause
"""Golden models of the link: the record stream."""
