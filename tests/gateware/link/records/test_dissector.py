# SPDX-License-Identifier: BSD-2-Clause
"""The dissector in a Lua interpreter, against a stand-in of the part of Wireshark's API that it uses."""

import struct
from pathlib import Path

import numpy as np
import pytest
from lupa import LuaRuntime

from triplane.gateware.decoder.layouts import RESULT
from triplane.gateware.link.etherbone import EXCHANGE_PORT, HEADER, PROBE, PROBE_OFFSET
from triplane.gateware.link.records import dissector
from triplane.gateware.link.records.layouts import FAULT, STREAM_PORT, Kind, Reason
from triplane.hal.drivers.remote.packets import Request
from triplane.hal.packets import Packet, StreamRecord, encode

FILE = Path(dissector.__file__).with_name("triplane.lua")

WIRESHARK = """
local function item(log, path)
    local self = {}
    local function note(field, range, text)
        local name = text or (field and field.name) or "tree"
        local place = path .. "/" .. name
        log(place, field and field.kind, range)
        return item(log, place)
    end
    function self:add(field, range, text) return note(field, range, text) end
    function self:add_le(field, range) return note(field, range) end
    function self:add_proto_expert_info(expert) log(path .. "!" .. expert.name, "expert", nil) end
    return self
end

function tvb(bytes)
    local self = {}
    local function number(first, last, step)
        local value = 0
        for k = first, last, step do value = value * 256 + bytes:byte(k) end
        return value
    end
    function self:len() return #bytes end
    function self:le_uint() return number(#bytes, 1, -1) end
    function self:uint() return number(1, #bytes, 1) end
    return setmetatable(self, {__call = function(_, offset, length)
        offset, length = offset or 0, length or #bytes - (offset or 0)
        assert(offset >= 0 and length > 0 and offset + length <= #bytes, "out of bounds")
        return tvb(bytes:sub(offset + 1, offset + length))
    end})
end

protocols, ports, heuristics = {}, {}, {}

function Proto(name, description)
    local self = {name = name, kind = "protocol"}
    function self:register_heuristic(list, call) heuristics[list] = call end
    protocols[name] = self
    return self
end

local function fields(kind)
    return function(id, name, base, values, mask, meaning)
        assert(type(id) == "string" and type(name) == "string")
        assert(values == nil or type(values) == "table")
        return {name = name, kind = kind, id = id}
    end
end
ProtoField = {uint8 = fields("u1"), uint16 = fields("u2"), uint32 = fields("u4"), bytes = fields("bytes")}
ProtoExpert = {new = function(id, text, group, severity) return {name = text} end}
base = {DEC = 1, HEX = 2, DEC_HEX = 3}
expert = {group = {MALFORMED = 1, SEQUENCE = 2}, severity = {ERROR = 1, WARN = 2}}
DissectorTable = {get = function(table_name)
    return {add = function(_, port, protocol) ports[port] = protocol end}
end}

function dissect(port, bytes, source, log)
    local shown = {}
    local function column(name)
        return {set = function(_, text) shown[name] = text end}
    end
    local pinfo = {cols = {protocol = column("protocol"), info = column("info")}, src_port = source}
    local used = ports[port].dissector(tvb(bytes), pinfo, item(log, ""))
    return used, shown.info
end
"""


@pytest.fixture(scope="module")
def wireshark():
    lua = LuaRuntime(encoding=None, unpack_returned_tuples=True)
    lua.execute(WIRESHARK.encode())
    lua.execute(FILE.read_bytes())
    return lua


def shown(lua, port, data, source=0):
    """Bytes that were dissected, the line of the list, and the tree: path -> number, or bytes."""
    tree = {}

    def log(path, kind, part):
        value = None
        if part is not None and kind in (b"u1", b"u2", b"u4"):
            value = (part[b"le_uint"] if port == STREAM_PORT else part[b"uint"])(part)
        tree.setdefault(path.decode(), []).append(value)

    used, info = lua.globals()[b"dissect"](port, data, source, log)
    return used, info.decode() if info else None, tree


