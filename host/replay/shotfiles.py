# SPDX-License-Identifier: BSD-2-Clause
"""One file of shots, or one error model, read with Stim's own readers and every surprise named.

Stim's readers say what is wrong with a byte; they do not say which file, nor that a file of the right length
may hold other bits than the model says (a `.b8` record of 12 detectors and one of 12 detectors and 1
observable are both two bytes). This module adds the file, the value and the remedy.

A file is read once, by `read_bytes`; everything else takes those bytes, and the path for messages only. So what is
decoded is what the run's manifest keeps, whatever happens to the file meanwhile.
"""

from __future__ import annotations

import math
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import stim

SHOT_FORMATS = {".b8": "b8", ".01": "01", ".dets": "dets"}
"""Suffix of a shot file -> Stim's name of the format."""

MODEL_SUFFIXES = (".dem", ".stim")
"""Suffixes of files that give an error model: the model itself, or a circuit with noise."""

MAX_DETECTORS = 1 << 20
"""More detectors than any decoder here could hold: a model that declares more is a typing error, and would
exhaust memory."""

MAX_ERRORS = 1 << 22
"""More error mechanisms than a decoding graph could hold; a mistyped `repeat` would otherwise run for
hours."""

Bits = npt.NDArray[np.bool_]


class DatasetError(ValueError):
    """A data set cannot be read as given. The message names the file, the value found and what to do."""


def read_bytes(path: Path) -> bytes:
    """The content of a regular, non-empty file; DatasetError otherwise."""
    if not path.exists():
        raise DatasetError(f"{path}: no such file")
    if not path.is_file():
        raise DatasetError(f"{path}: is not a regular file; name the file itself")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error
    if not data:
        raise DatasetError(f"{path}: is empty; an interrupted copy or download? Fetch it again")
    return data


