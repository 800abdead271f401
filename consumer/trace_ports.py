"""What the adapters tell a tracer, if there is one. Nothing here knows OpenTelemetry.

A context is the text of a W3C `traceparent` header. A span never carries a key, an identifier, a request's id or the
text of an error: there is no method that would take one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import Protocol, Self

ON_BEHALF: ContextVar[Collection[str]] = ContextVar("on_behalf", default=())
"""The contexts of the requests for which this task calls Amplitude now."""


@contextmanager
def on_behalf(contexts: Collection[str]) -> Iterator[None]:
    """Whatever is called meanwhile, by this task, is called for these requests."""
    token = ON_BEHALF.set(contexts)
    try:
        yield
    finally:
        ON_BEHALF.reset(token)


class Span(Protocol):
    """One piece of work, entered when it begins and left when it ends; an exception that leaves it is named by class.

    Never blocks, never raises.
    """

    @property
    def context(self) -> str | None:
        """What is to be handed on to whatever follows from this work."""
        ...

    def answered(self, status: int) -> None:
        """An HTTP status came back."""
        ...

    def failed(self, why: str) -> None:
        """It came to nothing. `why` is a word of a closed set."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Tracer(Protocol):
    """Where spans come from. Called from any thread; never blocks but in `close`, never raises."""

    def taking(self, topic: str, partition: int, offset: int, context: str | None) -> Span:
        """One record is being decided; `context` is its header's."""
        ...

    def committing(self, topic: str, records: int, contexts: Collection[str]) -> Span:
        """One transaction with so many records of the topic, for the requests of these contexts."""
        ...

    def telling(self, topic: str, context: str | None) -> str | None:
        """One outcome is being written. Returns the context for its header; None stays None."""
        ...

    def calling(self, method: str, host: str | None, template: str) -> Span:
        """One HTTP call, for the requests of `ON_BEHALF`. `template` is the path without its values; "" if unknown."""
        ...

    def close(self) -> None:
        """Send what is left, for a bounded time."""
        ...


class NoSpan:
    """Implements `Span` by nothing."""

    context = None

    def answered(self, status: int) -> None:
        """Nothing."""

    def failed(self, why: str) -> None:
        """Nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return


_NO_SPAN = NoSpan()


class NoTracer:
    """Implements `Tracer` by nothing; contexts pass unchanged."""

    def taking(self, topic: str, partition: int, offset: int, context: str | None) -> Span:
        """Nothing."""
        del topic, partition, offset, context
        return _NO_SPAN

    def committing(self, topic: str, records: int, contexts: Collection[str]) -> Span:
        """Nothing."""
        del topic, records, contexts
        return _NO_SPAN

    def telling(self, topic: str, context: str | None) -> str | None:
        """The same."""
        del topic
        return context

    def calling(self, method: str, host: str | None, template: str) -> Span:
        """Nothing."""
        del method, host, template
        return _NO_SPAN

    def close(self) -> None:
        """Nothing."""
