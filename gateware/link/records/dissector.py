# SPDX-License-Identifier: BSD-2-Clause
"""The record stream's layouts in Lua, for Wireshark.

python -m triplane.gateware.link.records.dissector gateware/link/records/triplane.lua            # write
python -m triplane.gateware.link.records.dissector gateware/link/records/triplane.lua --check    # exit 1 if out of date
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from triplane.gateware.decoder.layouts import Record
from triplane.gateware.link.etherbone import (
    BODY_WORD,
    EXCHANGE_PORT,
    FLAG_WRITE_FIFO,
    PROBE,
    PROBE_REPLY,
    SEQUENCE_BITS,
)
from triplane.gateware.link.etherbone import MAGIC as ETHERBONE_MAGIC
from triplane.gateware.link.records.layouts import (
    HEADER,
    KINDS,
    MAGIC,
    PREFIX,
    REASONS,
    STREAM_PORT,
    VERSION,
    Kind,
    record_of,
)
from triplane.gateware.syndrome.layouts import round_record
from triplane.gateware.syndrome.shape import SyndromeShape

PROTOCOL, REQUESTS = "triplane", "triplane_requests"

TEMPLATE = """\
-- SPDX-License-Identifier: BSD-2-Clause
-- The record stream and the requests of a Triplane board, for Wireshark: put this file into its folder of personal
-- Lua plugins (Help, About, Folders). Generated from the gateware's layouts by `make regenerate`; do not edit.

local MAGIC, VERSION, HEADER_BYTES = @MAGIC@, @VERSION@, @HEADER_BYTES@
local KINDS = {@KINDS@}
local REASONS = {@REASONS@}

local stream = Proto("@PROTOCOL@", "Triplane record stream")
local fields, layouts = {}, {}

-- A field of a layout: its offset and its length in bytes, least significant byte first.
local function declare(layout, name, offset, length, meaning, values)
    local kinds = {[1] = ProtoField.uint8, [2] = ProtoField.uint16, [4] = ProtoField.uint32}
    local id = "@PROTOCOL@." .. layout .. "." .. name
    local field = kinds[length](id, name, values and base.DEC or base.DEC_HEX, values, nil, meaning)
    layouts[layout] = layouts[layout] or {}
    table.insert(layouts[layout], {field = field, offset = offset, length = length})
    table.insert(fields, field)
end

@DECLARATIONS@

local rest = ProtoField.bytes("@PROTOCOL@.rest", "further words")
table.insert(fields, rest)
stream.fields = fields

local groups, severity = expert.group, expert.severity
local damaged = ProtoExpert.new("@PROTOCOL@.damaged", "Not a whole packet", groups.MALFORMED, severity.ERROR)
local lost = ProtoExpert.new("@PROTOCOL@.lost", "Records were lost before", groups.SEQUENCE, severity.WARN)
stream.experts = {damaged, lost}

-- Adds the fields of a layout that are there; returns the bytes that they take.
local function add(tree, layout, range)
    local used = 0
    for _, entry in ipairs(layouts[layout] or {}) do
        if entry.offset + entry.length <= range:len() then
            tree:add_le(entry.field, range(entry.offset, entry.length))
            used = entry.offset + entry.length
        end
    end
    return used
end

