"""A thread in which one member of a consumer group lives: it is made there, turns there, and leaves there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from consumer.adapters.probes import TURN_LIMIT_S, Verdict
from consumer.ports import Clock
from consumer.turn import Partition


class Member(Protocol):
    """Whoever owns a Kafka consumer. `joined`: the group gave it its partitions; `owned`: which ones."""

    joined: bool

    @property
    def owned(self) -> tuple[Partition, ...]:
        """From any thread."""
        ...

    def turn(self) -> None:
        """Work for a moment. Blocks for less than a second, except while a broker is away."""
        ...

    def close(self) -> None:
        """Leave the group."""
        ...


class MemberThread(threading.Thread):
    """Runs until `stop`, or until `failure` is set. `ended` is the last thing that the thread does."""

    def __init__(self, name: str, make: Callable[[], Member], clock: Clock, ended: Callable[[], None]) -> None:
        super().__init__(name=name, daemon=True)
        self._make, self._clock, self._ended = make, clock, ended
        self._stopping = threading.Event()
        self.member: Member | None = None
        self.failure: BaseException | None = None
        self.turned_at = clock.monotonic()

    def stop(self) -> None:
        """Ask the thread to finish its turn and to leave the group. From any thread; join it afterwards."""
        self._stopping.set()

    def run(self) -> None:
        """The thread. Whatever ends it is left in `failure`."""
        try:
            self.member = self._make()
            try:
                while not self._stopping.is_set():
                    self.turned_at = self._clock.monotonic()
                    self.member.turn()
            finally:
                self.member.close()
        except Exception as error:  # noqa: BLE001 (handed to whoever started the thread, who raises it)
            self.failure = error
        finally:
            self._ended()


class MemberProbes:
    """Whether a process of such members lives and is ready. Asked in the event loop; reads attributes only."""

    def __init__(self, threads: Sequence[MemberThread], clock: Clock) -> None:
        self._threads, self._clock, self._draining = threads, clock, False

    def drain(self) -> None:
        """From now on not ready: the process was asked to end."""
        self._draining = True

    def alive(self) -> Verdict:
        """Whether every thread turns. It never depends on anybody else: a restart does not mend Kafka."""
        now = self._clock.monotonic()
        stuck = [thread.name for thread in self._threads if now - thread.turned_at > TURN_LIMIT_S]
        ended = [thread.name for thread in self._threads if thread.failure is not None]
        return Verdict((*(f"{name}_stuck" for name in stuck), *(f"{name}_ended" for name in ended)))

    def ready(self) -> Verdict:
        """Whether every member has its place in its group."""
        out = [thread.name for thread in self._threads if not (thread.member and thread.member.joined)]
        owned = {thread.name: list(thread.member.owned) if thread.member else [] for thread in self._threads}
        failed = (*(["stopping"] if self._draining else []), *(f"{name}_not_in_the_group" for name in out))
        return Verdict(failed, {"owned": owned})
