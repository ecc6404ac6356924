# SPDX-License-Identifier: BSD-2-Clause
"""Every way to the board, there and back; and its record stream beside the records that the host fetches."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from triplane.gateware.decoder.layouts import RESULT
from triplane.gateware.link.records.layouts import Kind
from triplane.hal.board import Board
from triplane.hal.drivers.remote.board import RemoteBoard
from triplane.hal.errors import BoardError, ProgramError
from triplane.hal.packets import Packet
from triplane.hal.stream import Delivered, StreamReceiver
from triplane.host.doctor.finding import Finding, Status, failed, ok, skipped, warning
from triplane.host.doctor.memories import SCRATCH, any_program
from triplane.host.doctor.patient import Patient

ECHOES = 64
"""Words there and back, one at a time."""

BURST_WORDS = 256
BURSTS = 8

SHOTS = 200
"""In the test of the record stream."""

ROUND_CYCLES = 246
"""From one round to the next: 1 us at 245.76 MHz."""

MOST_LAYERS = 64

ANSWER_S = 0.3
"""For an answer before it counts as lost: a simulated board on a busy machine may be slow."""

LOST_SHARE = 0.02
"""Of requests that may be lost before it is worth a word."""


def transports(patient: Patient) -> Finding:
    """Words go there and come back over every way to the board."""
    findings = {patient.url: _echo(patient.board, patient.rng)}
    for way in patient.ways:
        mark = int(patient.rng.integers(2**32))
        patient.board.write(patient.board.registers[SCRATCH].address, mark)
        try:
            with way.connect() as board:
                findings[way.url] = (
                    _echo(board, patient.rng)
                    if board.read(board.registers[SCRATCH].address) == mark
                    else failed("leads to another board of the same build", "check which board is at its end")
                )
        except BoardError as error:
            findings[way.url] = failed(f"{error}", "check cable, address and port of this way")
    measured = {
        f"{url} {name}": value for url, found in findings.items() for name, value in found.measured.items()
    }
    bad = {url: found for url, found in findings.items() if found.status is not Status.OK}
    if not bad:
        return ok(
            "; ".join(f"{url}: {found.text}" for url, found in findings.items()),
            **measured,
        )
    worst = failed if any(found.status is Status.FAILED for found in bad.values()) else warning
    return worst(
        "; ".join(f"{url}: {found.text}" for url, found in bad.items()),
        "; ".join(dict.fromkeys(found.fix for found in bad.values())),
        **measured,
    )


def _echo(board: Board, rng: np.random.Generator) -> Finding:
    """Random words into a register and back, alone and in bursts."""
    client = board.client if isinstance(board, RemoteBoard) else None
    if client is None:
        return _words(board, rng)
    wait, client.first_wait_s = client.first_wait_s, ANSWER_S
    before = (client.traffic.requests, client.traffic.sent)
    try:
        found = _words(board, rng)
    finally:
        client.first_wait_s = wait
    requests, sent = client.traffic.requests - before[0], client.traffic.sent - before[1]
    measured = found.measured | {"requests": requests, "lost": sent - requests}
    if found.status is Status.OK and sent - requests > max(2, LOST_SHARE * requests):
        return warning(
            f"{sent - requests} of {sent} requests or their answers were lost; no word was, since they are sent again",
            "look for a bad cable, a full switch, or a host that is too busy",
            **measured,
        )
    return replace(found, measured=measured)


def _words(board: Board, rng: np.random.Generator) -> Finding:
    """Random words into a register and back, alone and in bursts."""
    address = board.registers[SCRATCH].address
    took: list[float] = []
    for word in rng.integers(2**32, size=ECHOES, dtype=np.uint64).tolist():
        began = time.monotonic()
        board.write(address, word)
        found = board.read(address)
        took.append(time.monotonic() - began)
        if found != word:
            return failed(f"{word:#010x} came back as {found:#010x}", "check the cable and what is between")
    for _ in range(BURSTS):
        words = rng.integers(2**32, size=BURST_WORDS, dtype=np.uint64).astype(np.uint32)
        board.burst_write(address, words, increment=False)
        found_words = board.burst_read(address, BURST_WORDS, increment=False)
        if not (found_words == words[-1]).all():
            return failed("the last word of a burst did not arrive", "check the cable and what is between")
    text = (
        f"{ECHOES + BURSTS * BURST_WORDS} words there and back, {1e3 * float(np.median(took)):.2g} ms for one"
    )
    shown = {"median_ms": 1e3 * float(np.median(took)), "longest_ms": 1e3 * max(took)}
    return ok(text, **shown)


def record_stream(patient: Patient) -> Finding:
    """The record stream brings the records that the board's own FIFO holds, each once."""
    if not patient.has("stream_session"):
        return skipped("this board has no record stream")
    if patient.stream is None:
        return skipped("no way of the board's datagrams to this host", "name the board by udp://HOST")
    board = patient.board
    board.load(any_program(patient))
    rounds = _random_rounds(patient)
    with StreamReceiver(board, patient.stream()) as receiver:
        delivered: list[Delivered] = []
        parts = []
        for part in board.run(rounds, round_period_cycles=ROUND_CYCLES):
            parts.append(np.asarray(part))
            delivered += receiver.take()
        delivered += receiver.finish()
        lost = sum(receiver.lost_on_board().values())
        counts = dict(receiver.counts)
    fetched, streamed = np.concatenate(parts), _results(delivered)
    shown = {
        "records": len(fetched), "streamed": len(streamed), "lost_on_board": lost,
        "fetched_again": counts.get("fetched", 0), "packets": counts.get("delivered", 0),
        # One that comes after its packet was fetched has come all the same: the board or this host is slow.
        "datagrams": counts.get("delivered", 0) - counts.get("fetched", 0) + counts.get("repeated", 0),
    }  # fmt: skip
    fix = (
        "look at the switch between board and host, at the host's receive buffer (net.core.rmem_max), and at what else "
        "runs there"
    )
    if lost:
        return failed(
            f"the board has lost {lost} records, since packets were not acknowledged in time", fix, **shown
        )
    if not np.array_equal(streamed, fetched):
        return failed(
            f"the stream has brought {len(streamed)} results, and not the {len(fetched)} that the board has made",
            "report this: each record of the stream must be that of the FIFO",
            **shown,
        )
    again = shown["fetched_again"]
    if shown["datagrams"] < shown["packets"] // 2:
        return warning(
            f"all {len(fetched)} records have come, but {again} of {shown['packets']} packets only by asking again: "
            "datagrams of the stream do not reach this host",
            f"open UDP from the board in this host's firewall; {fix}",
            **shown,
        )
    return ok(
        f"{len(fetched)} records in {shown['packets']} packets, none lost, {again} packets fetched again",
        **shown,
    )


def _random_rounds(patient: Patient) -> npt.NDArray[np.uint32]:
    """Shots of random detection events: uint32 (shots, layers, words per round)."""
    target = patient.target
    for layers in range(1, MOST_LAYERS + 1):
        try:
            target.records_per_shot(layers)
        except ProgramError:
            continue
        break
    else:
        raise ProgramError(f"no shot of 1 to {MOST_LAYERS} layers can be decoded by this board")
    rounds = np.zeros((SHOTS, layers, target.words_per_round), np.uint32)
    for layer in range(layers):
        for slot in sorted(target.slots(layer)):
            # A tenth: random events, but not so many that decoding takes its longest.
            events = (patient.rng.random(SHOTS) < 0.1).astype(np.uint32)
            rounds[:, layer, slot // 32] |= events << np.uint32(slot % 32)
    return rounds


def _results(delivered: list[Delivered]) -> npt.NDArray[np.void]:
    """Result records of packets: structured (records,) of `RESULT.dtype`."""
    packets = (packet for packet in delivered if isinstance(packet, Packet))
    words = [record.words[: RESULT.words] for packet in packets for record in packet.of(Kind.RESULT)]
    return RESULT.parse(np.array(words, np.uint32).reshape(-1, RESULT.words))
