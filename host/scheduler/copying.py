# SPDX-License-Identifier: BSD-2-Clause
"""A run of a service with everything it names, copied to a person's store and verified there."""

from __future__ import annotations

from triplane.host.provenance import CorruptLedgerError, Store, Verification, verify_run
from triplane.host.provenance.copies import Copy
from triplane.host.provenance.ledger import Chain, Entry
from triplane.host.provenance.verification import find_run
from triplane.host.scheduler.bus import Bus
from triplane.host.scheduler.client import Jobs
from triplane.host.scheduler.contracts import decode
from triplane.host.scheduler.errors import ContractError
from triplane.host.scheduler.gated import GatedBus
from triplane.host.scheduler.ledger import Line, ServiceLedger, copied


async def mirrored(bus: Bus, run: str, store: Store) -> Verification:
    """Copy a run, and verify it.

    With the credentials of a secured service itself, and of one without credentials, the whole ledger is read and its
    chains are verified. Users read the entries of their own jobs only: that the entry is in its board's chain, and
    whose key has signed it, is what the service says.

    Args:
        bus: connected.
        run: its id, or the first digits of it.
        store: to copy it to.

    Raises:
        UnknownRunError: there is no such run, or are several.
        ProvenanceError: what is there is not what it should be.
    """
    if not isinstance(bus, GatedBus):
        return await (await ServiceLedger.read(bus, store)).mirror(bus, run, store)
    jobs = Jobs(bus, bus.credentials.name)
    runs = {each.record.outcome.run: each.job for each in await jobs.all() if each.record.outcome}
    name = find_run(run, runs, "your jobs of this service")
    line, said = await _said(bus, runs[name], name)
    found = await copied(bus, line, said, Chain((line.entry,), line.hash, b""), store)
    # What the person's own ledger says of the copy; its chain is whole.
    return found if found.problems else verify_run(name, store)


async def _said(bus: GatedBus, job: str, run: str) -> tuple[Line, Copy]:
    """The entry of the run of a job, and what the service says of it."""
    found = await bus.filed(job)
    if found is None:
        raise CorruptLedgerError(f"run {run[:12]} of job {job} is not in the ledger of the service")
    (board, _, data), signer = found
    try:
        line = decode(Line, data)
    except ContractError as error:
        raise CorruptLedgerError(f"run {run[:12]} of job {job}: {error}") from error
    made = Entry.make(line.seq, line.time, line.kind, line.object, line.prev)
    if made != line.entry or (line.job, line.object) != (job, run):
        raise CorruptLedgerError(f"the entry of job {job} in the ledger is not that of its run {run[:12]}")
    line.signature.check(run)
    return line, line.said(board, secured=True, signer=signer)
