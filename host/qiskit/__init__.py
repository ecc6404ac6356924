# SPDX-License-Identifier: BSD-2-Clause
"""Qiskit's side of Triplane: targets of devices.

Needs the extra `qiskit`; the base package imports nothing from here.
"""

from triplane.host.qiskit.target import device_target, transpiled

__all__ = ["device_target", "transpiled"]
