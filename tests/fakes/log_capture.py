"""The process's logging as `configure` sets it up, into memory, and everything put back afterwards."""

import io
import json
import logging
import sys
import threading
from contextlib import contextmanager

import structlog

from consumer.adapters import logs


class Lines(io.StringIO):
    """What was printed, and each line as an object."""

    @property
    def all(self):
        return [json.loads(line) for line in self.getvalue().splitlines()]


@contextmanager
def configured(level="info"):
    """`logs.configure` for a while."""
    root, hooks = logging.getLogger(), (sys.excepthook, threading.excepthook)
    before = root.handlers[:], root.level
    lines = Lines()
    logs.configure(level, lines)
    try:
        yield lines
    finally:
        structlog.reset_defaults()
        logging.captureWarnings(False)
        root.handlers[:], root.level = before[0], before[1]
        sys.excepthook, threading.excepthook = hooks
