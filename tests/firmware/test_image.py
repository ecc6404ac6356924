# SPDX-License-Identifier: BSD-2-Clause
"""Images: what is one, what is not, and the text in which one is committed."""

import zlib

import pytest

from triplane.firmware.image import IMAGE, MAGIC, Image, ImageError, committed
from triplane.firmware.registers import VERSION, firmware_header
from triplane.gateware.processor.layouts import SLOT_BYTES


def linked(size, words=4):
    return b"".join(word.to_bytes(4, "little") for word in (0x6F, MAGIC, 0x010203, size)) + bytes(4 * words)


def test_the_committed_image():
    image = committed()
    assert image.version == VERSION
    assert image.crc == zlib.crc32(image.content[:-4])
    assert image.text() == IMAGE.read_text()
    assert Image.from_text(image.text()) == image


def test_sealing():
    image = Image.sealed(linked(36))
    assert (len(image.content), image.version) == (36, "1.2.3")
    assert image.crc == zlib.crc32(linked(36))


def test_a_slot_is_padded_and_its_crc_covers_all():
    words, crc = Image.sealed(linked(36)).slot()
    assert len(words) == SLOT_BYTES // 4
    assert words[1] == MAGIC
    assert crc == zlib.crc32(b"".join(word.to_bytes(4, "little") for word in words))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (bytes(16), "an image is of 5 to 8192 words, not of 16 bytes"),
        (bytes(21), "not of 21 bytes"),
        (bytes(SLOT_BYTES + 4), "not of 32772 bytes"),
        (bytes(20), "0x54504657 as its second word, not 0x00000000"),
        (linked(40) + bytes(4), "the header says 40 bytes, and there are 36"),
        (linked(36) + bytes(4), "the CRC at the end is 0x00000000"),
    ],
)
def test_what_is_no_image(content, message):
    with pytest.raises(ImageError, match=message):
        Image(content)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("0000006f", "0000006e", "damaged: the CRC at the end"),
        ("0000006f\n", "", "damaged: an image has 0x54504657 as its second word"),
        ("0000006f", "it", "damaged: invalid literal"),
        ("0000006f", "123456789", "damaged"),
        ("# sha256", "# sha", "promises none"),
    ],
)
def test_a_text_that_was_altered(old, new, message):
    text = Image.sealed(linked(36)).text()
    assert old in text
    with pytest.raises(ImageError, match=message):
        Image.from_text(text.replace(old, new, 1))


def test_a_version_must_fit():
    with pytest.raises(ValueError, match="major.minor.patch, each 0 to 255, not '1.2'"):
        firmware_header("1.2")
    assert "#define FIRMWARE_VERSION REGISTER_WORD(0x10203)" in firmware_header("1.2.3")
