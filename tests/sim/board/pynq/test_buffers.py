# SPDX-License-Identifier: BSD-2-Clause
import itertools
import random

import pytest

from triplane.sim.board.pynq.buffers import MEMORY_BASE, MEMORY_BYTES, PAGE, AllocationError, Buffers


def test_no_two_overlap():
    """Buffers come and go at random; those that are there lie apart, in whole pages, within the memory."""
    rng = random.Random(8)
    buffers, names = Buffers(), []
    for _ in range(600):
        if names and rng.random() < 0.45:
            buffers.free(names.pop(rng.randrange(len(names))))
        else:
            names.append(buffers.allocate(rng.choice([1, PAGE - 1, PAGE, PAGE + 1, rng.randrange(1, 2**19)])))
        places = sorted((buffers.find(name).address, buffers.find(name).end) for name in names)
        assert all(start % PAGE == end % PAGE == 0 for start, end in places)
        assert all(end <= start for (_, end), (start, _) in itertools.pairwise(places))
        assert not places or (places[0][0] >= MEMORY_BASE and places[-1][1] <= MEMORY_BASE + MEMORY_BYTES)
    assert len(names) > 20


def test_all_of_it_can_be_had_and_no_more():
    buffers = Buffers()
    name = buffers.allocate(MEMORY_BYTES)
    with pytest.raises(AllocationError, match=r"no room for 1 bytes: .* 1 are in use"):
        buffers.allocate(1)
    buffers.free(name)
    assert buffers.find(buffers.allocate(1)).address == MEMORY_BASE
    for size in (0, -1):
        with pytest.raises(AllocationError, match=f"at least one byte, not {size}"):
            buffers.allocate(size)


def test_bytes_that_do_not_fit():
    buffers = Buffers()
    name = buffers.allocate(10)
    buffers.write(name, 4, b"abcdef")
    assert buffers.find(name).data == b"\0\0\0\0abcdef"
    with pytest.raises(AllocationError, match="holds 10 bytes, not 11"):
        buffers.write(name, 5, b"abcdef")
    assert len(buffers.find(name).data) == 10


def test_an_identifier_is_never_used_again():
    buffers = Buffers()
    first = buffers.allocate(1)
    buffers.free(first)
    assert buffers.allocate(1) != first
    for act in (buffers.find, buffers.free):
        with pytest.raises(AllocationError, match="was it freed"):
            act(first)
