"""Warnings that are given once, however often the same method is fitted.

Belongs here: leaving out repeats. Does not belong here: where log lines go.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

_PACKAGE = __name__.rpartition(".")[0]


@contextmanager
def each_warning_once() -> Iterator[None]:
    """Let each kind of warning of the recommenders through once within the block.

    A training fits a method up to three times on nearly the same rows. A kind is a message without
    its figures.
    """
    given: set[str] = set()

    def first(record: logging.LogRecord) -> bool:
        kind = str(record.msg)
        repeated = record.levelno >= logging.WARNING and kind in given
        given.add(kind)
        return not repeated

    # a filter of a parent does not see what its children log
    loggers = [
        logging.getLogger(name)
        for name in logging.root.manager.loggerDict
        if name.startswith(_PACKAGE)
    ]
    for logger in loggers:
        logger.addFilter(first)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(first)
