"""Where tests get in between: around the producer, the HTTP client and the restore of a real member.

Everything here leans on `confluent_kafka.Producer`'s methods, on the `Privacy` port and on the names under which the
wiring finds its parts (`between`); nothing leans on how a transaction or a lane is written inside.
"""

import time
from functools import partial

from consumer import service
from consumer.adapters.amplitude.client import AmplitudeClient
from consumer.adapters.kafka import assignment
from consumer.adapters.kafka.restore import Restore
from consumer.adapters.kafka.transaction import Transactor
from consumer.domain.errors import LeaseLost


class Watch:
    """What a member is doing, told in the thread that does it. Override what matters; a method may block or kill."""

    def begun(self):
        """A transaction is open."""

    def closing(self, moved, topics):
        """All of a transaction is produced and none of it committed. `moved`: it carries offsets that moved."""

    def committing(self):
        """The broker is asked to commit, for the first time or again."""

    def ended(self, committed, began):
        """A transaction that was begun at `began` (monotonic) is over."""

    def leaving(self, method, access):
        """A call is about to ask whether it may leave."""

    def sent(self, method, access):
        """It may, and leaves now."""

    def answered(self, method, requester, understood):
        """A call that left has an answer that was `understood`, or none. `requester` is a POST's marker."""

    def restoring(self, partitions):
        """So many partitions are being restored."""


class WatchedProducer:
    """A `Producer` that tells a watch about its transactions.

    `hold`: nothing leaves the process before the transaction is closed, as when `linger.ms` is long. Not `fenced`: the
    offsets are sent only when they moved. `most_s`: a call to the coordinator times out after so long.
    """

    def __init__(self, producer, watch, *, hold=False, fenced=True, most_s=1e9):
        self._producer, self._watch, self._hold, self._fenced, self._most_s = producer, watch, hold, fenced, most_s
        self._last = {}

    def __getattr__(self, name):
        return getattr(self._producer, name)

    def begin_transaction(self):
        self._topics, self._held, self._offsets, self._began = set(), [], {}, time.monotonic()
        self._producer.begin_transaction()
        self._watch.begun()

    def produce(self, topic, *args, **kwargs):
        self._topics.add(topic)
        if self._hold:
            self._held.append((topic, args, kwargs))
        else:
            self._producer.produce(topic, *args, **kwargs)

    def send_offsets_to_transaction(self, offsets, group, timeout_s=-1):
        self._offsets = {(o.topic, o.partition): o.offset for o in offsets}
        moved = any(self._last.get(place) != offset for place, offset in self._offsets.items())
        self._watch.closing(moved, frozenset(self._topics))
        while self._held:
            topic, args, kwargs = self._held.pop(0)
            self._producer.produce(topic, *args, **kwargs)
        if moved or self._fenced:
            self._producer.send_offsets_to_transaction(offsets, group, min(timeout_s, self._most_s))

    def commit_transaction(self, timeout_s=-1):
        self._watch.committing()
        self._producer.commit_transaction(min(timeout_s, self._most_s))
        self._last |= self._offsets
        self._watch.ended(True, self._began)

    def abort_transaction(self, timeout_s=-1):
        self._producer.abort_transaction(min(timeout_s, self._most_s))
        self._watch.ended(False, self._began)


class WatchedTransactor(Transactor):
    """The real one, with a producer that is watched from its first transaction on."""

    def __init__(self, *args, watch, hold=False, fenced=True, most_s=1e9, **kwargs):
        super().__init__(*args, **kwargs)
        self._producer = WatchedProducer(self._producer, watch, hold=hold, fenced=fenced, most_s=most_s)


class WatchedClient(AmplitudeClient):
    """The real one, with a watch at every call's gate. Not `leased`: calls leave although their lease is lost."""

    def __init__(self, *args, watch, leased=True, **kwargs):
        super().__init__(*args, **kwargs)
        self._watch, self._leased = watch, leased

    async def schedule(self, access, call, gate):
        return await self._watched("POST", access, gate, partial(super().schedule, access, call), call.requester)

    async def jobs(self, access, start, end, gate):
        return await self._watched("GET", access, gate, partial(super().jobs, access, start, end))

    async def revoke(self, access, amplitude_id, day, gate):
        return await self._watched("DELETE", access, gate, partial(super().revoke, access, amplitude_id, day))

    async def _watched(self, method, access, gate, call, requester=""):
        left, understood = [], False

        def watched_gate():
            self._watch.leaving(method, access)
            try:
                gate()
            except LeaseLost:
                if self._leased:
                    raise
            left.append(True)
            self._watch.sent(method, access)

        try:
            answer = await call(watched_gate)
            understood = True
            return answer
        finally:
            if left:
                self._watch.answered(method, requester, understood)


class WatchedRestore(Restore):
    """The real one, telling how many partitions are under way."""

    def __init__(self, *args, watch, **kwargs):
        super().__init__(*args, **kwargs)
        self._watch, self._under_way = watch, set()

    def begin(self, partition):
        self._under_way.add(partition)
        self._watch.restoring(len(self._under_way))
        super().begin(partition)

    def drop(self, partition):
        super().drop(partition)
        self._under_way.discard(partition)
        self._watch.restoring(len(self._under_way))


def between(watch, *, leased=True, **producer):
    """Where the wiring finds its parts, and what to put there: (module, name, part), for `setattr`."""
    yield service, "Transactor", partial(WatchedTransactor, watch=watch, **producer)
    yield service, "AmplitudeClient", partial(WatchedClient, watch=watch, leased=leased)
    yield assignment, "Restore", partial(WatchedRestore, watch=watch)
