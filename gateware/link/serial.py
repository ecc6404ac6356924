# SPDX-License-Identifier: BSD-2-Clause
"""Datagrams over a stream of bytes: SLIP frames, for a UART."""

from __future__ import annotations

from litex.gen import LiteXModule
from litex.soc.interconnect import stream
from litex.soc.interconnect.csr import CSRStatus
from migen import FSM, Case, Cat, If, Mux, NextState, NextValue, Signal

from triplane.gateware.link.exchange import DATAGRAM

END, ESC, ESC_END, ESC_ESC = 0xC0, 0xDB, 0xDC, 0xDD
"""Of SLIP (RFC 1055): frame end, escape, and what follows an escape for either."""


class SerialLink(LiteXModule):
    r"""Between bytes of a UART and the datagrams of an `Exchange`.

    A frame is a datagram of whole words between two `END`. What is shorter than a word is noise, so that any number of
    `END` may stand between frames; one that is cut within a word goes on with `error`. Whether its content is what
    was sent, the checksum of the datagram says.

    Attributes:
        rx, tx: bytes from and to the UART; `rx.ready` is low while the exchange is busy.
        source: to the exchange.
        sink: from it.
    """

    def __init__(self) -> None:
        self.rx = stream.Endpoint([("data", 8)])
        self.tx = stream.Endpoint([("data", 8)])
        self.source = stream.Endpoint(DATAGRAM)
        self.sink = stream.Endpoint(DATAGRAM)
        self.cut = CSRStatus(32, description="Frames that end within a word, modulo 2**32. They are refused.")

        # # #

        self._add_receiver()
        self._add_sender()

    def _add_receiver(self) -> None:
        rx, source = self.rx, self.source
        escaped, data = Signal(), Signal(8)
        # A word waits for the next one, or for the end that makes it the last.
        word, whole, words, lane = Signal(32), Signal(32), Signal(14), Signal(2)
        offers = Signal()
        self.comb += [
            data.eq(rx.data),
            If(escaped, data.eq(Mux(rx.data == ESC_END, END, ESC))),
            source.valid.eq(offers & (words != 0)),
            source.first.eq(words == 1),
            source.data.eq(whole),
            source.length.eq(4 * words),
            source.peer.eq(0),  # a serial line has one
        ]
        self.fsm = fsm = FSM(reset_state="RECEIVE")
        fsm.act(
            "RECEIVE",
            rx.ready.eq(1),
            If(rx.valid,
                If(rx.data == END,
                    NextState("FINISH"),
                ).Elif((rx.data == ESC) & ~escaped,
                    NextValue(escaped, 1),
                ).Else(
                    NextValue(escaped, 0),
                    NextValue(word, Cat(data, word[:24])),
                    NextValue(lane, lane + 1),
                    If(lane == 3, NextState("SHIFT")),
                ),
            ),
        )  # fmt: skip
        fsm.act(
            "SHIFT",
            offers.eq(1),
            If(source.ready | ~source.valid,
                NextValue(whole, word),
                If(~words[-1], NextValue(words, words + 1)),
                NextState("RECEIVE"),
            ),
        )  # fmt: skip
        fsm.act(
            "FINISH",
            offers.eq(1),
            source.last.eq(1),
            source.error.eq(lane != 0),
            If(source.ready | ~source.valid,
                If(source.valid & source.error, NextValue(self.cut.status, self.cut.status + 1)),
                NextValue(words, 0),
                NextValue(lane, 0),
                NextValue(escaped, 0),
                NextState("RECEIVE"),
            ),
        )  # fmt: skip

    def _add_sender(self) -> None:
        sink = self.sink
        plain = stream.Endpoint([("data", 8), ("mark", 1)])
        self._add_escapes(plain)
        lane = Signal(2)
        self.sender = fsm = FSM(reset_state="BEGIN")
        mark = [plain.mark.eq(1), plain.data.eq(END)]
        fsm.act("BEGIN", *mark, plain.valid.eq(sink.valid), If(sink.valid & plain.ready, NextState("SEND")))
        fsm.act(
            "SEND",
            plain.valid.eq(sink.valid),
            Case(lane, {k: plain.data.eq(sink.data[24 - 8 * k : 32 - 8 * k]) for k in range(4)}),
            sink.ready.eq(plain.ready & (lane == 3)),
            If(sink.valid & plain.ready,
                NextValue(lane, lane + 1),
                If(sink.last & (lane == 3), NextState("FINISH")),
            ),
        )  # fmt: skip
        fsm.act("FINISH", *mark, plain.valid.eq(1), If(plain.ready, NextState("BEGIN")))

    def _add_escapes(self, plain: stream.Endpoint) -> None:
        """From bytes and marks to `tx`."""
        tx, special = self.tx, Signal()
        self.comb += special.eq(~plain.mark & ((plain.data == END) | (plain.data == ESC)))
        self.escapes = fsm = FSM(reset_state="PASS")
        fsm.act(
            "PASS",
            tx.valid.eq(plain.valid),
            tx.data.eq(Mux(special, ESC, plain.data)),
            plain.ready.eq(tx.ready & ~special),
            If(tx.valid & tx.ready & special, NextState("ESCAPE")),
        )
        fsm.act(
            "ESCAPE",
            tx.valid.eq(1),
            tx.data.eq(Mux(plain.data == END, ESC_END, ESC_ESC)),
            plain.ready.eq(tx.ready),
            If(tx.ready, NextState("PASS")),
        )
