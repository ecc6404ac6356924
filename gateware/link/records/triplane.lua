-- SPDX-License-Identifier: BSD-2-Clause
-- The record stream and the requests of a Triplane board, for Wireshark: put this file into its folder of personal
-- Lua plugins (Help, About, Folders). Generated from the gateware's layouts by `make regenerate`; do not edit.

local MAGIC, VERSION, HEADER_BYTES = 0x53525054, 1, 32
local KINDS = {[1] = "result", [2] = "round", [3] = "fault"}
local REASONS = {[0] = "the next record did not fit", [1] = "it had been open for as long as `linger` allows", [2] = "the host asked for it"}

local stream = Proto("triplane", "Triplane record stream")
local fields, layouts = {}, {}

-- A field of a layout: its offset and its length in bytes, least significant byte first.
local function declare(layout, name, offset, length, meaning, values)
    local kinds = {[1] = ProtoField.uint8, [2] = ProtoField.uint16, [4] = ProtoField.uint32}
    local id = "triplane." .. layout .. "." .. name
    local field = kinds[length](id, name, values and base.DEC or base.DEC_HEX, values, nil, meaning)
    layouts[layout] = layouts[layout] or {}
    table.insert(layouts[layout], {field = field, offset = offset, length = length})
    table.insert(fields, field)
end

declare("packet", "magic", 0, 4, "0x53525054: the bytes `TPRS`")
declare("packet", "version", 4, 2, "1, the version of this layout")
declare("packet", "words", 6, 2, "words of all records, their first words included")
declare("packet", "session", 8, 4, "number that the host gave the session, not 0")
declare("packet", "sequence", 12, 4, "number of the packet, from 0 in every session, modulo 2**32")
declare("packet", "cycle_lo", 16, 4, "cycle counter, low half, when the packet was opened")
declare("packet", "cycle_hi", 20, 4, "cycle counter, high half")
declare("packet", "records", 24, 2, "number of records, at least 1")
declare("packet", "reason", 26, 2, "why it was closed: 0 the next record did not fit; 1 it had been open for as long as `linger` allows; 2 the host asked for it", REASONS)
declare("packet", "build", 28, 4, "first eight hexadecimal digits of the build hash")
declare("record", "kind", 0, 1, "what the record is", KINDS)
declare("record", "words", 1, 1, "words of the record, this one not included")
declare("record", "lost", 2, 2, "records of this kind that were lost since the one before, 65535 at most")
declare("result", "sequence", 0, 4, "number of the window, from 0 since the decoder was last restarted")
declare("result", "timestamp_lo", 4, 4, "cycle counter, low half, when the last round of the window entered the decoder")
declare("result", "timestamp_hi", 8, 4, "cycle counter, high half")
declare("result", "decode_cycles", 12, 2, "cycles from the last round being taken to the frame valid")
declare("result", "flags", 14, 2, "bit 0: unmatched, detection events are left that nothing explains; bit 1: untrusted, no table that passed its check is in use; bit 2: last window of its shot; bit 3: late, the deadline cut a pass short; bit 4: hard, hardness above the threshold; bits 15..8: confidence that a lookup table gives")
declare("result", "observables", 16, 4, "flips that this window settled, bit k = observable k")
declare("result", "frame", 20, 4, "flips of the shot so far, this window included")
declare("result", "grow_steps", 24, 2, "growth steps of all arrays in all passes")
declare("result", "merge_steps", 26, 2, "merges through the arbiters of all arrays in all passes")
declare("result", "hardness", 28, 2, "growth steps of the last pass, 32767 at most; bit 15: that pass changed the observables")
declare("result", "waited", 30, 2, "cycles from the last round entering the queue until it was taken, 65535 at most")
declare("result", "rounds", 32, 4, "rounds of the shot that are settled, this window included")
declare("result", "tables", 36, 4, "CRC-32 of the weights, or of the lookup table, that were in use; 0 for none")
declare("round", "sequence", 0, 4, "number of the round, from 0 since the last restart; a gap: no room for a record")
declare("round", "shot", 4, 4, "number of the shot, from 0 since the last restart")
declare("round", "round", 8, 4, "number of the round in its shot, from 0")
declare("round", "timestamp_lo", 12, 4, "cycle counter, low half, in the cycle in which the round was complete")
declare("round", "timestamp_hi", 16, 4, "cycle counter, high half")
declare("round", "kind", 20, 2, "kind of the round, by the sequencer")
declare("round", "flags", 22, 2, "bit 0: last round of its shot; bit 1: at least one slot leaked")
declare("round", "observables", 24, 4, "measured parities of the shot so far, bit k = observable k")
declare("fault", "timestamp_lo", 0, 4, "cycle counter, low half, in the first cycle in which the first of them held")
declare("fault", "timestamp_hi", 4, 4, "cycle counter, high half")
declare("fault", "conditions", 8, 4, "conditions that have arisen: bit 0: event_overflow; bit 1: empty_read; bit 2: unmatched; bit 3: starved; bit 4: stalled; bit 5: sequencer; bit 6: formation; bit 7: held_up; bit 8: refused; bit 9: requested; bit 10: firmware")

