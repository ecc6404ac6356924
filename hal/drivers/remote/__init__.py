# SPDX-License-Identifier: BSD-2-Clause
"""Boards behind a cable: the same registers, by requests in datagrams over UDP or a serial line.

A link (`links`) carries datagrams and promises nothing; a client (`client`) makes of it reads and writes that happen
exactly once, or an error; a board (`board`) is what `RegisterBoard` makes of these. Nothing here returns a number that
the board has not said: LiteX's own client answers a time-out with zeros.
"""
