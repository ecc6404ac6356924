# SPDX-License-Identifier: BSD-2-Clause
"""Arithmetic on complex samples: what readout lines and pulse generators are made of.

    tables.py     numbers of the oscillator: its table, and how many bits go where
    nco.py        phase word to cosine and sine
    multiply.py   complex products with rounding and saturation
    slots.py      phases that run on whether or not somebody listens
    envelope.py   pulse table and envelope memory: from an entry to scaled samples
    layouts.py    entries of pulse tables and records of what was played, declared once
    loader.py     the way from the bus into memories wider than the bus
    tally.py      a counter of what should not happen

Phases are 32-bit words that wrap, 2**32 to the turn, so no phase is ever rounded, and a frequency holds for as long as
the board is on. The oscillator turns their upper 24 bits into 16-bit samples: a table of 512 points a quarter turn, and
a straight line from the nearest. The obvious alternative, a table that is large enough by itself, needs 2**15 points a
turn for the same 80 dB, four block RAMs instead of one for two samples a clock, and ends there: its spurs come from the
phase that it cuts off, while here the 16 bits of the output are the limit and 90 dB are certain. CORDIC would need no
memory, but sixteen cycles, and cycles are what a conditional pulse has least of.

Every product is registered before and after, as a DSP48E2 has it, and one 27-bit factor keeps bits below the LSB so
that a sample is rounded once, at the end, and not at every step. What does not fit is saturated, flagged and counted:
an envelope that is too loud is a flat top, and never a sample of the other sign.

What can go wrong: a factor that no DSP takes is refused when the gateware is described. An entry of a table that is
only half written is not used: it is stored when its last word comes. An entry or an envelope that is rewritten while
it plays is the host's mistake: the pulse keeps its entry, and plays the new samples.
"""
