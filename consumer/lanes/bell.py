"""How a lane sleeps: until something about it changes, or until its next timer."""

from __future__ import annotations

import asyncio


class Bell:
    """For one sleeper, in one event loop."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Something changed."""
        self._rung.set()

    async def rest(self, wait_s: float | None) -> None:
        """Sleep until the bell rings, for `wait_s` seconds at most (None: without end).

        What rang before is forgotten: look at everything, without an await in between, and then rest.
        """
        self._rung.clear()
        timer = None if wait_s is None else asyncio.get_running_loop().call_later(wait_s, self._rung.set)
        try:
            await self._rung.wait()
        finally:
            if timer is not None:
                timer.cancel()
