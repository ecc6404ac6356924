# SPDX-License-Identifier: BSD-2-Clause
"""Golden models of the Pauli frame."""
