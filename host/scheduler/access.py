# SPDX-License-Identifier: BSD-2-Clause
"""Who has access to a secured service: the folder on the server's machine that says so. Its owner is the admin."""

from __future__ import annotations

import fcntl
import ipaddress
import os
import socket
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import nkeys  # type: ignore[import-untyped]
from pydantic import BaseModel, ConfigDict, Field, SecretStr, TypeAdapter

from triplane.host.scheduler.certificates import make_authority, make_server
from triplane.host.scheduler.contracts import Name
from triplane.host.scheduler.credentials import Credentials, Role, read_credentials
from triplane.host.scheduler.errors import ServiceError

ACCOUNT = "TRIPLANE"


class Principal(BaseModel):
    """Somebody who has access, or had."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    role: Role
    name: Name
    key: Annotated[str, Field(pattern=r"^U[A-Z2-7]{55}$")]
    """Public NKey."""
    added: float
    """Unix time, s."""
    revoked: float | None = None
    signer: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    """Of a board: public Ed25519 key of the signatures of its runs, hex."""


def joined(one: Principal, other: Principal) -> Principal:
    """What two machines know of one key: revoked where either has revoked it, and since the earlier of both."""
    revoked = [each.revoked for each in (one, other) if each.revoked]
    return one.model_copy(update={"revoked": min(revoked, default=None)})


_principals = TypeAdapter(list[Principal])


class Access:
    """The folder, made where it is not there: authority, the service's own credentials, who else has a key.

    Args:
        folder: of mode 0700.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.chmod(0o700)
        self.users = folder / "users.conf"
        """What nats-server includes; only public keys are in it."""
        self.authority = (folder / "authority.pem", folder / "authority.key")
        self.server = (folder / "server.pem", folder / "server.key")
        self._file = folder / "principals.json"
        self._service = folder / "service.json"
        with self._locked():
            if not self.authority[0].exists():
                self.authority[1].unlink(missing_ok=True)
                make_authority(*self.authority)
            if not self._file.exists():
                self._service.unlink(missing_ok=True)
                principal, credentials = self._made("service", "service")
                credentials.write(self._service)
                self._write([principal])

    @property
    def service(self) -> Credentials:
        """Credentials of the service itself: they open everything."""
        return read_credentials(self._service)

    @property
    def key(self) -> str:
        """Public NKey of the service: copies of the folder have the same."""
        return next(each.key for each in self.principals() if each.role == "service")

    def principals(self) -> list[Principal]:
        """All that have or had access, in the order in which they were added."""
        return _principals.validate_json(self._file.read_bytes())

    def add(self, role: Literal["user", "board"], name: str) -> Credentials:
        """Give somebody a key; it opens as soon as the server has heard of it, within a second.

        Raises:
            ServiceError: there is one of that name and role; revoke the old key first.
        """
        with self._locked():
            known = self.principals()
            if any((each.role, each.name) == (role, name) and not each.revoked for each in known):
                raise ServiceError(f"{role} {name} has a key; take it away first: triplane access revoke")
            principal, credentials = self._made(role, name)
            self._write([*known, principal])
        return credentials

    def revoke(self, role: Role, name: str) -> None:
        """Take a key away: its connections end within a second. What its owner has submitted stays his.

        Raises:
            ServiceError: nobody of that name and role has one.
        """
        with self._locked():
            known = self.principals()
            # Two machines of a cluster may have given one name a key each.
            gone = {
                each.key: each.model_copy(update={"revoked": time.time()})
                for each in known
                if (each.role, each.name) == (role, name) and not each.revoked
            }
            if not gone or role == "service":
                raise ServiceError(f"there is no {role} {name} with a key; look: triplane access list")
            self._write([gone.get(each.key, each) for each in known])

    def merge(self, others: Iterable[Principal]) -> None:
        """Take over who was added and revoked on other machines; the service's own key is as it is here."""
        with self._locked():
            known = {each.key: each for each in self.principals()}
            before = dict(known)
            for each in others:
                if each.role != "service":
                    known[each.key] = joined(known.get(each.key, each), each)
            if known != before:
                self._write(list(known.values()))

    def certify(self, hosts: Sequence[str]) -> None:
        """Make the server's certificate anew, for names and addresses besides those of this machine."""
        own = ["localhost", "127.0.0.1", "::1", socket.gethostname()]
        make_server(self.authority, self.server, list(dict.fromkeys([*filter(_is_one, hosts), *own])))

    def _made(self, role: Role, name: str) -> tuple[Principal, Credentials]:
        seed = nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER).decode()
        credentials = Credentials(
            role=role,
            name=name,
            seed=SecretStr(seed),
            authority=self.authority[0].read_text(),
        )
        key = nkeys.from_seed(bytearray(seed.encode())).public_key.decode()
        signer = credentials.signer.public if role == "board" else None
        return Principal(role=role, name=name, key=key, added=time.time(), signer=signer), credentials

    def _write(self, principals: list[Principal]) -> None:
        for file, data in (
            (self._file, _principals.dump_json(principals, indent=2)),
            (self.users, _configuration(principals).encode()),
        ):
            new = file.with_suffix(".new")
            new.write_bytes(data)
            new.replace(file)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _configuration(principals: list[Principal]) -> str:
    users = "".join(f"      {_permitted(each)}\n" for each in principals if not each.revoked)
    return (
        f"accounts {{\n  SYS {{}}\n  {ACCOUNT} {{\n    jetstream: enabled\n    users: [\n{users}    ]\n  }}\n}}\n"
        "system_account: SYS\n"
    )


def _permitted(principal: Principal) -> str:
    if principal.role == "service":
        return f"{{nkey: {principal.key}}}"
    who = f"{principal.role}.{principal.name}"
    return (
        f'{{nkey: {principal.key}, permissions: {{publish: ["triplane.gate.{who}"], '
        f'subscribe: ["_INBOX.{who}.>"]}}}}'
    )


def _is_one(host: str) -> bool:
    """Whether it is a name or an address that somebody can reach; 0.0.0.0 is none."""
    try:
        return not ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return bool(host)
