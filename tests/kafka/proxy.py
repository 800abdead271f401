"""A TCP proxy that misbehaves on request, between clients and a broker.

Let the broker advertise the proxy's port (`LocalKafka(advertised_port=...)`), or clients learn the real one at once.
Runs in its own thread with its own loop; the switches may be set from any thread.
"""

from __future__ import annotations

import asyncio
import threading
from enum import StrEnum
from typing import Self


class Mode(StrEnum):
    """What happens to bytes and connections."""

    PASS = "pass"
    STALL = "stall"  # bytes are kept, not lost, as in a network that hangs
    REFUSE = "refuse"  # new connections are reset


class FaultProxy:
    """`with FaultProxy(port) as proxy:` forwards 127.0.0.1:`proxy.port` to 127.0.0.1:`port`.

    `mode` and `delay_s` (added to each chunk, each way) take effect at once; `cut` resets every open connection.
    """

    def __init__(self, upstream_port: int, listen_port: int = 0) -> None:
        self._upstream_port = upstream_port
        self.port = listen_port
        self.mode = Mode.PASS
        self.delay_s = 0.0
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(5)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def cut(self) -> None:
        """Reset every open connection, in both directions."""
        self._loop.call_soon_threadsafe(self._abort)

    def _abort(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._connected, "127.0.0.1", self.port)

    async def _close(self) -> None:
        self._server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._abort()
        await asyncio.sleep(0)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.mode is Mode.REFUSE:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._upstream_port)
        except OSError:
            writer.transport.abort()
            return
        pair = {writer, far_writer}
        self._writers |= pair
        try:
            await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
        except OSError:
            pass  # one side is gone: so is the other
        finally:
            self._writers -= pair
            for each in pair:
                each.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(65_536):
            if self.delay_s:
                await asyncio.sleep(self.delay_s)
            while self.mode is Mode.STALL:  # noqa: ASYNC110  the switch is set from other threads
                await asyncio.sleep(0.01)
            writer.write(chunk)
            await writer.drain()
        writer.write_eof()
