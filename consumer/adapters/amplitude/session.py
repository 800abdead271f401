"""One aiohttp session whose connector calls the gate and lets every call leave at most once.

Two things aiohttp does not offer by itself are decided here, in one public method of its connector:

- The gate runs with the connection in hand and before the request is written. aiohttp's tracing hooks fire at that
  moment too, but an exception raised from one leaves the open socket behind: it is in no pool and nobody closes it.
- aiohttp repeats GET and DELETE on its own when a reused connection breaks, without telling the caller. A repetition
  asks for a connection again, so it is stopped here; a call then means one request, which is what pacing relies on.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import aiohttp
from aiohttp.connector import Connection
from aiohttp.tracing import Trace

from consumer.domain.errors import CallFailed, Fault, Reason
from consumer.ports import Gate


class Departure:
    """One call on its way out. `left` says whether any of its bytes may have reached the server."""

    __slots__ = ("_gate", "left")

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self.left = False

    def leave(self) -> None:
        """Pass the gate, once. Whatever the gate raises passes unchanged, and then nothing has left."""
        self._gate()
        self.left = True


_current: ContextVar[Departure | None] = ContextVar("departure", default=None)


@contextmanager
def departing(departure: Departure) -> Iterator[None]:
    """Make `departure` the call that this task's next connection is for."""
    token = _current.set(departure)
    try:
        yield
    finally:
        _current.reset(token)


class GatedConnector(aiohttp.TCPConnector):
    """Hands out a connection only through the gate of the call it is for. Requests without one pass freely."""

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109  aiohttp's signature
    ) -> Connection:
        """As aiohttp's, then the gate. Raises what the gate raises, with the connection closed and nothing sent."""
        departure = _current.get()
        if departure is not None and departure.left:
            raise CallFailed(Fault.LOST, Reason.UNAVAILABLE)
        connection = await super().connect(req, traces, timeout)
        if departure is not None:
            try:
                departure.leave()
            except BaseException:
                connection.close()
                raise
        return connection


def open_session() -> aiohttp.ClientSession:
    """A session for any number of projects: no cookies between them, and no queue for connections, because every
    lane bounds its calls in flight and a wait would pass for an unreachable host. Must be called in a running loop."""
    return aiohttp.ClientSession(connector=GatedConnector(limit=0), cookie_jar=aiohttp.DummyCookieJar())
