# SPDX-License-Identifier: BSD-2-Clause
"""Files that are whole or absent after a crash, and the lock that processes share."""

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

READ_ONLY = 0o444
"""Mode of what is never written again."""


def fsync_folder(folder: Path) -> None:
    """Make a rename inside `folder` survive a power cut: the entry lives in the folder, not in the file."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def written_whole(folder: Path) -> Iterator[tuple[BinaryIO, list[tuple[Path, int | None]]]]:
    """Yields (file, destinations): write the file, then append (path, mode) to destinations to have it renamed there.

    Without a destination the file is deleted, as it is when the block raises. The destination lies in `folder`.
    """
    handle, name = tempfile.mkstemp(prefix=".", suffix=".partial", dir=folder)
    destinations: list[tuple[Path, int | None]] = []
    try:
        with os.fdopen(handle, "wb") as file:
            yield file, destinations
            file.flush()
            os.fsync(file.fileno())
        for destination, mode in destinations:
            Path(name).chmod(0o666 & ~_umask() if mode is None else mode & ~_umask())
            Path(name).replace(destination)
            fsync_folder(folder)
    finally:
        Path(name).unlink(missing_ok=True)


@contextlib.contextmanager
def locked(path: Path, *, exclusive: bool) -> Iterator[None]:
    """Hold a lock on `path` between processes and threads; the kernel releases it if the holder dies.

    A reader of a store that it may not write to, where no lock file was ever made, has nothing to wait for.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError:
        if exclusive:
            raise
        try:
            handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            yield
            return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH)
        yield
    finally:
        os.close(handle)


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
