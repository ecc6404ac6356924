# SPDX-License-Identifier: BSD-2-Clause
"""The layouts of the record stream, and the page that documents them."""

from pathlib import Path

import pytest

from triplane.gateware.faults import CONDITIONS
from triplane.gateware.link.records.layouts import (
    FAULT,
    HEADER,
    KINDS,
    LENGTH_WORD,
    PREFIX,
    STREAM_PORT,
    Kind,
    record_of,
)

PAGE = Path(__file__).resolve().parents[4] / "docs" / "record-stream.md"


def test_the_page_is_what_the_layouts_say():
    text = PAGE.read_text()
    for layout in (HEADER, PREFIX, FAULT):
        assert layout.table() in text, layout.name
    for kind, meaning in KINDS.items():
        assert f"| {int(kind)} | {meaning} |" in text
    assert f"from UDP port {STREAM_PORT}." in text


def test_fields_do_not_straddle_words():
    for layout in (HEADER, PREFIX, FAULT):
        position = 0
        for field in layout.fields:
            assert position // 32 == (position + field.bits - 1) // 32, field.name
            position += field.bits
        assert position == 32 * layout.words
        assert layout.dtype.itemsize == 4 * layout.words


def test_the_length_is_where_the_sender_looks():
    offset = HEADER.dtype.fields["words"][1]
    assert offset == 4 * LENGTH_WORD + 2


def test_every_condition_has_a_bit():
    assert len(CONDITIONS) <= 32


def test_rounds_need_a_shape():
    assert set(KINDS) == set(Kind)
    with pytest.raises(ValueError, match="give the shape of its syndrome formation"):
        record_of(Kind.ROUND)
