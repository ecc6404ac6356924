# SPDX-License-Identifier: BSD-2-Clause
"""Data sets and a stand-in board for the tests of the replay."""

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pymatching
import pytest
import stim

from triplane.gateware.decoder.graph import DecodingGraph
from triplane.gateware.decoder.layouts import RESULT
from triplane.gateware.decoder.window import whole_window
from triplane.gateware.decoder.window.bound import window_bound
from triplane.hal import Pacing
from triplane.host.replay.sampling import memory_circuit, sample_dataset


@pytest.fixture(scope="session")
def sycamore(published_data: Callable[[str], Path]) -> Path:
    """Folder of the published Sycamore experiments."""
    return published_data("google_sycamore_2022")


@pytest.fixture
def sampled() -> Any:
    """500 shots of a distance-3 memory experiment with enough noise to fail now and then."""
    circuit = memory_circuit(distance=3, rounds=3, probability=0.01)
    return sample_dataset(circuit, name="sampled", shots=500, seed=7, properties={"seed": 7})


@pytest.fixture
def written(tmp_path: Path, sampled: Any) -> Path:
    """The same shots as a directory in the published layout."""
    folder = tmp_path / "experiment"
    folder.mkdir()
    sampled.model.to_file(folder / "circuit_detector_error_model.dem")
    for name, file_format, bits in (
        ("detection_events.b8", "b8", sampled.events),
        ("obs_flips_actual.01", "01", sampled.observables),
        ("obs_flips_predicted_by_zeros.01", "01", np.zeros_like(sampled.observables)),
    ):
        stim.write_shot_data_file(
            data=bits, path=str(folder / name), format=file_format, num_detectors=bits.shape[1]
        )
    (folder / "properties.yml").write_text(
        f"shots: {sampled.shots}\ncircuit_detectors: {sampled.model.num_detectors}\ncircuit_observables: 1\n"
    )
    return folder


class FakeBoard:
    """Answers with PyMatching's predictions and made-up cycle counts; `spoil` may change the records."""

    def __init__(self, graph: DecodingGraph, model: stim.DetectorErrorModel) -> None:
        self.graph = graph
        self.matching = pymatching.Matching.from_detector_error_model(model)
        self.spoil: Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]] = lambda records: records
        self.runs: list[tuple[int, int]] = []
        self.closed = False
        self.traced: list[Any] = []
        bound = window_bound(whole_window(graph), 3)
        status = SimpleNamespace(address=0, fields={"bound": SimpleNamespace(of=lambda value: bound)})
        self.registers = {"decoder_status": status}
        self.error_after: tuple[int, BaseException] | None = None

    def __enter__(self) -> "FakeBoard":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.closed = True

    def load(self, program: Any) -> None:
        self.program = program

    def identify(self) -> Any:
        return SimpleNamespace(clock_hz=245_760_000, build_hash="ab" * 32, table_hash=self.graph.table_hash)

    def read(self, address: int) -> int:
        return 0

    def fault(self) -> None:
        return None

    def trace(self, path: Path | None, cycles: int) -> None:
        self.traced.append((path, cycles))
        if path is not None:
            path.write_text("$end\n")

    def run(self, rounds: Any, *, round_period_cycles: int, timeout_s: float | None = None) -> Any:
        self.runs.append((len(rounds), round_period_cycles))
        events = np.zeros((len(rounds), self.graph.num_detectors), dtype=np.uint8)
        for layer, detectors in enumerate(self.graph.layers):
            for bit, detector in enumerate(detectors):
                events[:, detector] = rounds[:, layer, bit // 32] >> (bit % 32) & 1
        flips = self.matching.decode_batch(events)
        records = np.zeros(len(rounds), dtype=RESULT.dtype)
        records["sequence"] = np.arange(len(rounds))
        records["tables"] = self.program.table_crc
        records["decode_cycles"] = 4 + 3 * events.sum(axis=1)
        records["observables"] = flips @ (1 << np.arange(flips.shape[1], dtype=np.uint32))
        records = self.spoil(records)

        def chunks() -> Iterator[np.ndarray[Any, Any]]:
            for start in range(0, len(records), 128):
                if self.error_after is not None and start >= self.error_after[0]:
                    raise self.error_after[1]
                yield records[start : start + 128]

        stream = SimpleNamespace(cycles=100 * len(records))
        return _Stream(chunks(), stream.cycles)


class _Stream:
    def __init__(self, chunks: Iterator[Any], cycles: int) -> None:
        self._chunks, self.cycles, self.pacing = chunks, cycles, Pacing(3000, 0, 2, 5)

    def __iter__(self) -> Iterator[Any]:
        return self._chunks


@pytest.fixture
def fake_board(sampled: Any) -> Any:
    """`.connect` stands in for `hal.connect`; `.board` is the board it made, prepared by
    `.prepare(board)`.
    """
    holder = SimpleNamespace(board=None, prepare=lambda board: None)

    def connect(url: str, *, graph: DecodingGraph, table: Any = None, progress: Any = None) -> FakeBoard:
        holder.board = FakeBoard(graph, sampled.model)
        holder.prepare(holder.board)
        return holder.board

    holder.connect = connect
    return holder
