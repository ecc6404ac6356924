# SPDX-License-Identifier: BSD-2-Clause
"""A readout line alone, under Verilator, for tests and benchmarks that push millions of samples through it.

    line.py, .cpp     a simulated line: clock, bus, samples and events behind a C interface
    discriminator.py, .cpp
                      a simulated discriminator alone: an integral a cycle
    build.py          Verilog and a harness to a library in the cache

A process can hold any number of lines. The cycle counter is a pin, so that a run can start at any time, a few cycles
before the counter's low half wraps as well.
"""

from triplane.sim.readout.discriminator import SimulatedDiscriminator
from triplane.sim.readout.line import SimulatedLine, build_line

__all__ = ["SimulatedDiscriminator", "SimulatedLine", "build_line"]
