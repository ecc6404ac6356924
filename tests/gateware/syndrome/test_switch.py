# SPDX-License-Identifier: BSD-2-Clause
"""One of two ways into the decoder is open, the other one waits; nothing is lost or doubled."""

import pytest
from migen import passive, run_simulation

from triplane.gateware.syndrome.switch import RoundSwitch

REPLAYED, MEASURED = [1, 2, 3, 4], [11, 12, 13, 14]


def simulate(live, ready):
    """Words that come out while both sources offer theirs; `ready` is what the decoder says, cycle by cycle."""
    switch, out = RoundSwitch(), []

    @passive
    def offer(endpoint, words):
        for word in words:
            yield endpoint.data.eq(word)
            yield endpoint.valid.eq(1)
            yield
            while not (yield endpoint.ready):
                yield
        yield endpoint.valid.eq(0)

    def take():
        yield switch._control.storage.eq(live)
        yield
        for value in ready:
            yield switch.source.ready.eq(value)
            yield
            if (yield switch.source.valid) and (yield switch.source.ready):
                out.append((yield switch.source.data))

    run_simulation(switch, [offer(switch.replayed, REPLAYED), offer(switch.measured, MEASURED), take()])
    return out


@pytest.mark.parametrize("ready", [[0, *[1] * 10], [0, 1] * 10, [0, 0, 1] * 10])
@pytest.mark.parametrize(("live", "words"), [(0, REPLAYED), (1, MEASURED)])
def test_only_the_open_way_moves(live, words, ready):
    found = simulate(live, ready)
    assert found[: len(words)] == words
    assert set(found) <= set(words)
