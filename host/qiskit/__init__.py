# SPDX-License-Identifier: BSD-2-Clause
"""Qiskit's side of Triplane: targets of devices, and boards as backends.

Needs the extra `qiskit`; the base package imports nothing from here.
"""

from triplane.host.compiler.circuits.target import device_target, transpiled
from triplane.host.qiskit.backend import TriplaneBackend
from triplane.host.qiskit.estimator import EstimatorOptions, EstimatorV2
from triplane.host.qiskit.job import TriplaneJob
from triplane.host.qiskit.sampler import SamplerOptions, SamplerV2

__all__ = [
    "EstimatorOptions",
    "EstimatorV2",
    "SamplerOptions",
    "SamplerV2",
    "TriplaneBackend",
    "TriplaneJob",
    "device_target",
    "transpiled",
]
