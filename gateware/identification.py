# SPDX-License-Identifier: BSD-2-Clause
"""What this gateware is, and which tables are in it."""

from litex.gen import LiteXModule
from litex.soc.interconnect.csr import CSRField, CSRStatus, CSRStorage
from migen import If, Signal

NAME_BYTES = 16
HASH_BITS = 256
SCRATCH_RESET = 0x12345678


def _hash_value(name: str, digest: str) -> int:
    try:
        value = int(digest, 16)
    except ValueError:
        value = -1
    if len(digest) != HASH_BITS // 4 or value < 0:
        raise ValueError(f"{name} must be a SHA-256 in {HASH_BITS // 4} hexadecimal digits, not {digest!r}")
    return value


class Identification(LiteXModule):
    """Constants of the build, and the hash of the tables that the host has loaded.

    Hashes are read as 8 words, least significant first: word 0 is the last 8 hexadecimal digits.

    Parameters
    ----------
    name: at most 16 ASCII characters.
    version: "major.minor.patch", each 0 to 255.
    build_hash: SHA-256 (hex) that identifies the hardware.
    clock_hz: system clock.
    num_layers, words_per_round, result_words, correction_words: shape of a shot, from the decoder.
    event_depth, result_depth: FIFO depths in words.

    Attributes
    ----------
    tables_changed: input; high for one cycle when any table entry is written. Clears `table_hash`, so a hash never
        stands for tables other than those it was written for.
    """

    def __init__(
        self,
        name: str,
        version: str,
        build_hash: str,
        clock_hz: int,
        *,
        num_layers: int,
        words_per_round: int,
        result_words: int,
        correction_words: int,
        event_depth: int,
        result_depth: int,
    ) -> None:
        if not name.isascii() or not 0 < len(name) <= NAME_BYTES:
            raise ValueError(f"name must be 1 to {NAME_BYTES} ASCII characters, not {name!r}")
        parts = version.split(".")
        if len(parts) != 3 or not all(part.isdecimal() and int(part) < 256 for part in parts):
            raise ValueError(f"version must be major.minor.patch, each 0 to 255, not {version!r}")
        self.tables_changed = Signal()

        text = int.from_bytes(name.encode().ljust(NAME_BYTES, b"\0"), "little")
        self.name = CSRStatus(
            8 * NAME_BYTES,
            reset=text,
            description="Name of the gateware, ASCII, first character in the lowest byte of word 0.",
        )
        self.version = CSRStatus(
            fields=[
                CSRField("patch", size=8, reset=int(parts[2]), description="Patch version."),
                CSRField("minor", size=8, reset=int(parts[1]), description="Minor version."),
                CSRField("major", size=8, reset=int(parts[0]), description="Major version."),
            ],
            description="Version of the gateware.",
        )
        self.build_hash = CSRStatus(
            HASH_BITS,
            reset=_hash_value("build_hash", build_hash),
            description="SHA-256 of the Verilog, as it is without this constant.",
        )
        self.table_hash = CSRStorage(
            HASH_BITS,
            write_from_dev=True,
            description="SHA-256 of the loaded tables. The host writes it last; a write to any table sets it to 0.",
        )
        self.clock_hz = CSRStatus(32, reset=clock_hz, description="System clock in Hz.")
        self.shot = CSRStatus(
            fields=[
                CSRField(
                    "num_layers",
                    size=16,
                    reset=num_layers,
                    description="Rounds of detection events per shot.",
                ),
                CSRField("words_per_round", size=16, reset=words_per_round, description="Words per round."),
            ],
            description="Shape of a shot.",
        )
        self.record = CSRStatus(
            fields=[
                CSRField(
                    "result_words",
                    size=16,
                    reset=result_words,
                    description="Words of a result record without correction.",
                ),
                CSRField(
                    "correction_words",
                    size=16,
                    reset=correction_words,
                    description="Words of correction that may follow; 0 where not built in.",
                ),
            ],
            description="Shape of a result record.",
        )
        self.depths = CSRStatus(
            fields=[
                CSRField(
                    "events", size=16, reset=event_depth, description="Depth of the event FIFO in words."
                ),
                CSRField(
                    "results", size=16, reset=result_depth, description="Depth of the result FIFO in words."
                ),
            ],
            description="Depths of the FIFOs.",
        )
        self.scratch = CSRStorage(
            32, reset=SCRATCH_RESET, description="Free for bus tests; nothing reads it."
        )

        # # #

        # A field of a status register is driven, not reset: give the constants as logic too.
        for status in (self.version, self.shot, self.record, self.depths):
            self.comb += [field.eq(field.reset_value) for field in status.fields.fields]
        self.comb += [
            If(self.tables_changed, self.table_hash.we.eq(1)),
            self.table_hash.dat_w.eq(0),
        ]
