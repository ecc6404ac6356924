# SPDX-License-Identifier: BSD-2-Clause
"""Golden models of `gateware/readout`, bit-exact, vectorised over shots.

    discriminator.py   integrals to bits, leakage flags and soft values
    integrator.py      samples to integrals and to decimated traces
    windows.py         which CAPTURE events become which windows, and which are refused
    line.py            all of these: what a line says about a stream of samples and events, to the cycle

Times are plain integers here and never wrap; what the gateware reports is their low half.
"""
