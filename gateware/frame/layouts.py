# SPDX-License-Identifier: BSD-2-Clause
"""Operations on the Pauli frame, and bases of measurements, declared once."""

from enum import IntEnum

OPERATION_BITS = 4


class Operation(IntEnum):
    """What an operation does to the frame."""

    X = 0  # a Pauli that is to be thought of as having happened to the first qubit
    Y = 1
    Z = 2
    H = 3  # a gate that is being played on the first qubit
    S = 4  # the frame after its inverse is the same
    CX = 5  # first qubit controls, second is the target
    CZ = 6
    CLEAR = 7  # the first qubit is prepared anew
    FLIP = 8  # the observable of that number is flipped
    FORGET = 9  # the observable of that number is prepared anew


BASIS_BITS = 2
"""Bit 0: an x in the frame turns the result over; bit 1: a z does."""

NO_BASIS, Z_BASIS, X_BASIS, Y_BASIS = range(4)

BASES = (
    "The frame has no part in it.",
    "Z: an x in the frame turns the result over.",
    "X: a z in the frame does.",
    "Y: either does, both do not.",
)
"""Meaning of each basis."""