function stream.dissector(buffer, pinfo, tree)
    if buffer:len() < HEADER_BYTES or buffer(0, 4):le_uint() ~= MAGIC then
        return 0
    end
    pinfo.cols.protocol:set("TRIPLANE")
    local top = tree:add(stream, buffer())
    add(top:add(stream, buffer(0, HEADER_BYTES), "Header"), "packet", buffer(0, HEADER_BYTES))
    local version, words = buffer(4, 2):le_uint(), buffer(6, 2):le_uint()
    local session, sequence, records = buffer(8, 4):le_uint(), buffer(12, 4):le_uint(), buffer(24, 2):le_uint()
    pinfo.cols.info:set(string.format("session %08x, packet %d, %d records", session, sequence, records))
    if version ~= VERSION or buffer:len() ~= HEADER_BYTES + 4 * words then
        top:add_proto_expert_info(damaged)
        return buffer:len()
    end
    local at = HEADER_BYTES
    for number = 1, records do
        if at + 4 > buffer:len() then
            top:add_proto_expert_info(damaged)
            return buffer:len()
        end
        local kind, before = buffer(at, 1):le_uint(), buffer(at + 2, 2):le_uint()
        local length = 4 * buffer(at + 1, 1):le_uint()
        if at + 4 + length > buffer:len() then
            top:add_proto_expert_info(damaged)
            return buffer:len()
        end
        local name = KINDS[kind] or string.format("kind %d", kind)
        local branch = top:add(stream, buffer(at, 4 + length), string.format("Record %d: %s", number - 1, name))
        add(branch, "record", buffer(at, 4))
        if before > 0 then
            branch:add_proto_expert_info(lost)
        end
        if length > 0 then
            local used = add(branch, name, buffer(at + 4, length))
            if used < length then
                branch:add(rest, buffer(at + 4 + used, length - used))
            end
        end
        at = at + 4 + length
    end
    if at ~= buffer:len() then
        top:add_proto_expert_info(damaged)
    end
    return buffer:len()
end

-- Packets go to a port that the host has chosen: they are known by where they come from, or by their first word.
DissectorTable.get("udp.port"):add(@STREAM_PORT@, stream)
stream:register_heuristic("udp", function(buffer, pinfo, tree)
    return stream.dissector(buffer, pinfo, tree) > 0
end)

-- Requests and replies: Etherbone packets of one record, of big-endian words.
local requests = Proto("@REQUESTS@", "Triplane requests (Etherbone)")
local checksum = ProtoField.uint32("@REQUESTS@.checksum", "checksum", base.HEX)
local session = ProtoField.uint16("@REQUESTS@.session", "session of the key", base.DEC)
local number = ProtoField.uint16("@REQUESTS@.sequence", "sequence number of the key", base.DEC)
local address = ProtoField.uint32("@REQUESTS@.address", "address", base.HEX)
local word = ProtoField.uint32("@REQUESTS@.word", "word", base.HEX)
requests.fields = {checksum, session, number, address, word}
local short = ProtoExpert.new("@REQUESTS@.damaged", "Not a whole request", groups.MALFORMED, severity.ERROR)
requests.experts = {short}

local function add_key(tree, range)
    -- The session is above the sequence number, which has @SEQUENCE_BITS@ bits.
    tree:add(session, range(0, 2))
    tree:add(number, range(2, 2))
end

function requests.dissector(buffer, pinfo, tree)
    if buffer:len() < 8 or buffer(0, 2):uint() ~= @ETHERBONE_MAGIC@ then
        return 0
    end
    pinfo.cols.protocol:set("TRIPLANE")
    local top = tree:add(requests, buffer())
    local flags = buffer(2, 1):uint() % 8
    if flags == @PROBE@ or flags == @PROBE_REPLY@ then
        pinfo.cols.info:set(flags == @PROBE@ and "probe" or "answer to a probe")
        return buffer:len()
    end
    if buffer:len() < 4 * @BODY_WORD@ then
        top:add_proto_expert_info(short)
        return buffer:len()
    end
    top:add(checksum, buffer(4, 4))
    local mode, writes, reads = buffer(8, 1):uint(), buffer(10, 1):uint(), buffer(11, 1):uint()
    local expected = 4 * (@BODY_WORD@ + (writes > 0 and writes + 1 or 0) + (reads > 0 and reads + 1 or 0))
    local reply = pinfo.src_port == @EXCHANGE_PORT@
    if reply and writes == 0 then
        expected = 4 * (@BODY_WORD@ + 1)
    end
    if buffer:len() ~= expected then
        top:add_proto_expert_info(short)
        return buffer:len()
    end
    local at = 4 * @BODY_WORD@
    if reply then
        pinfo.cols.info:set(string.format("reply, %d words", writes))
        add_key(top, buffer(at, 4))
        for k = 1, writes do
            top:add(word, buffer(at + 4 * k, 4))
        end
        return buffer:len()
    end
    local fifo = math.floor(mode / @FLAG_WRITE_FIFO@) % 2 == 1
    pinfo.cols.info:set(string.format("request, %d to write%s, %d to read", writes, fifo and " to a FIFO" or "", reads))
    if writes > 0 then
        top:add(address, buffer(at, 4))
        for k = 1, writes do
            top:add(word, buffer(at + 4 * k, 4))
        end
        at = at + 4 * (writes + 1)
    end
    if reads > 0 then
        add_key(top, buffer(at, 4))
        for k = 1, reads do
            top:add(address, buffer(at + 4 * k, 4))
        end
    end
    return buffer:len()
