# SPDX-License-Identifier: BSD-2-Clause
"""Canonical JSON: one value, one sequence of bytes, so that equal content has equal hashes everywhere.

Keys sorted by code point, no white space, ASCII only (everything else escaped), floats in the shortest form that
reads back the same, no NaN and no infinities, since JSON has none.
"""

import hashlib
import json
from typing import Any

from triplane.host.provenance.errors import ManifestError


def canonical(value: Any, what: str = "value") -> bytes:
    """The canonical JSON of a value made of dict (str keys), list, tuple, str, int, float, bool and None.

    what: name of the value for the message of the ManifestError that is raised where a part of it is something else.
    """
    _check(value, what)
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    ).encode()


def parse(data: bytes) -> Any:
    """Reads JSON and insists that it is canonical; raises ValueError saying what is wrong."""
    value = json.loads(data, parse_constant=_refuse_constant)
    if json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode() != data:
        raise ValueError("it is JSON, but not in canonical form")
    return value


def sha256(data: bytes) -> str:
    """SHA-256 of bytes, 64 lower-case hex digits."""
    return hashlib.sha256(data).hexdigest()


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _check(value: Any, where: str) -> None:
    """Name the part that JSON cannot hold; json.dumps itself would not say where it is."""
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise ManifestError(f"{where}: key {key!r} is {type(key).__name__}; JSON keys are strings")
            _check(item, f"{where}.{key}")
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            _check(item, f"{where}[{index}]")
    elif isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            raise ManifestError(f"{where} is {value}, which JSON cannot hold; write None, or leave it out")
    elif not (value is None or isinstance(value, str | int)):
        kind = f"{type(value).__module__}.{type(value).__name__}"
        raise ManifestError(
            f"{where} is a {kind}, which JSON cannot hold; convert it with int(), float() or .tolist()"
        )
