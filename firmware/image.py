# SPDX-License-Identifier: BSD-2-Clause
"""An image: its header and CRC, and the text in which it is committed."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from triplane.gateware.processor.layouts import SLOT_BYTES, WORD_BYTES

MAGIC = 0x5450_4657
"""Second word of an image: "TPFW"."""

HEADER_WORDS = 4
"""Jump to the beginning, magic, version, bytes of the image with its CRC."""

IMAGE = Path(__file__).with_name("image.hex")
"""The committed image."""


class ImageError(ValueError):
    """Bytes that are not an image; the text says why."""


@dataclass(frozen=True)
class Image:
    """Bytes that were found to be an image."""

    content: bytes

    def __post_init__(self) -> None:
        size = len(self.content)
        if size % WORD_BYTES or not WORD_BYTES * (HEADER_WORDS + 1) <= size <= SLOT_BYTES:
            raise ImageError(
                f"an image is of {HEADER_WORDS + 1} to {SLOT_BYTES // WORD_BYTES} words, not of {size} bytes"
            )
        if self.word(1) != MAGIC:
            raise ImageError(f"an image has {MAGIC:#010x} as its second word, not {self.word(1):#010x}")
        if self.word(3) != size:
            raise ImageError(f"the header says {self.word(3)} bytes, and there are {size}")
        if self.crc != zlib.crc32(self.content[:-WORD_BYTES]):
            raise ImageError(
                f"the CRC at the end is {self.crc:#010x}, and that of the content "
                f"{zlib.crc32(self.content[:-WORD_BYTES]):#010x}; fetch the image again"
            )

    @classmethod
    def sealed(cls, linked: bytes) -> Image:
        """An image from what the linker made: its CRC is added."""
        return cls(linked + zlib.crc32(linked).to_bytes(WORD_BYTES, "little"))

    @classmethod
    def from_text(cls, text: str) -> Image:
        """From the text of `text`. Raises ImageError where the text was altered."""
        lines = text.splitlines()
        promised = [line.split()[-1] for line in lines if line.startswith("# sha256")]
        try:
            words = [int(line, 16) for line in lines if line and not line.startswith("#")]
            image = cls(b"".join(word.to_bytes(WORD_BYTES, "little") for word in words))
        except (ValueError, OverflowError) as error:
            raise ImageError(f"the text of the image is damaged: {error}; check it out again") from error
        if promised != [image.sha256]:
            raise ImageError(
                f"the image has the SHA-256 {image.sha256}, and its text promises {', '.join(promised) or 'none'}"
            )
        return image

    def word(self, number: int) -> int:
        """Word `number`."""
        return int.from_bytes(self.content[WORD_BYTES * number : WORD_BYTES * (number + 1)], "little")

    @property
    def crc(self) -> int:
        """CRC-32 of all but the last word, which holds it."""
        return self.word(len(self.content) // WORD_BYTES - 1)

    @property
    def version(self) -> str:
        """As "major.minor.patch"."""
        version = self.word(2)
        return f"{version >> 16 & 0xFF}.{version >> 8 & 0xFF}.{version & 0xFF}"

    @property
    def sha256(self) -> str:
        """In hexadecimal."""
        return sha256(self.content).hexdigest()

    def text(self) -> str:
        """A word a line in hexadecimal, the lowest address first, with the SHA-256 above."""
        head = [
            "# SPDX-License-Identifier: BSD-2-Clause",
            f"# Triplane firmware {self.version}, {len(self.content)} bytes; by python -m triplane.firmware.build",
            f"# sha256 {self.sha256}",
        ]
        words = [f"{self.word(number):08x}" for number in range(len(self.content) // WORD_BYTES)]
        return "\n".join([*head, *words]) + "\n"

    def slot(self) -> tuple[list[int], int]:
        """All words of a slot that holds the image, and their CRC-32: what a field update writes."""
        content = self.content.ljust(SLOT_BYTES, b"\0")
        words = [
            int.from_bytes(content[k : k + WORD_BYTES], "little") for k in range(0, SLOT_BYTES, WORD_BYTES)
        ]
        return words, zlib.crc32(content)


def committed() -> Image:
    """The image of this version of Triplane, as it is committed: no compiler is needed."""
    return Image.from_text(IMAGE.read_text())
