# SPDX-License-Identifier: BSD-2-Clause
"""Folders named by the hash of what they were built from: whole or absent, never half.

An entry is built in a temporary folder beside its final place and renamed when it is complete, so neither a
cancelled build nor a crash leaves something that looks like an entry. A lock file per entry makes two processes
that want the same thing build it once: the second waits, then finds it.
"""

import fcntl
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs

KEY_CHARS = 32
"""Characters of a key in the name of its temporary folder: more than enough to be its own."""


class CacheError(RuntimeError):
    """Nothing can be built in the cache; the text says what to do."""


def make_takes(path: Path) -> bool:
    """Whether make can have this path: no spaces, and nothing that has a meaning in a makefile, as $ and # have."""
    return re.fullmatch(r"[\w./+,@~-]+", str(path)) is not None


def cache_root() -> Path:
    """Folder of everything that can be built again: $TRIPLANE_CACHE, or the user's cache folder."""
    override = os.environ.get("TRIPLANE_CACHE")
    return Path(override) if override else Path(platformdirs.user_cache_dir("triplane"))


def content_key(parts: Iterable[str | bytes]) -> str:
    """SHA-256 (hex) of `parts`, each preceded by its length so that no two lists share a key by accident."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()


def seal(path: Path) -> None:
    """Store the SHA-256 of a file beside it, as `sha256sum` prints it."""
    path.with_name(f"{path.name}.sha256").write_text(f"{_sha256(path)}  {path.name}\n")


def sealed(path: Path) -> bool:
    """Whether a file is there and what it was when `seal` was called."""
    try:
        return path.with_name(f"{path.name}.sha256").read_text() == f"{_sha256(path)}  {path.name}\n"
    except (OSError, UnicodeDecodeError):
        return False


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock; the kernel releases it if the process dies."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def cached(
    kind: str,
    key: str,
    build: Callable[[Path], None],
    *,
    intact: Callable[[Path], bool] = Path.is_dir,
    report: Callable[[str], None] = lambda _: None,
) -> tuple[Path, bool]:
    """Entry `key` of cache `kind`, built by `build(folder)` if absent, or if `intact(folder)` says that it is damaged.

    report: called with a line of text where a damaged entry is dropped.

    Returns (folder, built): `built` is False where the entry was there already. The folder given to `build` never
    has spaces, $, # and the like in its path, since make cannot take them: a temporary folder stands in where the cache
    has. Whatever `build` raises passes through, nothing is left behind.

    Raises CacheError if the temporary folder has them too.
    """
    root = cache_root() / kind
    entry = root / key
    if entry.is_dir() and intact(entry):
        return entry, False
    root.mkdir(parents=True, exist_ok=True)
    with _locked(root / f"{key}.lock"):
        if entry.is_dir():
            if intact(entry):
                return entry, False
            report(f"{entry} is damaged; building it again")
            shutil.rmtree(entry)
        # Left by a process that was killed; nobody else works on this entry while we hold the lock.
        for stale in root.glob(f"{key[:KEY_CHARS]}.*"):
            if stale.suffix in (".partial", ".publish"):
                shutil.rmtree(stale, ignore_errors=True)
        parent = root if make_takes(root) else Path(tempfile.gettempdir())
        if not make_takes(parent):
            raise CacheError(
                f"make can build neither in {root} nor in {parent}, for the characters in these paths; set "
                "TRIPLANE_CACHE or TMPDIR to a folder without spaces, $, # and the like"
            )
        with tempfile.TemporaryDirectory(prefix=f"{key[:KEY_CHARS]}.", suffix=".partial", dir=parent) as work:
            build(Path(work))
            _publish(Path(work), entry)
    return entry, True


def _publish(work: Path, entry: Path) -> None:
    """Move the content of `work` to `entry` so that `entry` appears at once."""
    with tempfile.TemporaryDirectory(
        prefix=f"{entry.name[:KEY_CHARS]}.", suffix=".publish", dir=entry.parent
    ) as staging:
        whole = Path(staging) / "entry"
        whole.mkdir()
        for item in work.iterdir():
            shutil.move(str(item), whole / item.name)
        whole.rename(entry)
