# SPDX-License-Identifier: BSD-2-Clause
"""SIGTERM and SIGHUP end a command as Ctrl-C does: by an exception, so that what it started and wrote is cleaned up."""

import contextlib
import signal
import sys
from collections.abc import Iterator
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGHUP)


class Terminated(SystemExit):
    """A signal asked this process to end; its exit code is 128 and the signal's number, as in a shell."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.signal = signal.Signals(number)


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """Within this, SIGTERM and SIGHUP raise Terminated in the main thread, once; what is ignored (nohup) stays so."""
    heeded = [number for number in SIGNALS if signal.getsignal(number) is signal.SIG_DFL]

    def end(number: int, frame: FrameType | None) -> None:
        # One is enough: another must not cut the clean-up short. Ctrl-C still does.
        for each in heeded:
            signal.signal(each, lambda *_: None)
        raise Terminated(number)

    for number in heeded:
        signal.signal(number, end)
    try:
        yield
    except Terminated as error:
        with contextlib.suppress(OSError):  # the terminal may be what has gone
            print(f"ended by {error.signal.name}: no file is left half written", file=sys.stderr, flush=True)
        raise
    finally:
        for number in heeded:
            signal.signal(number, signal.SIG_DFL)
