# SPDX-License-Identifier: BSD-2-Clause
"""What the firmware may do to a board, read out of the register maps of real ones."""

import copy

import pytest
import stim

from triplane.boards.sim.target import simulated_soc
from triplane.gateware.decoder.engine import DecodeEngine
from triplane.gateware.decoder.graph import compile_graph
from triplane.gateware.decoder.memory import TRUSTED
from triplane.gateware.decoder.window import whole_window
from triplane.gateware.fabric import ControlFabric
from triplane.gateware.processor.boardtable import GROUPS, TABLE_WORDS, TRUST_VALUE, BoardTable, group_offsets
from triplane.gateware.registers import register_map
from triplane.gateware.shape import FabricShape
from triplane.gateware.syndrome.shape import SyndromeShape


def board_map(with_fabric):
    circuit = stim.Circuit.generated(
        "repetition_code:memory", distance=3, rounds=3, before_round_data_depolarization=0.01
    )
    graph = compile_graph(circuit.detector_error_model(decompose_errors=True))
    syndrome = SyndromeShape(slots=8, events=2, kept=2, history=1, known=0, observables=1, kinds=4)
    fabric = ControlFabric(FabricShape(1, 1, syndrome)) if with_fabric else None
    soc = simulated_soc(DecodeEngine(whole_window(graph)), build_hash="0" * 64, fabric=fabric)
    soc.finalize()
    return register_map(soc)


@pytest.fixture(scope="module")
def plain():
    return board_map(with_fabric=False)


@pytest.fixture(scope="module")
def whole():
    return board_map(with_fabric=True)


def accesses(table, group):
    return [(entry.register, entry.mask, entry.value) for entry in table.groups[group] if entry.mask]


def test_a_board_with_a_sequencer(whole):
    table = BoardTable.for_map(whole)
    assert accesses(table, "start") == [("sequencer_control_control", 1, 1)]
    assert accesses(table, "abort") == [("sequencer_control_control", 8, 8), ("pacer_control", 2, 2)]
    assert [name for name, _, _ in accesses(table, "clear")] == [
        "sequencer_control_control", "faults_control", "sequencer_control_control", "formation_control",
    ]  # fmt: skip
    ((name, mask, value),) = accesses(table, "finished")
    assert name == "sequencer_control_status"
    assert (mask, value) == (0b101111, 0b101000), "halted and drained; not executing, paused or starting"
    assert table.tables == [
        "decoder_status",
        "sequencer_dispatcher_groups_status",
        "sequencer_dispatcher_arms_status",
        "sequencer_program_status",
        "formation_status",
    ]
    assert TRUST_VALUE == TRUSTED
    assert accesses(table, "trusted")[-1] == ("formation_status", 3 << 4, 3 << 4)


def test_a_board_that_decodes_from_the_bus_only(plain):
    table = BoardTable.for_map(plain)
    assert accesses(table, "start") == [("pacer_control", 1, 1)]
    assert accesses(table, "finished") == [("pacer_status", 1, 0)]
    assert accesses(table, "clear") == [("faults_control", 1, 1)]
    assert table.tables == ["decoder_status"]


def test_addresses_are_those_of_the_map(whole):
    table = BoardTable.for_map(whole)
    named = [entry for entries in table.groups.values() for entry in entries if entry.mask]
    assert len(named) > 15
    for entry in named:
        assert entry.address == whole["registers"][entry.register]["address"]
        assert entry.value & ~entry.mask == 0


def test_every_group_is_at_its_offset(whole):
    table = BoardTable.for_map(whole)
    words = table.words()
    assert len(words) == TABLE_WORDS
    for name, offset in group_offsets().items():
        for number in range(GROUPS[name][0]):
            entry = table.groups[name][number]
            place = offset // 4 + 3 * number
            assert words[place : place + 3] == [entry.address, entry.mask, entry.value]


def test_a_missing_register_is_named(plain):
    lacking = copy.deepcopy(plain)
    del lacking["registers"]["faults_control"]
    with pytest.raises(ValueError, match="the register map lacks faults_control; the firmware needs these"):
        BoardTable.for_map(lacking)


def test_a_missing_field_is_named(whole):
    lacking = copy.deepcopy(whole)
    fields = lacking["registers"]["sequencer_control_control"]["fields"]
    lacking["registers"]["sequencer_control_control"]["fields"] = [f for f in fields if f["name"] != "abort"]
    with pytest.raises(ValueError, match="sequencer_control_control has no field abort"):
        BoardTable.for_map(lacking)


def test_too_many_tables_are_named(whole):
    crowded = copy.deepcopy(whole)
    for number in range(5):
        status = copy.deepcopy(crowded["registers"]["sequencer_program_status"])
        crowded["registers"][f"extra{number}_status"] = status
    with pytest.raises(ValueError, match="holds 8 registers of the group trusted .* not .*extra4_status"):
        BoardTable.for_map(crowded)
