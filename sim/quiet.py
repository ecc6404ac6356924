# SPDX-License-Identifier: BSD-2-Clause
"""Elaboration without LiteX's account of it."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet() -> Iterator[None]:
    """Keep LiteX's account of its own work, and warnings about its string literals, off the terminal."""
    root = logging.getLogger()
    previous, level, handlers = logging.root.manager.disable, root.level, list(root.handlers)
    logging.disable(logging.INFO)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "invalid escape sequence")
            yield
    finally:
        logging.disable(previous)
        # LiteX sets up logging for the whole process as it is imported, and every other library would be heard.
        root.setLevel(level)
        for handler in set(root.handlers) - set(handlers):
            root.removeHandler(handler)
