# SPDX-License-Identifier: BSD-2-Clause
"""Shape of a lookup table: which detectors make the address, and what an entry in memory holds.

An entry is the predicted observables, least significant, then the confidence; unused bits are 0. Entries are as wide
as the next power of two and lie in 32-bit words, least significant first, so that the entry of address a is the
`a % entries_per_word`-th of word `a // entries_per_word`.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from triplane.gateware.decoder.graph import MAX_OBSERVABLES, DecodingGraph

WORD_BITS = 32

UNCHECKED, CHECKING, MISMATCH, TRUSTED = range(4)
"""States of a table in memory: not checked since a word was written, being checked, wrong, right."""

LOOKUP_CYCLES = 3
"""Cycles from the last word of a shot to its observables: address, memory, entry."""

MAX_ADDRESS_BITS = 24
"""Detectors that an address can hold; 2**24 entries of one bit are 512 block RAMs of 36 kbit."""

MAX_CONFIDENCE_BITS = 8


def observed_detectors(graph: DecodingGraph) -> tuple[int, ...]:
    """Detectors of the components in which an edge crosses an observable, ascending: the others say less of it.

    In a CSS memory experiment these are the detectors of one basis.
    """
    crossed = {detector for e in graph.edges if e.observables for detector in (e.u, e.v)}
    return tuple(sorted(d for component in graph.components if crossed & set(component) for d in component))


@dataclass(frozen=True)
class TableShape:
    """What is built: the contents of the table are loaded.

    Attributes:
        detectors: bit k of the address is the detection event of `detectors[k]`.
        num_observables: predicted observables in an entry, 1 to 32.
        confidence_bits: width of the confidence beside them, 0 to 8.

    Raises:
        ValueError: a number is out of range, or a detector is named twice.
    """

    detectors: tuple[int, ...]
    num_observables: int
    confidence_bits: int = 3

    def __post_init__(self) -> None:
        if not self.detectors:
            raise ValueError(
                "a table needs detectors in its address; does any edge of the model cross an observable?"
            )
        if len(self.detectors) > MAX_ADDRESS_BITS:
            raise ValueError(
                f"a table has 1 to {MAX_ADDRESS_BITS} detectors in its address, not {len(self.detectors)}; "
                "leave out those that say least, or decode with the union-find array"
            )
        if len(set(self.detectors)) != len(self.detectors):
            raise ValueError(f"the address names a detector twice: {self.detectors}")
        if not 1 <= self.num_observables <= MAX_OBSERVABLES:
            raise ValueError(
                f"a table predicts 1 to {MAX_OBSERVABLES} observables, not {self.num_observables}"
            )
        if not 0 <= self.confidence_bits <= MAX_CONFIDENCE_BITS:
            raise ValueError(
                f"confidence_bits must be 0 to {MAX_CONFIDENCE_BITS}, not {self.confidence_bits}"
            )
        if self.num_observables + self.confidence_bits > WORD_BITS:
            raise ValueError(
                f"{self.num_observables} observables and {self.confidence_bits} bits of confidence do not fit a "
                f"word of {WORD_BITS} bits; take a narrower confidence"
            )

    @property
    def entries(self) -> int:
        """Number of entries, a power of two."""
        return 1 << len(self.detectors)

    @property
    def entry_bits(self) -> int:
        """Width of an entry in memory: 1, 2, 4, 8, 16 or 32."""
        return 1 << (self.num_observables + self.confidence_bits - 1).bit_length()

    @property
    def entries_per_word(self) -> int:
        """Entries in a 32-bit word of memory."""
        return WORD_BITS // self.entry_bits

    @property
    def words(self) -> int:
        """Depth of the memory in 32-bit words, 2 or more: it has an address."""
        return max(-(-self.entries // self.entries_per_word), 2)

    @property
    def block_rams(self) -> int:
        """Block RAMs of 36 kbit that the memory takes, 32 of their 36 columns used."""
        return -(-self.words // 1024)

    def pack(
        self, observables: npt.NDArray[np.uint32], confidence: npt.NDArray[np.uint8]
    ) -> npt.NDArray[np.uint32]:
        """Words of memory, uint32 (words,), from the entries' fields, both (entries,).

        Raises:
            ValueError: there is another number of entries, or a field does not fit.
        """
        for name, values, bits in (
            ("observables", observables, self.num_observables),
            ("confidence", confidence, self.confidence_bits),
        ):
            if values.shape != (self.entries,):
                raise ValueError(f"{name} have shape {values.shape}, the table has {self.entries} entries")
            if int(values.max()) >> bits:
                raise ValueError(f"{name} of {int(values.max())} do not fit {bits} bits")
        fields = observables.astype(np.uint64) | confidence.astype(np.uint64) << np.uint64(
            self.num_observables
        )
        padded = np.zeros(self.words * self.entries_per_word, dtype=np.uint64)
        padded[: self.entries] = fields
        shifts = np.arange(self.entries_per_word, dtype=np.uint64) * np.uint64(self.entry_bits)
        words = np.bitwise_or.reduce(padded.reshape(self.words, -1) << shifts, axis=1)
        return words.astype(np.uint32)

    def addresses(self, events: npt.ArrayLike) -> npt.NDArray[np.uint32]:
        """Addresses of shots: uint32 (shots,), from bool (shots, num_detectors), column k = detector k."""
        bits = np.asarray(events, dtype=bool)
        address = np.zeros(len(bits), dtype=np.uint32)
        for k, detector in enumerate(self.detectors):
            address |= bits[:, detector].astype(np.uint32) << np.uint32(k)
        return address


def table_crc(words: npt.NDArray[np.uint32] | Sequence[int]) -> int:
    """CRC-32 (IEEE 802.3, as `zlib.crc32`) of a table's words, each with its least significant byte first."""
    return zlib.crc32(np.asarray(words, dtype="<u4").tobytes())
