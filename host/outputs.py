# SPDX-License-Identifier: BSD-2-Clause
"""Files that a command writes: refused before a long run where they could not be, and written whole or not at all.

A path is resolved before anything is written, so that a symbolic link stays one and the file it leads to is
replaced. What is there and is no regular file (a device, a pipe) is written to as it is: it must not be replaced.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from triplane.host.files import written_whole

REMEDIES = {
    errno.ENOSPC: "free space there, or choose another directory",
    errno.EDQUOT: "your quota is used up: delete something, or choose another directory",
    errno.ENOTDIR: "a part of the path is a file, not a directory; correct the path",
    errno.ENOENT: "check the path; its directory must exist",
    errno.EACCES: "check the permissions, or choose another directory",
    errno.EPERM: "check the permissions, or choose another directory",
    errno.EROFS: "the file system is read-only; choose another directory",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ELOOP: "symbolic links lead in a circle; remove one",
    errno.EMFILE: "too many files are open; raise the limit with `ulimit -n`",
    errno.EIO: "the device reports an error; choose another one",
    errno.EPIPE: "who read it has gone; run again, or name a file",
}
LIVE = ("/dev", "/proc")
"""Folders of names that stand for something open, such as /dev/stdout, even where that is a regular file."""


class OutputError(OSError):
    """A file cannot be written; the message names it and what to do."""


def explain(error: OSError, path: str | os.PathLike[str] | None = None) -> str:
    """An error of the operating system as "file: what is wrong; what to do".

    path: of the file, for errors that do not name one.
    """
    if error.strerror is None:
        return str(error)
    name = path if path is not None else error.filename
    remedy = REMEDIES.get(error.errno or 0, "check the file and its directory")
    return f"{'a file' if name is None else os.fsdecode(name)}: {error.strerror}; {remedy}"


def is_live(path: Path) -> bool:
    """Whether to write straight to a path: it is there and no regular file, or a name of something open."""
    try:
        if any(path.absolute().is_relative_to(folder) for folder in LIVE):
            return path.exists() and not path.is_dir()
        mode = path.stat().st_mode
    except OSError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def resolve_output(path: Path) -> Path:
    """The file to write, with symbolic links followed; a live path as it is.

    Raises OutputError where it could not be written: before a long run instead of after it.
    """
    try:
        if is_live(path):
            if not os.access(path, os.W_OK):
                raise OutputError(f"{path}: is not writable; check its permissions")
            return path
        target = path.resolve()
        if target.is_symlink():
            raise OutputError(f"{path}: {REMEDIES[errno.ELOOP]}")
        folder = target.parent
        if target.is_dir():
            raise OutputError(f"{path}: is a directory; name a file in it")
        if not folder.is_dir():
            raise OutputError(f"{path}: the directory {folder} does not exist; create it first")
        try:  # permissions do not tell: nobody may write into /proc
            tempfile.TemporaryFile(dir=folder).close()
        except OSError as error:
            raise OutputError(
                f"{path}: the directory {folder} takes no file ({error.strerror}); choose another"
            ) from error
    except RuntimeError as error:  # Python before 3.13, for a circle of links
        raise OutputError(f"{path}: {REMEDIES[errno.ELOOP]}") from error
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(explain(error, path)) from error
    return target


def check_distinct(outputs: Sequence[tuple[str, Path]], inputs: Iterable[Path] = ()) -> None:
    """Refuse two options that name one file, and an output that is an input.

    outputs: option -> path from `resolve_output`. Live paths may be shared.
    """
    files = [(option, path) for option, path in outputs if not is_live(path)]
    for index, (option, path) in enumerate(files):
        for other, taken in files[:index]:
            if _same(path, taken):
                raise OutputError(f"{path}: is named by {other} and by {option}; give each its own file")
        for read in inputs:
            if _same(path, read):
                raise OutputError(f"{path}: {option} would overwrite an input of this run; name another file")


def check_figure(path: Path) -> None:
    """Refuse a figure that is not named as the PNG it would be."""
    if path.suffix.lower() != ".png" and not is_live(path):
        raise OutputError(f"{path}: figures are PNG; name it {path.with_suffix('.png').name}")


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it appears complete or not at all, and survives a crash once it has appeared.

    A live path is written to as it is. Raises OutputError naming the path and the remedy.
    """
    target = resolve_output(path)
    try:
        if is_live(target):
            _write_straight(target, content)
        else:
            with written_whole(target.parent) as (file, destinations):
                file.write(content)
                destinations.append((target, None))
    except OSError as error:
        raise OutputError(explain(error, path)) from error


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write JSON atomically; NaN and infinities are refused, since JSON has none."""
    write_whole(path, (json.dumps(content, indent=2, allow_nan=False) + "\n").encode())


def _write_straight(path: Path, content: bytes) -> None:
    sys.stdout.flush()  # the path may be /dev/stdout: what was printed before comes before
    handle = _standard_stream(path)
    if handle is None:
        handle = os.open(path, os.O_WRONLY | os.O_APPEND)
    with os.fdopen(handle, "wb", buffering=0) as file:
        remaining = memoryview(content)
        while remaining:
            remaining = remaining[file.write(remaining) or 0 :]


def _standard_stream(path: Path) -> int | None:
    """Standard output or error once more where a path leads there: opened anew it would have a position of its own."""
    there = path.stat()
    for stream in (1, 2):
        try:
            if os.path.samestat(there, os.fstat(stream)):
                return os.dup(stream)
        except OSError:  # closed
            continue
    return None


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return one.resolve() == other.resolve()