end

DissectorTable.get("udp.port"):add(@EXCHANGE_PORT@, requests)
"""


def _declarations(name: str, record: Record, values: dict[str, str]) -> list[str]:
    lines, bits = [], 0
    for field in record.fields:
        meaning = json.dumps(field.meaning, ensure_ascii=True)
        value = f", {values[field.name]}" if field.name in values else ""
        lines.append(f'declare("{name}", "{field.name}", {bits // 8}, {field.bits // 8}, {meaning}{value})')
        bits += field.bits
    return lines


def _fixed_part_of_a_round() -> Record:
    """The fields that every board's rounds begin with; how many words follow depends on its syndrome formation."""
    shape = SyndromeShape(slots=1, events=1, kept=1, history=1, known=0, observables=1, kinds=2)
    fields = round_record(shape).fields
    measured = [field.name for field in fields].index("measured_0")
    return Record("round", fields[:measured])


def lua() -> str:
    """The dissector."""
    declarations = [
        *_declarations("packet", HEADER, {"reason": "REASONS"}),
        *_declarations("record", PREFIX, {"kind": "KINDS"}),
    ]
    for kind in KINDS:
        record = _fixed_part_of_a_round() if kind == Kind.ROUND else record_of(kind)
        declarations += _declarations(kind.name.lower(), record, {})
    names = {
        "MAGIC": f"{MAGIC:#x}",
        "VERSION": VERSION,
        "HEADER_BYTES": HEADER.dtype.itemsize,
        "KINDS": ", ".join(f'[{int(kind)}] = "{kind.name.lower()}"' for kind in KINDS),
        "REASONS": ", ".join(f"[{int(r)}] = {json.dumps(meaning)}" for r, meaning in REASONS.items()),
        "PROTOCOL": PROTOCOL,
        "REQUESTS": REQUESTS,
        "DECLARATIONS": "\n".join(declarations),
        "STREAM_PORT": STREAM_PORT,
        "EXCHANGE_PORT": EXCHANGE_PORT,
        "ETHERBONE_MAGIC": f"{ETHERBONE_MAGIC:#x}",
        "SEQUENCE_BITS": SEQUENCE_BITS,
        "PROBE": PROBE,
        "PROBE_REPLY": PROBE_REPLY,
        "BODY_WORD": BODY_WORD,
        "FLAG_WRITE_FIFO": FLAG_WRITE_FIFO,
    }
    text = TEMPLATE
    for name, value in names.items():
        text = text.replace(f"@{name}@", str(value))
    return text


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the file, or compare it."""
    parser = argparse.ArgumentParser(description="Dissector of the record stream for Wireshark.")
    parser.add_argument("path", type=Path)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where it is out of date")
    options = parser.parse_args(arguments)
    if not options.check:
        options.path.write_text(lua())
    elif not options.path.is_file() or options.path.read_text() != lua():
        print(f"{options.path} is out of date: run `make regenerate`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
