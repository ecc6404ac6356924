# SPDX-License-Identifier: BSD-2-Clause
"""What a job's run is made of: a manifest as of local runs, its objects in memory until the agent has sent them."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from typing import Any

from triplane.host.provenance import Manifest, RunRecorder, Store
from triplane.host.provenance.canonical import canonical, sha256
from triplane.host.provenance.recorder import Environment
from triplane.host.scheduler.contracts import Request
from triplane.host.scheduler.runners import Ran


class Objects(Store):
    """A store in memory, of one run."""

    def __init__(self) -> None:
        super().__init__(os.devnull)
        self.kept: dict[str, bytes] = {}

    def put(self, data: bytes) -> str:
        """Keep bytes; returns their SHA-256."""
        name = sha256(data)
        self.kept[name] = data
        return name


class Evidence:
    """Of the runs of one agent.

    The environment is an object of its own, `environment.json`, rather than a part of every manifest: it is the same
    for all jobs of an agent, and ten times as large as the rest.

    Args:
        board: its name.
        url: of the board.
    """

    def __init__(self, *, board: str, url: str) -> None:
        self._command = ["triplane", "agent", "--board", url, "--name", board]
        found = Environment.now()
        self._packages = canonical(found.packages)
        self._environment = dataclasses.replace(found, packages={})
        self._board = board

    def begin(self, request: Request, payload: bytes) -> tuple[RunRecorder, Objects]:
        """A recorder that has what was asked for."""
        objects = Objects()
        recorder = RunRecorder(self._command, objects)
        asked = request.model_dump(mode="json", exclude={"payload"})
        recorder.add_input("environment.json", self._packages, source="packages of the agent")
        recorder.add_input("request.json", canonical(asked), source="the job's record")
        recorder.add_input("payload", payload, source=request.kind)
        return recorder, objects

    def end(self, recorder: RunRecorder, ran: Ran, gateware: str, facts: Mapping[str, Any]) -> Manifest:
        """The manifest of a job that was run; `facts` are of the job."""
        recorder.add_output("result.json", ran.result, source="the job's result")
        recorder.set(gateware={"build_hash": gateware})
        return recorder.manifest({"board": self._board, **facts, **ran.figures}, self._environment)
