"""The pocket Amplitude on an event loop of its own, in a thread, for callers that have no loop or must not share it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self, TypeVar

from consumer.sandbox.amplitude.server import PocketAmplitude

T = TypeVar("T")
STOP_S = 10.0


class PocketThread:
    """A context manager that starts and stops a server in a daemon thread. `pocket` may be read from any thread;
    anything that changes it should go through `run`."""

    def __init__(self, pocket: PocketAmplitude) -> None:
        self.pocket = pocket
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="pocket-amplitude", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self.run(self.pocket.start)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.run(self.pocket.stop)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(STOP_S)
        self._loop.close()

    def run(self, step: Callable[[], Awaitable[T]]) -> T:
        """Run a coroutine function on the server's loop and wait for its result."""

        async def stepping() -> T:
            return await step()

        return asyncio.run_coroutine_threadsafe(stepping(), self._loop).result(STOP_S)
