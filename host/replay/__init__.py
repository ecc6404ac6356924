# SPDX-License-Identifier: BSD-2-Clause
"""Replay of recorded or sampled detection events through a board.

A replay is one way through the machine with nothing skipped: a data set is read (`datasets`), its error model
becomes a decoding graph and gateware, the board's tables are loaded, every shot streams in as its detector
would send it, and the records that come back are checked one by one (`session`). The result stands beside
what other decoders make of the same shots (`references`), with the latency of every stage (`ledger`), and is
shown and written (`report`).

Nothing here is imported eagerly: the command line prints its first line before NumPy and Stim are loaded.
"""
