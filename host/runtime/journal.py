# SPDX-License-Identifier: BSD-2-Clause
"""Steps of a run on disk, each in a file that is there whole or not at all.

A run is a folder: `begun.json` says with which settings, `step-K.npz` what came of a step, `filed.json` as which run of
the ledger they were filed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from filelock import FileLock, Timeout

from triplane.host.arrays import Array, npz, read_npz
from triplane.host.outputs import write_json, write_whole

Parameters = npt.NDArray[np.float64]

RECORD = "record."
"""Before the names of records in a file, which has other arrays too."""


class NearTimeError(RuntimeError):
    """A run cannot be begun, or cannot go on as it was begun."""


@dataclass(frozen=True)
class Step:
    """A step that has ended.

    Attributes:
        number: from 0 on.
        parameters: that were asked for, float64.
        seed: that it was played with, of the run's seed and its number.
        records: what came of it, by name.
        run: id of its job's run; None where that was not filed.
    """

    number: int
    parameters: Parameters
    seed: int
    records: Mapping[str, Array]
    run: str | None


class Journal:
    """The folder of a run.

    Args:
        folder: made when it is opened; its name is the run's.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = FileLock(folder / "lock", timeout=0, thread_local=False)

    def open(self, settings: Mapping[str, Any], *, resume: bool) -> None:
        """Begin the run, or go on with it, and keep other processes from it.

        Args:
            settings: that it must have been begun with, as JSON takes them.
            resume: it may be there already.

        Raises:
            NearTimeError: it is there already, was begun with other settings, or another process has it.
        """
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            self._lock.acquire()
        except Timeout as error:
            raise NearTimeError(
                f"run {self._folder.name!r} is open already, here or in another process; wait until it is closed"
            ) from error
        try:
            self._begin(settings, resume)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let others go on with it."""
        self._lock.release()

    def settings(self) -> dict[str, Any]:
        """That it was begun with."""
        found: dict[str, Any] = json.loads((self._folder / "begun.json").read_bytes())
        return found

    def path(self, number: int) -> Path:
        """File of a step, there or not."""
        return self._folder / f"step-{number}.npz"

    def keep(self, step: Step) -> None:
        """Keep a step that has ended."""
        arrays = {f"{RECORD}{name}": array for name, array in step.records.items()}
        arrays |= {
            "parameters": step.parameters,
            "seed": np.array(step.seed),
            "run": np.array(step.run or ""),
        }
        write_whole(self.path(step.number), npz(arrays))

    def kept(self, number: int) -> Step | None:
        """A step, if it has ended."""
        if not self.path(number).is_file():
            return None
        arrays = read_npz(self.path(number))
        records = {
            name.removeprefix(RECORD): array for name, array in arrays.items() if name.startswith(RECORD)
        }
        return Step(number, arrays["parameters"], int(arrays["seed"]), records, str(arrays["run"]) or None)

    def file(self, steps: int, run: str) -> None:
        """Keep the id of the run that so many steps were filed as."""
        write_json(self._folder / "filed.json", {"steps": steps, "run": run})

    def filed(self, steps: int) -> str | None:
        """That id; None where they were not filed."""
        path = self._folder / "filed.json"
        found = json.loads(path.read_bytes()) if path.is_file() else {"steps": None}
        return str(found["run"]) if found["steps"] == steps else None

    def _begin(self, settings: Mapping[str, Any], resume: bool) -> None:
        path = self._folder / "begun.json"
        if not path.is_file():
            write_json(path, dict(settings))
            return
        if not resume:
            raise NearTimeError(
                f"there is a run {self._folder.name!r} already; go on with it by resume=True, or take another name"
            )
        begun = self.settings()
        # As JSON has it, in which a tuple is a list
        for name, value in json.loads(json.dumps(settings)).items():
            if begun[name] != value:
                raise NearTimeError(
                    f"{self._folder.name!r} was begun with {name} {begun[name]!r}, not {value!r}; "
                    "resume it with the same"
                )