local rest = ProtoField.bytes("triplane.rest", "further words")
table.insert(fields, rest)
stream.fields = fields

local groups, severity = expert.group, expert.severity
local damaged = ProtoExpert.new("triplane.damaged", "Not a whole packet", groups.MALFORMED, severity.ERROR)
local lost = ProtoExpert.new("triplane.lost", "Records were lost before", groups.SEQUENCE, severity.WARN)
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
DissectorTable.get("udp.port"):add(1235, stream)
stream:register_heuristic("udp", function(buffer, pinfo, tree)
    return stream.dissector(buffer, pinfo, tree) > 0
end)

-- Requests and replies: Etherbone packets of one record, of big-endian words.
local requests = Proto("triplane_requests", "Triplane requests (Etherbone)")
local checksum = ProtoField.uint32("triplane_requests.checksum", "checksum", base.HEX)
local session = ProtoField.uint16("triplane_requests.session", "session of the key", base.DEC)
local number = ProtoField.uint16("triplane_requests.sequence", "sequence number of the key", base.DEC)
local address = ProtoField.uint32("triplane_requests.address", "address", base.HEX)
local word = ProtoField.uint32("triplane_requests.word", "word", base.HEX)
requests.fields = {checksum, session, number, address, word}
local short = ProtoExpert.new("triplane_requests.damaged", "Not a whole request", groups.MALFORMED, severity.ERROR)
requests.experts = {short}

local function add_key(tree, range)
    -- The session is above the sequence number, which has 16 bits.
    tree:add(session, range(0, 2))
    tree:add(number, range(2, 2))
end

function requests.dissector(buffer, pinfo, tree)
    if buffer:len() < 8 or buffer(0, 2):uint() ~= 0x4e6f then
        return 0
    end
    pinfo.cols.protocol:set("TRIPLANE")
    local top = tree:add(requests, buffer())
    local flags = buffer(2, 1):uint() % 8
    if flags == 1 or flags == 2 then
        pinfo.cols.info:set(flags == 1 and "probe" or "answer to a probe")
        return buffer:len()
    end
    if buffer:len() < 4 * 3 then
        top:add_proto_expert_info(short)
        return buffer:len()
    end
    top:add(checksum, buffer(4, 4))
    local mode, writes, reads = buffer(8, 1):uint(), buffer(10, 1):uint(), buffer(11, 1):uint()
    local expected = 4 * (3 + (writes > 0 and writes + 1 or 0) + (reads > 0 and reads + 1 or 0))
    local reply = pinfo.src_port == 1234
    if reply and writes == 0 then
        expected = 4 * (3 + 1)
    end
    if buffer:len() ~= expected then
        top:add_proto_expert_info(short)
        return buffer:len()
    end
    local at = 4 * 3
    if reply then
        pinfo.cols.info:set(string.format("reply, %d words", writes))
        add_key(top, buffer(at, 4))
        for k = 1, writes do
            top:add(word, buffer(at + 4 * k, 4))
        end
        return buffer:len()
    end
    local fifo = math.floor(mode / 2) % 2 == 1
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

DissectorTable.get("udp.port"):add(1234, requests)
