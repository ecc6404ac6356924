# SPDX-License-Identifier: BSD-2-Clause
"""Readout: the samples of a converter in, bits, leakage flags and soft values of all its tones out, 7 cycles later.

    layouts.py        number formats, window table, discriminator registers: declared once for gateware, model and host
    line.py           a line: all of the following
    windows.py        CAPTURE events become windows; what overlaps is refused
    phase.py          phases that are functions of absolute time
    integrator.py     phasor times weight ahead of time, then multiply and accumulate
    discriminator.py  two projections, three classes
    recorder.py       traces for setting up
    settings.py       the registers of a line
    writes.py         register writes that set a line up
    top.py            a line on a bus of its own

The latency is what a pipeline has after the last sample: nothing that is known before the sample may be in it. The
phasor and the weight are, so they are multiplied first and wait for the sample; the obvious order, mix then weigh,
costs a multiplication (and its rounding) more in the path. What is left is a multiplication and a sum per sample, and
a multiplication and a sum per window.

Between the sample and the projection nothing is rounded but once, and nothing is shifted by a programmed amount: the
accumulator has room for the worst window there can be, so it cannot wrap, and its upper 27 bits, the wide port of a
DSP, are the integral. A hundredth of full scale over 200 samples is still 32,000 units. The price is a 48-bit
accumulator per component, which a DSP has anyway.

The discriminator is the exact linear discriminant of three classes, not a rotation and a threshold: bit = d1 > 0,
leaked = d2 > max(0, d1). A rotation with a threshold is its special case (a1 = cos, b1 = sin, c1 = -threshold, c2 =
-1). Regions that no two lines bound, such as those of a quadratic
discriminant, are out of its reach.

Phase is absolute: that of a tone depends on its frequency, the epoch and the cycle counter, not on when the host
wrote the registers or how many shots have been. A tone generator that follows the same rule is seen under the same
angle in every shot, so a calibration stays right for the whole run.

What can go wrong. A window that overlaps one accepted before is refused, told by `collision` for a cycle, and
counted; the one before goes on undisturbed. A sample at an end of the converter's range may stand for anything beyond
it: it is integrated as it is, the result is marked `saturated`, and both are counted. The soft value is limited to 8
bits, which is its definition and is not counted. Weights and discriminators are not locked while a window runs: a
host that rewrites them then gets a result of both. A tone whose frequency was written less than
`CoherentPhase.SETTLING` cycles per tone ago is not `settled`, and its results mean nothing.
"""
