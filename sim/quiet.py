# SPDX-License-Identifier: BSD-2-Clause
"""Elaboration without LiteX's account of it."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet() -> Iterator[None]:
    """Keep LiteX's account of its own work, and warnings about its string literals, off the terminal."""
    previous = logging.root.manager.disable
    logging.disable(logging.INFO)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "invalid escape sequence")
            yield
    finally:
        logging.disable(previous)
