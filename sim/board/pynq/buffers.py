# SPDX-License-Identifier: BSD-2-Clause
"""Memory of the simulated board's Linux that a client may have: contiguous, of whole pages, with physical addresses."""

from __future__ import annotations

from dataclasses import dataclass, field

PAGE = 4_096

MEMORY_BASE, MEMORY_BYTES = 0x6000_0000, 128 * 2**20
"""Where the memory lies that buffers are taken from, as on a board whose Linux keeps 128 MiB for them."""


class AllocationError(Exception):
    """No such buffer, or no room for one."""


@dataclass
class Buffer:
    """Memory of one client.

    Attributes:
        address: physical, of the first byte.
        data: what it holds.
    """

    address: int
    data: bytearray = field(repr=False)

    @property
    def end(self) -> int:
        """First byte of the page behind it."""
        return self.address + -(-len(self.data) // PAGE) * PAGE


class Buffers:
    """All buffers that are in use, by identifiers that are never used again."""

    def __init__(self) -> None:
        self._buffers: dict[str, Buffer] = {}
        self._made = 0

    def allocate(self, size: int) -> str:
        """Identifier of a new buffer of so many bytes, all 0.

        Raises:
            AllocationError: it is too large, or there is no room that is contiguous.
        """
        if size < 1:
            raise AllocationError(f"a buffer has at least one byte, not {size}")
        pages = -(-size // PAGE) * PAGE
        start = MEMORY_BASE
        for buffer in sorted(self._buffers.values(), key=lambda buffer: buffer.address):
            if buffer.address - start >= pages:
                break
            start = buffer.end
        if start + pages > MEMORY_BASE + MEMORY_BYTES:
            raise AllocationError(
                f"no room for {size} bytes: the board keeps {MEMORY_BYTES} for buffers, of which {len(self._buffers)} "
                "are in use; free some"
            )
        self._made += 1
        name = f"buffer-{self._made}"
        self._buffers[name] = Buffer(start, bytearray(size))
        return name

    def find(self, name: str) -> Buffer:
        """A buffer by its identifier; raises AllocationError where there is none."""
        found = self._buffers.get(name)
        if found is None:
            raise AllocationError(f"there is no buffer {name!r}; was it freed?")
        return found

    def write(self, name: str, start: int, data: bytes) -> None:
        """Copy bytes into a buffer; raises AllocationError where they do not fit."""
        buffer = self.find(name)
        if start + len(data) > len(buffer.data):
            raise AllocationError(f"{name} holds {len(buffer.data)} bytes, not {start + len(data)}")
        buffer.data[start : start + len(data)] = data

    def clear(self) -> None:
        """Take all buffers back."""
        self._buffers.clear()

    def free(self, name: str) -> None:
        """Give a buffer back; raises AllocationError where there is none."""
        self.find(name)
        del self._buffers[name]
