# SPDX-License-Identifier: BSD-2-Clause
"""Recordings: whole or absent, every record in its place, and the packets themselves in the store."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from triplane.gateware.decoder.layouts import RESULT
from triplane.gateware.link.records.layouts import FAULT, VERSION, Kind, Reason, record_of
from triplane.gateware.syndrome.shape import SyndromeShape
from triplane.hal.board import Identity
from triplane.hal.packets import Packet, StreamRecord, encode
from triplane.hal.stream import Overwritten
from triplane.host.provenance.manifest import Manifest
from triplane.host.provenance.store import Store
from triplane.host.runtime import streaming as module
from triplane.host.runtime.recording import Recording, RecordingError
from triplane.host.runtime.streaming import record_stream

h5py = pytest.importorskip("h5py", reason="recordings need h5py (extra record)")

IDENTITY = Identity("triplane", "0.1.0", "ab" * 32, "cd" * 32, 245_760_000)
SHAPE = SyndromeShape(slots=8, events=2, kept=2, history=1, known=0, observables=1, kinds=4)
ROUND = record_of(Kind.ROUND, SHAPE)


def words(count, start):
    return np.arange(start, start + count, dtype=np.uint32)


def packet(sequence, *records):
    return Packet(5, sequence, 1000 + sequence, Reason.FULL, 0xABABABAB, records)


PACKETS = [
    packet(
        0,
        StreamRecord(Kind.RESULT, 0, words(RESULT.words, 0)),
        StreamRecord(Kind.RESULT, 0, words(RESULT.words + 2, 100)),
    ),
    packet(
        3,
        StreamRecord(Kind.ROUND, 2, words(ROUND.words, 200)),
        StreamRecord(Kind.FAULT, 0, words(FAULT.words, 300)),
        StreamRecord(77, 1, words(5, 400)),
        StreamRecord(Kind.FAULT, 0, words(FAULT.words + 1, 500)),
    ),
]


def test_every_record_is_in_its_place(tmp_path):
    path = tmp_path / "run.h5"
    with Recording(path, IDENTITY, 5, shape=SHAPE, correction_words=2) as made:
        made.add([PACKETS[0], Overwritten(1, 2)])
        made.add([PACKETS[1]])
        assert not path.exists()
        assert made.packets().read_bytes() == b"".join(map(encode, PACKETS))
        # 302, the word of conditions, has these bits.
        assert made.conditions == dict.fromkeys(
            ("empty_read", "unmatched", "starved", "sequencer", "refused"), 1
        )
        made.finish("f" * 64, {"packets": 2, "records": {"result": 2}})
    assert [file.name for file in tmp_path.iterdir()] == ["run.h5"]
    with h5py.File(path) as file:
        assert file.attrs["run"] == "f" * 64
        assert json.loads(file.attrs["records"]) == {"result": 2}
        assert (file.attrs["build_hash"], file.attrs["layouts_version"]) == ("ab" * 32, VERSION)
        assert file["packets"][:].tolist() == [(0, 1000, 0, 2), (3, 1003, 0, 4)]
        assert file["overwritten"][:].tolist() == [(1, 2)]
        results = file["result"][:]
        expected = RESULT.parse(np.stack([words(RESULT.words, 0), words(RESULT.words, 100)]))
        for name in RESULT.dtype.names:
            assert np.array_equal(results[name], expected[name]), name
        assert results["corrected"].tolist() == [False, True]
        assert results["correction"].tolist() == [[0, 0], [110, 111]]
        assert (file["round"]["packet"][0], file["round"]["lost"][0]) == (3, 2)
        assert file["round"]["events_0"][0] == ROUND.parse(words(ROUND.words, 200)[None])["events_0"][0]
        assert file["fault"]["conditions"].tolist() == [302]
        assert [(int(row["kind"]), row["words"].tolist()) for row in file["other"][:]] == [
            (77, list(range(400, 405))),
            (Kind.FAULT, list(range(500, 504))),
        ]


def test_what_is_not_finished_leaves_nothing(tmp_path):
    path = tmp_path / "run.h5"
    path.write_bytes(b"the one before")
    made = Recording(path, IDENTITY, 5)
    made.add([PACKETS[0]])
    made.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert [file.name for file in tmp_path.iterdir()] == ["run.h5"]
    assert path.read_bytes() == b"the one before"


def test_without_h5py_a_remedy_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    with pytest.raises(RecordingError, match="--extra record"):
        Recording(tmp_path / "run.h5", IDENTITY, 5)


class Receiver:
    """Delivers the packets one by one."""

    session = 5

    def __init__(self, board, source):
        self.counts = {"delivered": 2, "overwritten": 0, "fetched": 1, "repeated": 0, "strays": 0}
        self._left = list(PACKETS)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def take(self, timeout_s):
        return [self._left.pop(0)] if self._left else []

    def finish(self):
        return self._left

    def lost_on_board(self):
        return {Kind.RESULT: 0, Kind.ROUND: 2, Kind.FAULT: 0}


@pytest.mark.parametrize(
    ("limits", "ended", "kept"), [({"records": 1}, "records", 2), ({"seconds": 0.05}, "seconds", 2)]
)
def test_a_recording_is_a_run(monkeypatch, tmp_path, limits, ended, kept):
    monkeypatch.setattr(module, "StreamReceiver", Receiver)
    field = SimpleNamespace(of=lambda value: 2)
    board = SimpleNamespace(
        identify=lambda: IDENTITY,
        registers={"identification_record": SimpleNamespace(address=0, fields={"correction_words": field})},
        read=lambda address: 0,
    )
    store = Store(tmp_path / "store")
    path = tmp_path / "run.h5"
    result = record_stream(
        board, None, path, command=["triplane", "record"], shape=SHAPE, store=store, **limits
    )
    assert result["ended"] == ended
    assert result["lost"] == {"result": 0, "round": 2, "fault": 0}
    manifest = Manifest.from_bytes(store.get(result["run"]), result["run"])
    assert manifest.gateware["build_hash"] == IDENTITY.build_hash
    assert json.loads(json.dumps(manifest.result)) == {k: v for k, v in result.items() if k != "run"}
    assert store.get(manifest.outputs["record_stream"].sha256) == b"".join(map(encode, PACKETS))
    with h5py.File(path) as file:
        assert file.attrs["run"] == result["run"]
        assert len(file["packets"]) == len(PACKETS)