PACKET = Packet(
    0xABCDEF01,
    7,
    2**33 + 5,
    Reason.TIMEOUT,
    0xC0FFEE,
    (
        StreamRecord(Kind.RESULT, 3, np.arange(100, 112, dtype=np.uint32)),
        StreamRecord(Kind.FAULT, 0, np.array([4, 5, 6], np.uint32)),
        StreamRecord(200, 0, np.array([9, 9], np.uint32)),
    ),
)


def test_the_file_is_what_the_layouts_say(tmp_path, capsys):
    assert dissector.main([str(FILE), "--check"]) == 0
    old = tmp_path / "old.lua"
    old.write_text(FILE.read_text().replace("grow_steps", "steps"))
    assert dissector.main([str(old), "--check"]) == 1
    assert "out of date" in capsys.readouterr().err
    assert dissector.main([str(old)]) == 0
    assert old.read_text() == FILE.read_text()


def test_every_field_of_a_packet_is_shown(wireshark):
    data = encode(PACKET)
    used, info, tree = shown(wireshark, STREAM_PORT, data)
    assert (used, info) == (len(data), "session abcdef01, packet 7, 3 records")
    header = {path.split("/")[-1]: value[0] for path, value in tree.items() if "/Header/" in path}
    assert header["session"] == 0xABCDEF01
    assert (header["cycle_lo"], header["cycle_hi"], header["reason"]) == (5, 2, 1)
    fields = {path: value for path, value in tree.items() if "/Record 0: result/" in path}
    words = RESULT.parse(np.arange(100, 112, dtype=np.uint32)[None])[0]
    for name in RESULT.dtype.names:
        (found,) = [value for path, value in fields.items() if path.endswith(f"/{name}")]
        assert found == [int(words[name])], name
    assert any(path.endswith("/further words") for path in fields)
    assert sum("Records were lost" in path for path in tree) == 1
    faults = [value for path, value in tree.items() if "/Record 1: fault/" in path]
    assert faults[-FAULT.words :] == [[4], [5], [6]]
    assert any("/Record 2: kind 200" in path for path in tree)
    assert not any("Not a whole" in path for path in tree)


def test_what_is_no_packet_is_left_to_others(wireshark):
    assert shown(wireshark, STREAM_PORT, b"x" * 80)[0] == 0
    assert shown(wireshark, STREAM_PORT, b"TPRS")[0] == 0


def test_a_packet_that_is_cut_or_damaged_is_marked(wireshark):
    data = encode(PACKET)
    for end in range(32, len(data)):
        _, _, tree = shown(wireshark, STREAM_PORT, data[:end])
        assert any("Not a whole packet" in path for path in tree)
    for word in (6, 8, 21):
        damaged = np.frombuffer(data, "<u4").copy()
        damaged[word] ^= 0xFF00 if word > 7 else 1
        _, _, tree = shown(wireshark, STREAM_PORT, damaged.tobytes())
        assert any("Not a whole packet" in path for path in tree), word


def test_requests_and_replies(wireshark):
    request = Request([1, 2], 0x800, True, [0x64, 0x68]).packed(0x00050009)
    used, info, tree = shown(wireshark, EXCHANGE_PORT, request)
    assert (used, info) == (len(request), "request, 2 to write to a FIFO, 2 to read")
    named = {path.split("/")[-1]: value for path, value in tree.items()}
    assert named["session of the key"] == [5]
    assert named["sequence number of the key"] == [9]
    assert named["address"] == [0x800, 0x64, 0x68]
    assert named["word"] == [1, 2]
    reply = struct.pack(">5I", HEADER, 1, 0x0F0100, 0x00050009, 0xCAFE)
    _, info, tree = shown(wireshark, EXCHANGE_PORT, reply, EXCHANGE_PORT)
    assert info == "reply, 1 words"
    assert {path.split("/")[-1]: value for path, value in tree.items()}["word"] == [0xCAFE]
    probe = struct.pack(">2I", HEADER | PROBE << PROBE_OFFSET, 0)
    assert shown(wireshark, EXCHANGE_PORT, probe)[1] == "probe"
    for end in range(8, len(request)):
        _, _, tree = shown(wireshark, EXCHANGE_PORT, request[:end])
        assert any("Not a whole request" in path for path in tree)
