# SPDX-License-Identifier: BSD-2-Clause
"""Small circuits whose mapping is known: counts and levels, from netlists as Yosys writes them."""

import pytest

from triplane.boards.synthesis.netlist import LogicPath, figures


def cell(kind, inputs, outputs):
    """A cell as in `write_json`: pins to nets, inputs and outputs apart."""
    return {
        "type": kind,
        "port_directions": dict.fromkeys(inputs, "input") | dict.fromkeys(outputs, "output"),
        "connections": inputs | outputs,
    }


def netlist(cells, names):
    return {
        "modules": {
            "top": {
                "ports": {"sys_clk": {"direction": "input", "bits": [2]}},
                "cells": cells,
                "netnames": {name: {"hide_name": 0, "bits": bits} for name, bits in names.items()},
            }
        }
    }


def register(d, q):
    return cell("FDRE", {"C": [2], "CE": ["1"], "D": [d], "R": ["0"]}, {"Q": [q]})


def lut(inputs, output):
    return cell(f"LUT{len(inputs)}", {f"I{k}": [net] for k, net in enumerate(inputs)}, {"O": [output]})


def test_the_longest_path_is_named():
    found = figures(
        netlist(
            {
                "r0": register("0", 3),
                "a": lut([3], 4),
                "b": lut([4, 3], 5),
                "c": cell("CARRY4", {"S": [5, "0", "0", "0"], "CI": ["0"]}, {"O": [6, 7, 8, 9], "CO": [10]}),
                "m": cell("MUXF7", {"I0": [6], "I1": [7], "S": [3]}, {"O": [11]}),
                "r1": register(11, 12),
                "r2": register(4, 13),
            },
            {"start": [3], "sum": [20, 12], "word7": [13]},
        )
    )
    assert (found.luts, found.registers, found.carries, found.brams, found.dsps) == (2, 3, 1, 0, 0)
    assert found.path == LogicPath(luts=2, carries=1, start="start", end="sum[1]")
    assert [(path.end, path.levels) for path in found.paths] == [("sum[1]", 3), ("word7", 1), ("start", 0)]


def test_enable_and_reset_are_ends():
    enabled = cell("FDRE", {"C": [2], "CE": [4], "D": ["1"], "R": [5]}, {"Q": [6]})
    found = figures(netlist({"a": lut([3], 4), "b": lut([4], 5), "r": enabled}, {"r": [6]}))
    assert found.path is not None
    assert found.path.luts == 2


def test_memories_and_multipliers_are_counted():
    cells = {"m": cell("RAMB18E2", {}, {}), "n": cell("RAMB36E2", {}, {}), "d": cell("DSP48E2", {}, {})}
    found = figures(netlist(cells, {}))
    assert (found.brams, found.dsps, found.path) == (1.5, 1, None)


def test_a_loop_is_an_error():
    with pytest.raises(ValueError, match=r"combinational loop through net [34], a LUT1"):
        figures(netlist({"a": lut([3], 4), "b": lut([4], 3)}, {}))


def test_a_module_that_is_not_there():
    with pytest.raises(ValueError, match="no module 'core'; it has top"):
        figures(netlist({}, {}), top="core")


def test_two_carries_of_a_chain_are_one_block():
    def carry(source, net, pin="CI"):
        pins = {pin: [source]}
        return cell("CARRY4", pins, {"CO": [net]})

    cells = {
        "r": register("0", 3),
        "a": carry(3, 4, "S"),
        "b": carry(4, 5),
        "c": carry(5, 6),
        "q": register(6, 7),
    }
    found = figures(netlist(cells, {"start": [3], "end": [7]}))
    assert found.path is not None
    assert (found.path.luts, found.path.carries) == (0, 2)
    assert found.carries == 2
    # Not of one chain: what leaves the first enters the second as a summand.
    cells["b"] = carry(4, 5, "S")
    found = figures(netlist(cells, {"start": [3], "end": [7]}))
    assert found.path is not None
    assert found.path.carries == 2
    cells["c"] = carry(5, 6, "DI")
    found = figures(netlist(cells, {"start": [3], "end": [7]}))
    assert found.path is not None
    assert found.path.carries == 3
