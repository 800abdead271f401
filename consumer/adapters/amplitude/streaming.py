"""Bodies as they arrive: whole and bounded, or piece by piece. A line that breaks is a failure of ours."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp

from consumer.adapters.amplitude.reply import TooLarge
from consumer.domain.errors import CallFailed, Fault, Reason

LIMIT_BYTES = 1 << 20


async def received(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """The body as it arrives. Raises `CallFailed(LOST)` where the connection breaks off."""
    try:
        async for piece in response.content.iter_any():
            yield piece
    except (aiohttp.ClientError, OSError):
        broken = True
    else:
        broken = False
    if broken:
        raise CallFailed(Fault.LOST, Reason.UNAVAILABLE, response.status)


async def read_bounded(response: aiohttp.ClientResponse, limit_bytes: int = LIMIT_BYTES) -> bytes:
    """The whole body. `TooLarge` above the limit; the rest is not read."""
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > limit_bytes:
            raise TooLarge
    return bytes(body)
