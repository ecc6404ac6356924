# SPDX-License-Identifier: BSD-2-Clause
"""Which branch an instruction is executed because of."""

from triplane.gateware.sequencer.assembler import assemble
from triplane.host.reasons import reasons

BLOCKS = """
.slot qubit, 3
.group drive, 0
    on.zero qubit, no, 500
    play drive, 1
    jump end
no:
    play drive, 2
    bge r4, 7, end
    play drive, 3
end:
    play drive, 4
    on.one 5, end, 500
    play drive, 5
    halt 0
"""


def texts(source, **more):
    program = assemble(source)
    found = reasons(program, **more)
    return {
        address: found[address].text if address in found else None for address in range(len(program.words))
    }


def test_both_ways_of_a_branch_and_a_branch_in_one_of_them():
    assert texts(BLOCKS) == {
        0: None,
        1: "qubit = 1",
        2: "qubit = 1",
        3: "qubit = 0",
        4: "qubit = 0",
        5: "r4 < 7",
        6: None,
        # Back to `end`: a loop, and nothing is said of what follows.
        7: None,
        8: None,
        9: None,
    }


def test_the_branch_and_its_slot_are_named():
    found = reasons(assemble(BLOCKS))
    assert (found[1].branch, found[1].slot) == (0, 3)
    assert (found[5].branch, found[5].slot) == (4, None)


def test_others_may_name_slots_and_conditions():
    said = texts(BLOCKS, slots={3: "q0"}, conditions={4: ("done", "not done")})
    assert (said[1], said[5]) == ("q0 = 1", "not done")


def test_cases_one_after_the_other():
    source = """
.group drive, 0
    beq r1, 1, first
    beq r1, 2, second
    jump end
first:
    play drive, 1
    jump end
second:
    play drive, 2
    jump end
end:
    halt 0
"""
    said = texts(source)
    assert (said[3], said[5]) == ("r1 = 1", "r1 = 2")


def test_behind_a_way_that_ends():
    source = """
    on.leaked 0, bad, 100
    halt 0
bad:
    on.atleast 1, 20, fine, 100
    halt 1
fine:
    frame.one 2, fine, 100
    halt 2
"""
    said = texts(source)
    assert said[1] == "slot 0 not leaked"
    assert said[2] == "slot 0 leaked"
    assert said[3] == "slot 1 soft < 20"
    assert said[4] == "slot 1 soft >= 20"
