# SPDX-License-Identifier: BSD-2-Clause
"""Deliberate defects: a module of the gateware with one place of its text changed, which a claim has to notice."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType


def mutant(module: ModuleType, old: str, new: str) -> ModuleType:
    """A copy of `module` whose text has `new` in the one place where it had `old`; the module itself stays as it is.

    Raises ValueError: `old` is not there exactly once, so that a defect does not become none when the text changes.
    """
    path = Path(str(module.__file__))
    text = path.read_text()
    if text.count(old) != 1:
        raise ValueError(f"{old!r} occurs {text.count(old)} times in {path.name}, not once")
    name = f"{module.__name__}_mutant"
    spec = importlib.util.spec_from_loader(name, loader=None, origin=str(path))
    assert spec is not None
    copy = importlib.util.module_from_spec(spec)
    copy.__file__ = str(path)
    # Dataclasses look their module up, Migen the lines that names are taken from.
    sys.modules[name] = copy
    try:
        exec(compile(text.replace(old, new), str(path), "exec"), copy.__dict__)  # noqa: S102 (our own text)
    finally:
        del sys.modules[name]
    return copy
