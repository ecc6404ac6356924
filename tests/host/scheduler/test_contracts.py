# SPDX-License-Identifier: BSD-2-Clause
import hashlib
import json

import pytest

from triplane.host.scheduler.contracts import (
    INLINE_BYTES,
    MAX_MESSAGE_BYTES,
    MAX_PAYLOAD_BYTES,
    Payload,
    Record,
    Request,
    State,
    checked_request,
    decode,
    encode,
)
from triplane.host.scheduler.errors import ContractError
from triplane.host.scheduler.requests import read_job

DATA = b"halt 0"
PAYLOAD = Payload.model_construct(sha256=hashlib.sha256(DATA).hexdigest(), size=len(DATA), inline=DATA)
REQUEST = Request(user="ada", kind="control", payload=PAYLOAD)
RECORD = Record(request=REQUEST, state=State.QUEUED, reason="submitted", by="ada", at=1.5)


def changed(**fields):
    return json.dumps({**json.loads(encode(RECORD)), **fields}).encode()


def test_a_record_is_what_was_written():
    assert decode(Record, encode(RECORD)) == RECORD
    assert decode(Record, encode(RECORD)).request.payload.inline == DATA


def test_equal_records_have_equal_bytes():
    assert encode(decode(Record, encode(RECORD))) == encode(RECORD)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"{", "Invalid JSON"),
        (b"\x80\x04K\x01.", "Invalid JSON"),  # a pickle
        (changed(extra=1), "extra: Extra inputs"),
        (changed(version=2), "version"),
        (changed(state="sleeping"), "state"),
        (changed(state="done"), "exactly when it is done"),
        (changed(state="leased"), "has a board"),
        (changed(attempts=6), "attempts"),
        (changed(reason="x" * 2_000), "reason"),
        (b" " * (MAX_MESSAGE_BYTES + 1), "are the most of a message"),
    ],
)
def test_what_is_no_record_is_refused(data, text):
    with pytest.raises(ContractError, match=text):
        decode(Record, data)


@pytest.mark.parametrize(
    ("field", "value"),
    [("user", "a.b"), ("user", ">"), ("shots", 0), ("priority", 101), ("board", "*"), ("due", float("nan"))],
)
def test_what_was_typed_is_checked(field, value):
    fields = {"user": "ada", "kind": "control", "payload": PAYLOAD, field: value}
    with pytest.raises(ContractError, match=field):
        checked_request(**fields)


def test_a_payload_travels_in_its_message_only_if_it_is_small():
    data = json.loads(encode(RECORD))
    data["request"]["payload"]["inline"] = "A" * (INLINE_BYTES * 2)
    with pytest.raises(ContractError, match="inline"):
        decode(Record, json.dumps(data).encode())


def test_a_file_is_judged_before_it_is_parsed(tmp_path):
    huge, binary = tmp_path / "huge.qasm", tmp_path / "binary.qasm"
    with huge.open("wb") as file:
        file.truncate(MAX_PAYLOAD_BYTES + 1)
    binary.write_bytes(b"OPENQASM 3.0;\xff")
    for file, text in ((huge, "are the most of a payload"), (binary, "byte 13 is no UTF-8")):
        with pytest.raises(ContractError, match=text):
            read_job(file)


def test_contracts_have_a_schema():
    assert Record.model_json_schema()["properties"]["state"]
