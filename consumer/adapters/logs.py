"""What the process prints about itself: one JSON object a line, or coloured lines on a terminal.

Our own lines hold numbers, names from the settings and reasons. Other libraries' lines and exceptions' texts can
quote an identifier, so nothing of theirs is printed but where it happened and the exception's class. librdkafka's
lines are the exception: they name brokers and states, which operators need, and are printed with whatever could be
a credential or an address masked.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
from collections.abc import Iterable
from types import TracebackType
from typing import Any, TextIO

import structlog

from consumer.domain.subject import Secret

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
MASK = "***"


def configure(level: str = "info", stream: TextIO = sys.stderr) -> None:
    """Set up logging of the whole process, once, before anything logs. `level` is a key of `LEVELS`.

    structlog's lines, the standard library's loggers, and exceptions that nobody caught, in any thread, all go to
    `stream`. JSON, unless the stream is a terminal.
    """
    renderer: Any = structlog.dev.ConsoleRenderer() if stream.isatty() else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _without_texts,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(stream),
    )
    logging.basicConfig(level=logging.WARNING, handlers=[_Foreign()], force=True)
    logging.captureWarnings(True)
    sys.excepthook = _crashed
    threading.excepthook = lambda crash: _crashed(crash.exc_type, crash.exc_value, crash.exc_traceback)


def places(trace: TracebackType | None) -> list[str]:
    """Where an exception passed, outermost first: module, function and line; no source text and no values."""
    found = []
    while trace is not None:
        code = trace.tb_frame.f_code
        found.append(f"{trace.tb_frame.f_globals.get('__name__', '?')}.{code.co_qualname}:{trace.tb_lineno}")
        trace = trace.tb_next
    return found


def _without_texts(_: Any, __: str, event: Any) -> Any:
    """`exc_info` becomes the class and the places: an exception's text may quote whatever it failed on."""
    info = event.pop("exc_info", None)
    if info:
        error = info if isinstance(info, BaseException) else (info[1] if isinstance(info, tuple) else sys.exception())
        if error is not None:
            event |= {"error": type(error).__qualname__, "at": places(error.__traceback__)}
    return event


def _crashed(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    structlog.get_logger().error("crashed", error=kind.__qualname__, at=places(trace))
    del error


class _Foreign(logging.Handler):
    """The standard library's log records: who, where, how bad, which exception; not a word of the text."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        where = f"{record.module}.{record.funcName}:{record.lineno}"
        error = record.exc_info[1] if record.exc_info else None
        level = record.levelname.lower() if record.levelname.lower() in LEVELS else "error"
        more = {"error": type(error).__qualname__, "at": places(error.__traceback__)} if error else {}
        getattr(structlog.get_logger(), level)("library", logger=record.name, where=where, **more)


_USERINFO = re.compile(r"[^\s/@\"'=]+@")
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")


class KafkaLog:
    """For confluent-kafka's `logger` setting: takes librdkafka's lines and prints them masked.

    It is called in whichever thread polls. `secrets` (passwords in `kafka.extra`) are masked wherever they occur, as
    is everything before an `@` and within quotation marks. Put it into the settings of each client:
    `{"logger": KafkaLog(...)}`.
    """

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        self._secrets = sorted((s.reveal() for s in secrets if s), key=len, reverse=True)

    def log(self, level: int, template: str, *said: object) -> None:
        """confluent-kafka calls it with the standard library's level and (facility, client, text)."""
        del template
        facility, client, text = (str(part) for part in said) if len(said) == 3 else ("", "", "")
        line = structlog.get_logger().bind(facility=facility, client=self.masked(client), said=self.masked(text))
        name = logging.getLevelName(level).lower()
        getattr(line, name if name in LEVELS else "error")("kafka")

    def masked(self, text: str) -> str:
        """The text without what could be a credential, an address or a value."""
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return _QUOTED.sub(MASK, _USERINFO.sub(f"{MASK}@", text))