def read_model(path: Path, data: bytes) -> stim.DetectorErrorModel:
    """Read a detector error model from a `.dem` file, or derive it from the noise of a `.stim` circuit.

    Raises DatasetError when the file does not parse (with Stim's text), when errors of a circuit do not
    decompose into edges, and when the model holds no detectors, no errors or no observables.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DatasetError(
            f"{path}: is not text (byte 0x{data[error.start]:02x} at offset {error.start}); "
            "an error model is a text file as stim writes it"
        ) from error
    if path.suffix == ".stim":
        model = _model_of_circuit(path, text)
    else:
        try:
            model = stim.DetectorErrorModel(text)
        except (ValueError, IndexError, RuntimeError) as error:
            raise DatasetError(
                f"{path}: is not a detector error model; stim says: {_one_line(error)}"
            ) from error
    if model.num_detectors == 0:
        raise DatasetError(f"{path}: declares no detectors, so there is nothing to decode")
    if model.num_detectors > MAX_DETECTORS:
        raise DatasetError(
            f"{path}: declares {model.num_detectors} detectors, more than the {MAX_DETECTORS} that are read; "
            "is an index mistyped?"
        )
    if model.num_errors == 0:
        raise DatasetError(
            f"{path}: holds no errors, so there is nothing to decode with; "
            "give the model of the noisy circuit, not of the ideal one"
        )
    if model.num_errors > MAX_ERRORS:
        raise DatasetError(
            f"{path}: holds {model.num_errors} errors, more than the {MAX_ERRORS} that are read; "
            "is a repeat count mistyped?"
        )
    if model.num_observables == 0:
        raise DatasetError(
            f"{path}: declares no observables, so no logical error rate can be told; "
            "give a model whose errors name L0, L1, ..."
        )
    return model


def _model_of_circuit(path: Path, text: str) -> stim.DetectorErrorModel:
    try:
        circuit = stim.Circuit(text)
    except (ValueError, IndexError, RuntimeError) as error:
        raise DatasetError(f"{path}: is not a Stim circuit; stim says: {_one_line(error)}") from error
    try:
        return circuit.detector_error_model(decompose_errors=True)
    except (ValueError, RuntimeError) as error:
        raise DatasetError(
            f"{path}: no matching graph follows from this circuit; stim says: {_one_line(error)}"
        ) from error


def record_bytes(bits: int) -> int:
    """Bytes of one `.b8` record of so many bits."""
    return math.ceil(bits / 8)


def read_bits(path: Path, data: bytes, bits: int, *, what: str) -> Bits:
    """Read shots of a plain bit vector (observables or predictions of them), bool (shots, bits).

    In a `.dets` file the bits are the observables L0, L1, ...; what names the bits in error messages
    ("observable").
    """
    file_format = shot_format(path)
    if file_format == "dets":
        return _stim_read(path, data, "dets", detectors=0, observables=bits)
    _check_width(path, data, file_format, bits, f"{bits} {what}{'s' if bits > 1 else ''}")
    return _stim_read(path, data, file_format, detectors=bits, observables=0)


def read_events(path: Path, data: bytes, detectors: int) -> Bits:
    """Read detection events alone, bool (shots, detectors)."""
    file_format = shot_format(path)
    if file_format != "dets":
        _check_width(path, data, file_format, detectors, f"{detectors} detectors")
    return _stim_read(path, data, file_format, detectors=detectors, observables=0)


def read_events_and_observables(
    path: Path, data: bytes, detectors: int, observables: int
) -> tuple[Bits, Bits]:
    """Read a file that holds detectors and then observables in every record (stim's append_observables).

    Returns bool (shots, detectors) and bool (shots, observables). A file that could as well hold detection
    events alone is refused: in `.b8` when both records take the same bytes and no observable bit is ever set,
    in `.dets` when no L is named, in `.01` when lines are of the shorter length. Reading such a file as "no
    observable ever flipped" would report a wrong logical error rate.
    """
    file_format = shot_format(path)
    total = detectors + observables
    remedy = (
        "put the observables into a separate file (for example obs_flips_actual.01), or write the shots with "
        "stim's append_observables=True"
    )
    if file_format == "01" and _first_line_length(data) == detectors:
        raise DatasetError(
            f"{path}: lines hold {detectors} bits, the detectors alone, and no observables; {remedy}"
        )
    if file_format == "b8" and _b8_complaint(data, total) and not _b8_complaint(data, detectors):
        raise DatasetError(
            f"{path}: {len(data)} bytes fit records of the {detectors} detectors alone, so no observables "
            f"are in it; {remedy}"
        )
    if file_format != "dets":
        _check_width(path, data, file_format, total, f"{detectors} detectors and {observables} observables")
    bits = _stim_read(path, data, file_format, detectors=detectors, observables=observables)
    events, flips = bits[:, :detectors], bits[:, detectors:]
    ambiguous = file_format == "dets" or (
        file_format == "b8" and record_bytes(total) == record_bytes(detectors)
    )
    if ambiguous and not flips.any():
        raise DatasetError(
            f"{path}: no observable is flipped in any of its {len(bits)} shots, so it cannot be told from a "
            f"file of detection events alone; {remedy}"
        )
    return np.ascontiguousarray(events), np.ascontiguousarray(flips)


def shot_format(path: Path) -> str:
    """Stim's name of the format of a shot file, by its suffix."""
    try:
        return SHOT_FORMATS[path.suffix]
    except KeyError:
        raise DatasetError(
            f"{path}: unknown format {path.suffix or 'without suffix'!r}; "
            f"shots are read from {', '.join(SHOT_FORMATS)} files"
        ) from None


def _first_line_length(data: bytes) -> int:
    return len(data.partition(b"\n")[0].rstrip(b"\r"))


def _check_width(path: Path, data: bytes, file_format: str, bits: int, name: str) -> None:
    """Compare the record length of a `.b8` or `.01` file with what is expected, before Stim reads (and
    allocates).

    name says what the bits of a record are, for messages.
    """
    if file_format == "01":
        found = _first_line_length(data)
        if found != bits and not set(data[:found]) - set(b"01"):
            raise DatasetError(
                f"{path}: first line holds {found} bits, but the model has {name}; "
                "the file belongs to another model"
            )
        return
    complaint = _b8_complaint(data, bits)
    if complaint:
        raise DatasetError(f"{path}: {complaint} of {name}")


def _b8_complaint(data: bytes, bits: int) -> str:
    """Why data cannot be `.b8` records of so many bits, to be followed by "of ..."; empty where they can."""
    size = record_bytes(bits)
    if len(data) % size:
        return (
            f"is truncated or belongs to another model: its size is {len(data)} bytes, "
            f"not a multiple of {size}, the b8 record"
        )
    padding = 8 * size - bits
    if padding:
        last = np.frombuffer(data, dtype=np.uint8)[size - 1 :: size]
        (wrong,) = np.nonzero(last >> (8 - padding))
        if wrong.size:
            return (
                "holds wider records, so it belongs to another model or has observables appended: "
                f"shot {wrong[0]} has bits set in the padding of a b8 record"
            )
    return ""


def _stim_read(path: Path, data: bytes, file_format: str, *, detectors: int, observables: int) -> Bits:
    try:
        # Stim reads files only: it gets a copy of the bytes that are kept, not the file, which may have changed.
        with tempfile.NamedTemporaryFile(prefix="triplane-") as copy:
            copy.write(data)
            copy.flush()
            bits = stim.read_shot_data_file(
                path=copy.name,
                format=file_format,
                num_measurements=0,
                num_detectors=detectors,
                num_observables=observables,
            )
    except OSError as error:
        raise DatasetError(
            f"{path}: no temporary copy can be made in {tempfile.gettempdir()} ({error.strerror}); "
            "free space there, or set TMPDIR to another directory"
        ) from error
    except (ValueError, IndexError, RuntimeError, MemoryError) as error:
        raise DatasetError(
            f"{path}: is not {file_format} data of {detectors} detectors and {observables} observables; "
            f"stim says: {_one_line(error)}"
        ) from error
    assert isinstance(bits, np.ndarray)
    if len(bits) == 0:
        raise DatasetError(f"{path}: holds no shots")
    return bits.astype(np.bool_, copy=False)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())
