# SPDX-License-Identifier: BSD-2-Clause
import pytest

from triplane.host.provenance import RunRecorder, Store


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture
def record(store):
    """Files a small run; returns its id."""

    def run(**result):
        recorder = RunRecorder(["triplane", "replay", "some dir"], store)
        recorder.add_input("events", b"\x01\x02\x03", source="events.b8")
        recorder.add_input("model", b"error(0.1) D0 L0\n", source="model.dem")
        recorder.set(
            model="model.dem", tables={"table_hash": "ab"}, seeds={"sampler": 5}, parameters={"shots": 3}
        )
        return recorder.commit(result or {"logical_error_rate": 0.25, "latency": {"decode": {"max": 31}}})

    return run


@pytest.fixture
def flip():
    """Flips one bit of a file, as a failing disk would, whatever the file's mode."""

    def change(path, position=-2):
        data = bytearray(path.read_bytes())
        data[position] ^= 1
        path.chmod(0o644)
        path.write_bytes(data)

    return change
