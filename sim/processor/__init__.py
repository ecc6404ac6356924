# SPDX-License-Identifier: BSD-2-Clause
"""The processor with its firmware in this process, before a model of a board's register bus.

The board is memory with reactions: what a write to one register does to another. It can be slow or silent. The
processor is the Verilog that boards have.
"""

from triplane.sim.processor.bench import SimulatedProcessor, build_processor

__all__ = ["SimulatedProcessor", "build_processor"]
