# SPDX-License-Identifier: BSD-2-Clause
"""The record of a round: what its page says is what is declared, and NumPy reads it back."""

from pathlib import Path

import numpy as np

from triplane.gateware.syndrome.layouts import LAST_ROUND, LEAKED, round_record
from triplane.gateware.syndrome.shape import SyndromeShape

PAGE = Path(__file__).resolve().parents[3] / "docs" / "syndrome.md"


def test_the_page_shows_the_record():
    assert round_record(SyndromeShape(slots=17, events=8, kept=8, known=9)).table() in PAGE.read_text()


def test_records_of_wide_rounds():
    record = round_record(SyndromeShape(slots=49, events=24, kept=24))
    names = record.dtype.names
    assert names is not None
    assert names[8:] == ("measured_0", "measured_1", "leaked_0", "leaked_1", "events_0")
    words = np.arange(record.words, dtype=np.uint32)[None, :]
    words[0, 5] = 2 | (LAST_ROUND | LEAKED) << 16
    (read,) = record.parse(words)
    assert (read["kind"], read["flags"], read["measured_1"]) == (2, 3, 8)
