# SPDX-License-Identifier: BSD-2-Clause
"""What a board may refuse or fail to do. Each message names what was wrong, the value, and what to do next."""


class BoardError(RuntimeError):
    """Any failure of a board."""


class AddressError(BoardError, ValueError):
    """No register is there, or it cannot be accessed like this."""


class RegisterValueError(BoardError, ValueError):
    """A value does not fit the register it is meant for."""


class ProgramError(BoardError, ValueError):
    """A program, or the rounds of a run, do not fit this board. Nothing was written."""


class IdentityError(BoardError):
    """The gateware in the board is not the one that the host expects."""


class RecordStreamError(BoardError):
    """The record stream has a gap or a record out of order."""


class UntrustedError(BoardError):
    """A record was made without a table that passed its check."""


class RunTimeoutError(BoardError, TimeoutError):
    """A run did not end within its limit; the board has been stopped."""


class SafeStateError(BoardError):
    """The board went safe before the run was over."""


class BuildError(BoardError):
    """The simulated board could not be built: a tool is missing, or failed."""


class UrlError(BoardError, ValueError):
    """No driver is for this URL, or a part of the address is missing or out of range."""


class BoardClosedError(BoardError):
    """The board was closed."""


class UnsupportedError(BoardError):
    """The board lacks the feature; its descriptor says so."""


class LinkError(BoardError):
    """The board cannot be reached."""


class LinkTimeoutError(LinkError, TimeoutError):
    """The board does not answer. Whether it has done what it was asked last is not known."""


class SessionLostError(LinkError):
    """Somebody else uses the board now."""


class BusError(BoardError):
    """Nothing answers at an address of the board's bus."""
