# SPDX-License-Identifier: BSD-2-Clause
"""pynq 4.0 as it comes from PyPI, and nothing of ours in between: devices, overlays, MMIO, memory, files."""

import importlib
import struct

import numpy as np
import pytest

from triplane.sim.board.pynq.messages import SERVICES

SCRATCH_RESET = 0x1234_5678


@pytest.fixture(scope="session")
def pynq():
    return pytest.importorskip("pynq")


@pytest.fixture(scope="session")
def grpc():
    return pytest.importorskip("grpc")


@pytest.fixture
def overlay(pynq, bitfile):
    return pynq.Overlay(str(bitfile))


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_messages_are_those_of_the_client(pynq, service):
    """Names, numbers, types and streams, against the descriptors that pynq ships."""
    package, _, name = service.name.rpartition(".")
    theirs = importlib.import_module(f"pynq.remote.{package}_pb2").DESCRIPTOR
    kinds = {4: "uint64", 5: "int32", 8: "bool", 9: "string", 12: "bytes", 13: "uint32"}
    for message, fields in service.messages.items():
        found = theirs.message_types_by_name[message].fields
        assert fields == {field.name: (field.number, kinds[field.type]) for field in found}, message
    methods = theirs.services_by_name[name].methods_by_name
    for call, ours in service.calls.items():
        found = methods[call]
        assert (ours.request, ours.response) == (found.input_type.name, found.output_type.name)
        assert (ours.sends, ours.answers) == (found.client_streaming, found.server_streaming)


def test_the_board_is_found(pynq, host):
    (device,) = pynq.Device.devices
    assert type(device).__name__ == "RemoteDevice"
    assert (device.ip_addr, device.port) == (host, 7967)
    assert (device.arch, device.name) == ("aarch64", "Triplane simulated board")


def test_an_overlay(pynq, overlay, gateware):
    """pynq's own parser finds the registers where they are."""
    block = overlay.ip_dict["triplane"]
    assert block["type"] == "triplane:ip:triplane:1.0"
    assert block["phys_addr"] == 0xA000_0000
    last = max(register.address + 4 * register.size_words for register in gateware.registers.values())
    assert last <= block["addr_range"] < 2 * last
    assert set(overlay.ip_dict) == {"triplane", "ps"}
    assert overlay.is_loaded()
    # Clocks were set for it, by registers of the processing system.
    assert pynq.Clocks.fclk0_mhz == pytest.approx(100, abs=0.01)
    with pytest.warns(UserWarning, match="closest possible"):
        pynq.Clocks.set_pl_clk(3, clk_mhz=240)
    assert pynq.Clocks.fclk3_mhz == pytest.approx(250, abs=0.01)


def test_registers(overlay, gateware):
    registers = gateware.registers
    mmio = overlay.triplane.mmio
    name = registers["identification_name"]
    words = [mmio.read(name.address + 4 * k) for k in range(name.size_words)]
    assert struct.pack(f"<{len(words)}I", *words).rstrip(b"\0") == b"triplane"
    build = registers["identification_build_hash"]
    words = [mmio.read(build.address + 4 * k) for k in range(build.size_words)]
    assert sum(word << 32 * k for k, word in enumerate(words)) == int(gateware.build_hash, 16)
    scratch = registers["identification_scratch"].address
    for word in (0, 0xFFFF_FFFF, 0x8765_4378):
        mmio.write(scratch, word)
        assert mmio.read(scratch) == word
    assert mmio.read(scratch, 1) == 0x78
    mmio.array[scratch // 4] = 0xABCD
    assert mmio.array[scratch // 4] == 0xABCD
    wide = registers["identification_table_hash"].address
    mmio.write(wide, bytes(range(16)))
    assert [mmio.read(wide + 4 * k) for k in range(4)] == list(struct.unpack("<4I", bytes(range(16))))


def test_a_word_is_written_once(overlay, gateware):
    """A FIFO counts what it gets. That it is read once is what the conformance suite shows."""
    registers = gateware.registers
    mmio = overlay.triplane.mmio
    events, status = registers["events_data"].address, registers["link_status"].address
    space = mmio.read(status) & 0x7FFF
    for count in range(1, 20):
        mmio.write(events, count)
        assert mmio.read(status) & 0x7FFF == space - count


def test_loading_an_overlay_is_a_new_beginning(pynq, overlay, bitfile, gateware):
    scratch = gateware.registers["identification_scratch"].address
    overlay.triplane.mmio.write(scratch, 99)
    seen = pynq.Overlay(str(bitfile), download=False)
    assert seen.triplane.mmio.read(scratch) == 99
    assert pynq.Overlay(str(bitfile)).triplane.mmio.read(scratch) == SCRATCH_RESET


def test_an_overlay_of_another_build_is_refused(pynq, grpc, overlay, other, gateware):
    scratch = gateware.registers["identification_scratch"].address
    mmio = overlay.triplane.mmio
    mmio.write(scratch, 77)
    with pytest.raises(grpc.RpcError) as caught:
        pynq.Overlay(str(other))
    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert "is of build 000000000000" in caught.value.details()
    assert gateware.build_hash[:12] in caught.value.details()
    assert mmio.read(scratch) == 77


def test_windows_where_nothing_is(pynq, overlay):
    with pytest.raises(RuntimeError, match="nothing in the 16 bytes from 0x10000000"):
        pynq.MMIO(0x1000_0000, 16)
    size = overlay.ip_dict["triplane"]["addr_range"]
    with pytest.raises(RuntimeError, match="has nothing"):
        pynq.MMIO(0xA000_0000, size + 4)
    with pytest.raises(RuntimeError, match=f"offset {size:#x} is no word"):
        overlay.triplane.mmio.read(size)
    with pytest.raises(RuntimeError, match="read words"):
        overlay.triplane.mmio.read(0, 8)


def test_memory(pynq):
    rng = np.random.default_rng(3)
    # More than a message holds, and dimensions.
    words = rng.integers(0, 2**32, (3, 500_000), np.uint32)
    with pynq.allocate(words.shape) as large, pynq.allocate(10, "i2") as small:
        assert large.physical_address % 4096 == 0
        assert small.physical_address >= large.physical_address + large.nbytes
        assert large.device_address == large.physical_address
        large[:] = words
        large.sync_to_device()
        small[:] = np.arange(-5, 5)
        small.flush()
        large[:] = 0
        small[:] = 0
        large.sync_from_device()
        small.invalidate()
        assert np.array_equal(large, words)
        assert list(small) == list(range(-5, 5))
        place = large.physical_address
    with pytest.raises(RuntimeError, match="was it freed"):
        _ = small.physical_address
    # What was freed is given again, with nothing in it.
    again = pynq.allocate(10)
    assert again.physical_address == place
    again.sync_from_device()
    assert not again.any()
    again.freebuffer()
    with pytest.raises(RuntimeError, match="was it freed"):
        again.sync_to_device()


def test_memory_has_an_end(pynq, grpc):
    with pytest.raises(grpc.RpcError, match="no room for"):
        pynq.allocate(40_000_000)


def test_what_pynq_tests_of_a_board(pynq, host):
    """Its own self-test, as far as it goes without an overlay of pynq's."""
    runner = pytest.importorskip("pynq.remote.selftest.runner")
    assert runner.main(["--ip", host]) == 0
