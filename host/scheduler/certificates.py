# SPDX-License-Identifier: BSD-2-Clause
"""A certificate authority of the service's own, and the server's certificate, by `cryptography`."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from triplane.host.scheduler.credentials import write_secret

AUTHORITY_DAYS = 3_650
SERVER_DAYS = 397
"""What clients accept at most of a server; it is made anew whenever the service starts."""

EARLIER = datetime.timedelta(hours=1)
"""Certificates hold from so much before they were made: clocks differ."""


def make_authority(certificate: Path, key: Path) -> None:
    """Write a new authority's certificate and key, PEM."""
    secret = ec.generate_private_key(ec.SECP256R1())
    name = _name("Triplane jobs")
    made = (
        _begun(name, name, secret.public_key(), AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .sign(secret, hashes.SHA256())
    )
    write_secret(key, _private(secret))
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))


def make_server(authority: tuple[Path, Path], server: tuple[Path, Path], hosts: Sequence[str]) -> None:
    """Write a server's certificate and key, PEM, over those that were there.

    Args:
        authority: certificate and key that sign.
        server: the two files.
        hosts: names and addresses under which it is reached.
    """
    signer = x509.load_pem_x509_certificate(authority[0].read_bytes())
    signing = serialization.load_pem_private_key(authority[1].read_bytes(), None)
    assert isinstance(signing, ec.EllipticCurvePrivateKey)
    secret = ec.generate_private_key(ec.SECP256R1())
    made = (
        _begun(_name(hosts[0]), signer.subject, secret.public_key(), SERVER_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.SubjectAlternativeName([_reached(host) for host in hosts]), critical=False)
        # Nodes of a cluster are each other's clients.
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
            critical=False,
        )
        .sign(signing, hashes.SHA256())
    )
    replaced = server[1].with_suffix(".new")
    replaced.unlink(missing_ok=True)
    write_secret(replaced, _private(secret))
    replaced.replace(server[1])
    server[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: int
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - EARLIER)
        .not_valid_after(now + datetime.timedelta(days=days))
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])


def _reached(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
