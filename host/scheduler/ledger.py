# SPDX-License-Identifier: BSD-2-Clause
"""The service's ledger: a stream from which nothing can be deleted, one chain of signed runs for each board.

An entry is that of a local ledger (`provenance.ledger.Entry`), with the signature of its run. A board's agent is the
only one that continues its chain, and does so only on top of the entry it has read: the server takes one of two that
write at once. Small objects travel in the entry, larger ones lie in the object store.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Literal, NamedTuple

from pydantic import Base64Bytes, Field

from triplane.host.provenance import Manifest, Store, Verification
from triplane.host.provenance.canonical import sha256
from triplane.host.provenance.copies import Copy, keep_copy
from triplane.host.provenance.errors import CorruptObjectError
from triplane.host.provenance.ledger import GENESIS, Chain, Entry
from triplane.host.provenance.signing import Signature, Signer
from triplane.host.provenance.verification import find_run, verify_objects
from triplane.host.scheduler.bus import Bus
from triplane.host.scheduler.checkpoint import Chains, Checkpoint, Place, damaged
from triplane.host.scheduler.contracts import INLINE_BYTES, Count, JobKey, Part, Sha256, decode, encode
from triplane.host.scheduler.errors import ContractError, FencedError
from triplane.host.scheduler.following import RETRY_S, TRANSIENT, retried
from triplane.host.scheduler.register import Register

logger = logging.getLogger(__name__)

INLINE_MANIFEST_BYTES = 16 * 1024
INLINE_TOTAL_BYTES = 24 * 1024
"""Of all objects in an entry: in base64, with the rest, it stays below a message's limit."""


class Line(Part):
    """An entry on the wire: fields of `Entry`, signature, small objects by their SHA-256."""

    version: Literal[1] = 1
    seq: Count
    job: JobKey
    time: Annotated[str, Field(max_length=64)]
    kind: Literal["run"] = "run"
    object: Sha256
    prev: Sha256
    hash: Sha256
    signature: Signature
    objects: dict[Sha256, Base64Bytes]

    @property
    def entry(self) -> Entry:
        """That of a ledger."""
        return Entry(self.seq, self.time, self.kind, self.object, self.prev, self.hash)

    def said(self, board: str, *, secured: bool, signer: str | None) -> Copy:
        """What a service says of it to who copies its run; arguments as of `Copy`."""
        key = self.signature.key
        return Copy(run=self.object, board=board, entry=self.hash, key=key, secured=secured, signer=signer)


class Filed(NamedTuple):
    """A run that the server has.

    Attributes:
        run: its id.
        number: of its entry in the stream of the whole ledger.
    """

    run: str
    number: int


class BoardLedger:
    """A board's chain, for its agent.

    Args:
        bus: connected.
        board: its name.
        signer: of the runs.
    """

    def __init__(self, bus: Bus, board: str, signer: Signer) -> None:
        self.bus, self.board, self.signer = bus, board, signer
        self._last: tuple[Entry | None, int] | None = None
        self._kept: set[str] = set()
        self._owner = ""

    async def append(self, job: str, manifest: Manifest, objects: dict[str, bytes]) -> Filed:
        """Keep a run with everything that its manifest names; returns once the server has it.

        Waits for a server that is away. An answer that was lost is found out.

        Args:
            job: that was run.
            manifest: of the run.
            objects: SHA-256 -> bytes.

        Raises:
            ContractError: an object is larger than may be kept.
        """
        content = manifest.to_bytes()
        run = sha256(content)
        owner, dot, _ = job.partition(".")
        if dot and owner != self._owner:
            # Objects of a secured service are kept for each user anew.
            self._owner = owner
            self._kept.clear()
        inline, room = {}, INLINE_TOTAL_BYTES
        for name, data in {run: content, **objects}.items():
            if name in self._kept:
                continue
            if len(data) <= min(room, INLINE_MANIFEST_BYTES if name == run else INLINE_BYTES):
                inline[name] = data
                room -= len(data)
            else:
                await self.bus.keep(data, job)
                self._kept.add(name)
        signature = self.signer.sign(run)
        while True:
            if self._last is None:
                self._last = await retried(self._newest)
            last, sequence = self._last
            if last is not None and last.object == run:
                return Filed(run, sequence)
            now = datetime.now(UTC).isoformat(timespec="microseconds")
            entry = Entry.make(last.seq + 1 if last else 0, now, "run", run, last.hash if last else GENESIS)
            line = Line.model_construct(**vars(entry), job=job, signature=signature, objects=inline)
            try:
                written = await self.bus.append(self.board, job, encode(line), sequence)
            except FencedError:
                self._last = None
                await asyncio.sleep(RETRY_S)
            except TRANSIENT as error:
                logger.debug("ledger of %s: %s", self.board, error)
                self._last = None
                await asyncio.sleep(RETRY_S)
            else:
                self._last = entry, written
                return Filed(run, written)

    async def _newest(self) -> tuple[Entry | None, int]:
        data, sequence = await retried(lambda: self.bus.newest(self.board))
        return (None if data is None else decode(Line, data).entry), sequence


