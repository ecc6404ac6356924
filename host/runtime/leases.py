# SPDX-License-Identifier: BSD-2-Clause
"""Leases of qubits: who holds which qubits of which board, until when.

All processes that share a store see each other's. A lease has a time to live, so that one whose holder died frees its
qubits; a holder that lives renews it. Times are those of the machine's clock, since they must outlive a restart.
"""

from __future__ import annotations

import getpass
import os
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated
from uuid import uuid4

from filelock import FileLock
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from triplane.host.outputs import write_whole

TTL_S = 30.0
"""For how long qubits of a holder that died stay taken, at most."""

RENEWALS = 3
"""In a time to live, so that one or two may fail."""

LOCK_S = 10.0
"""Wait for the lock, which is held for milliseconds."""


class LeaseError(RuntimeError):
    """A lease cannot be had, or is not there any more."""


class LeaseConflictError(LeaseError):
    """Somebody else holds the qubits.

    Attributes:
        lease: theirs.
        remaining_s: until it ends, unless they renew it.
    """

    def __init__(self, lease: Lease, wanted: Collection[int], remaining_s: float) -> None:
        self.lease, self.remaining_s = lease, remaining_s
        shared = ", ".join(map(str, sorted({*lease.qubits} & {*wanted})))
        super().__init__(
            f"qubits {shared} of {lease.board} are held by {lease.holder} for another {remaining_s:.0f} s, "
            "longer if that is renewed; wait, or ask for their release"
        )


class LeaseLostError(LeaseError):
    """A lease has ended although its holder still needs it: somebody else may have the qubits."""


class Lease(BaseModel):
    """Qubits of a board, held by somebody.

    Attributes:
        id: of this lease.
        board: name of the board, the same in all processes, see `hal.Board.place`.
        qubits: numbers of the device.
        holder: who, in words.
        ttl_s: for which it is taken, and renewed.
        until: s since 1970, when it ends.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    board: str
    qubits: Annotated[tuple[int, ...], Field(min_length=1)]
    holder: Annotated[str, Field(min_length=1)]
    ttl_s: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    until: float


_LEASES = TypeAdapter(tuple[Lease, ...])


def user() -> str:
    """Who runs this process, for a lease's holder."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # nobody that the system knows, as in some containers
        return f"user {os.getuid()}"


class Leases:
    """All leases of a store.

    Args:
        root: folder of the store.
        clock: s since 1970.
    """

    def __init__(self, root: Path, clock: Callable[[], float] = time.time) -> None:
        self._path, self._clock = root / "leases.json", clock

    def held(self, board: str | None = None) -> list[Lease]:
        """Leases that have not ended, of a board or of all; those that end first come first.

        Raises:
            LeaseError: the file that holds them is damaged.
        """
        now = self._clock()
        found = [each for each in self._read() if each.until > now and board in (None, each.board)]
        return sorted(found, key=lambda lease: lease.until)

    def take(self, board: str, qubits: Collection[int], *, holder: str, ttl_s: float = TTL_S) -> Lease:
        """Take qubits that nobody holds.

        Args:
            board: its name.
            qubits: at least one.
            holder: who, in words that others understand.
            ttl_s: after which the lease ends, if it is not renewed.

        Raises:
            LeaseConflictError: somebody holds one of them.
            ValueError: there is no qubit, no holder, or no time.
        """
        now = self._clock()
        lease = Lease(
            id=str(uuid4()),
            board=board,
            qubits=tuple(sorted(qubits)),
            holder=holder,
            ttl_s=ttl_s,
            until=now + ttl_s,
        )
        with self._locked():
            others = self.held()
            for other in others:
                if other.board == board and not {*other.qubits}.isdisjoint(qubits):
                    raise LeaseConflictError(other, qubits, other.until - now)
            self._write([*others, lease])
        return lease

    def renew(self, lease: Lease) -> Lease:
        """The same for another time to live from now on.

        Raises:
            LeaseLostError: it has ended meanwhile.
        """
        with self._locked():
            held = self.held()
            others = [each for each in held if each.id != lease.id]
            if len(others) == len(held):
                raise LeaseLostError(
                    f"the lease of {lease.holder} on qubits {', '.join(map(str, lease.qubits))} of {lease.board} has "
                    "ended: it was not renewed in time, and others may have used them; run again"
                )
            renewed = lease.model_copy(update={"until": self._clock() + lease.ttl_s})
            self._write([*others, renewed])
        return renewed

    def release(self, lease: Lease) -> None:
        """Give qubits back; one that has ended is none any more."""
        with self._locked():
            self._write([each for each in self.held() if each.id != lease.id])

    @contextmanager
    def holding(
        self, board: str, qubits: Collection[int], *, holder: str, ttl_s: float = TTL_S
    ) -> Iterator[Callable[[], None]]:
        """Hold qubits while a block runs: a thread renews the lease, and the end of the block gives them back.

        Yields a function that raises LeaseLostError where the lease was lost, for the block to call now and then.

        Raises:
            LeaseConflictError: somebody else holds one of them.
        """
        lease = self.take(board, qubits, holder=holder, ttl_s=ttl_s)
        ended, lost = threading.Event(), list[LeaseError]()

        def renew() -> None:
            while not ended.wait(ttl_s / RENEWALS):
                try:
                    self.renew(lease)
                except LeaseError as error:
                    lost.append(error)
                    return
                except OSError:
                    continue  # the next one may go well; if none does, the lease is lost

        def check() -> None:
            if lost:
                raise lost[0]

        thread = threading.Thread(target=renew, name=f"lease of {board}", daemon=True)
        thread.start()
        try:
            yield check
        finally:
            ended.set()
            thread.join()
            self.release(lease)

    def _locked(self) -> FileLock:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(self._path.with_suffix(".lock"), timeout=LOCK_S)

    def _read(self) -> tuple[Lease, ...]:
        try:
            return _LEASES.validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return ()
        except ValidationError as error:
            raise LeaseError(
                f"{self._path} is damaged; delete it when no job runs on a board: {error}"
            ) from error

    def _write(self, leases: Collection[Lease]) -> None:
        write_whole(self._path, _LEASES.dump_json(tuple(leases), indent=1) + b"\n")
