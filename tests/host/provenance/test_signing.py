# SPDX-License-Identifier: BSD-2-Clause
"""Signatures of runs: the own key, keys of others, and what was forged."""

import io
import stat

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from rich.console import Console

from triplane.host.provenance import SignatureError, verify_run
from triplane.host.provenance.report import as_dict, show
from triplane.host.provenance.signing import Signer


def shown(run, store):
    output = io.StringIO()
    show(run, store=store, console=Console(file=output, width=160))
    return output.getvalue()


def test_a_run_is_signed_by_the_stores_own_key(store, record):
    run = record()
    found = verify_run(run, store)
    key = store.root / "keys" / "signing.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700
    assert found.signer == "this store"
    assert found.signature.key == Signer.of_store(store.root).public
    assert found.signature.fingerprint in shown(run, store)
    # By the library itself, not by us
    public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(found.signature.key))
    public.verify(bytes.fromhex(found.signature.value), b"triplane run " + run.encode())
    assert as_dict(verify_run(record(), store))["signature"]["key"] == found.signature.key


def test_unknown_signers_are_said_to_be_unknown_until_they_are_known(store, record, tmp_path):
    run, other = record(), Signer.of_store(tmp_path / "other")
    store.keep_signature(run, other.sign(run))
    assert verify_run(run, store).signer is None
    assert "signed by a key that is nobody's" in shown(run, store)
    (store.root / "keys" / "known").write_text(f"{other.public} fridge 1\n")
    assert verify_run(run, store).signer == "fridge 1"


def test_a_signature_of_another_run_is_refused(store, record):
    first, second = record(), record(a=1)
    store.keep_signature(first, store.signature(second))
    with pytest.raises(SignatureError, match="is not signed by key"):
        verify_run(first, store)


def test_a_run_without_signature_says_so(store, record):
    run = record()
    (store.root / "signatures" / f"{run}.json").unlink()
    assert verify_run(run, store).signature is None
    assert "none: deleted, or of an earlier version" in shown(run, store)


def test_a_file_that_is_no_key_or_signature_is_named(store, record):
    run = record()
    path = store.root / "signatures" / f"{run}.json"
    path.chmod(0o644)
    path.write_text("{}")
    with pytest.raises(SignatureError, match="is no signature"):
        verify_run(run, store)
    (store.root / "keys" / "signing.key").write_text("nonsense")
    with pytest.raises(SignatureError, match="is no key"):
        record()