@dataclass(frozen=True)
class ServiceLedger:
    """All chains, verified: entries link to each other, and each signature is that of its run.

    Attributes:
        chains: board -> its chain.
        lines: run -> its entry on the wire, of those that were read now.
        places: run -> where its entry is.
        register: of a secured service, whose key is whose; None: everybody may do everything there.
    """

    chains: dict[str, Chain]
    lines: dict[str, Line]
    places: dict[str, Place]
    register: Register | None = None

    @classmethod
    async def read(cls, bus: Bus, store: Store | None = None) -> ServiceLedger:
        """Read and verify the whole ledger; of a secured service with the credentials of the service itself.

        Args:
            bus: connected.
            store: that knows what was verified before, and learns what is now: only what came since is read.

        Raises:
            CorruptLedgerError: an entry is none, was changed, or does not continue the one before; or the ledger is
                not the one any more that was verified before.
            SignatureError: a signature is not that of the run.
        """
        checkpoint = None if store is None else Checkpoint(store.root, await bus.ledger())
        chains = checkpoint.load() if checkpoint else Chains()
        lines: dict[str, Line] = {}
        known = len(chains.places)
        for newest in chains.newest:
            await _line_of(bus, newest)
        for board, number, data in await bus.entries(chains.places[-1].number if known else 0):
            try:
                line = decode(Line, data)
            except ContractError as error:
                raise damaged(board, len(chains.entries.get(board, ())), str(error)) from error
            chains.add(Place(board, number, line.entry))
            line.signature.check(line.object)
            # The first entry of a run is its own: a board that files another's comes later.
            lines.setdefault(line.object, line)
        if checkpoint and len(chains.places) > known:
            checkpoint.keep(chains)
        verified = {board: Chain(tuple(each), each[-1].hash, b"") for board, each in chains.entries.items()}
        register = await (await Register.made(bus)).read() if bus.parts is not None else None
        return cls(verified, lines, chains.runs, register)

    async def mirror(self, bus: Bus, run: str, store: Store) -> Verification:
        """Copy a run with everything it names from the service to a store on disk, and verify it there.

        The store's ledger keeps what the service says of it: `verify_run` finds the copy, and what was changed since.

        Args:
            bus: connected.
            run: its id, or the first digits of it.
            store: to copy it to.

        Raises:
            UnknownRunError: there is no such run, or are several.
            ProvenanceError: what is there is not what it should be.
        """
        name = find_run(run, self.places, "the service's ledger")
        place = self.places[name]
        line = self.lines.get(name) or await _line_of(bus, place)
        signer = self.register.signer_name(line.signature.key) if self.register else None
        said = line.said(place.board, secured=self.register is not None, signer=signer)
        return await copied(bus, line, said, self.chains[place.board], store)


async def copied(bus: Bus, line: Line, said: Copy, chain: Chain, store: Store) -> Verification:
    """Copy what an entry names to a store and verify it there.

    Args:
        bus: connected.
        line: the entry, whose signature was checked.
        said: what the service says of it; the store's ledger keeps that where everything holds.
        chain: that the entry is in, verified.
        store: to copy to.

    Raises:
        ProvenanceError: what is there is not what it should be.
    """
    store.keep_signature(line.object, line.signature)
    manifest = Manifest.from_bytes(await _mirrored(bus, line, line.object, None, store), line.object)
    for artefact in [*manifest.inputs.values(), *manifest.outputs.values()]:
        await _mirrored(bus, line, artefact.sha256, artefact.bytes, store)
    found = verify_objects(line.object, line.entry, chain, store, said)
    if not found.problems:
        keep_copy(said, store)
    return found


async def _mirrored(bus: Bus, line: Line, name: str, size: int | None, store: Store) -> bytes:
    """An object of an entry: from the store, the entry, or the service."""
    if name in store:
        return store.get(name)
    data = line.objects.get(name)
    if data is None:
        try:
            data = await bus.fetch(name, line.job)
        except ContractError as error:
            raise CorruptObjectError(f"run {line.object[:12]}: {error}") from error
    if sha256(data) != name or size not in (None, len(data)):
        raise CorruptObjectError(f"run {line.object[:12]}: object {name} of the service is damaged")
    store.put(data)
    return data


async def _line_of(bus: Bus, place: Place) -> Line:
    """The entry that was verified there once; raises CorruptLedgerError where it is another now."""
    found = await bus.entry(place.number)
    try:
        line = decode(Line, found.data) if found and found.board == place.board else None
    except ContractError:
        line = None
    if line is None or line.entry != place.entry:
        raise damaged(
            place.board, place.entry.seq, "it was verified here once, and is gone or another one now"
        )
    line.signature.check(line.object)
    return line
