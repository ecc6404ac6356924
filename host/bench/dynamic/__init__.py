# SPDX-License-Identifier: BSD-2-Clause
"""Parts of `bench circuits`; a room of their own, since they need the extra `qiskit`, and the list of them does not."""
