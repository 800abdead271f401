"""What this member owns of the commands' topic: the consumer, each partition's ledger in memory, and where to read on.

Everything here happens in the Kafka thread, rebalances inside `read`, where no transaction is open. A partition is
read only while its ledger is restored, its intake is not halted or deferred, and there is room for more.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from math import isfinite
from typing import Any, Protocol

import orjson
from confluent_kafka import Consumer, TopicPartition

from consumer.adapters.kafka.flow import Flow
from consumer.adapters.kafka.halts import HaltWatch
from consumer.adapters.kafka.membership import Guard, committed, usable
from consumer.adapters.kafka.reading import record_of
from consumer.adapters.kafka.restore import Restore
from consumer.adapters.kafka.transaction import Topics
from consumer.domain.errors import Reason
from consumer.domain.glance import Standing
from consumer.ledger import Shard
from consumer.ports import StreamReport
from consumer.turn import Partition, Record

POLL_S = 0.02
TURN_RECORDS = 1_000
STATISTICS_MS = 10_000
"""Between two statistics of the client, 7 kB of JSON: they know the end of a partition also while it is not read."""


class Owner(Protocol):
    """Who is told about partitions that come and go. Called in the Kafka thread."""

    def opened(self, partition: Partition, epoch: int, shard: Shard, took_s: float) -> None:
        """A partition is owned and restored, which took so long."""
        ...

    def closing(self, partitions: Collection[Partition]) -> None:
        """Partitions will be gone when this returns; while it runs they are still ours, and may be written to."""
        ...

    def closed(self, partition: Partition) -> None:
        """A partition is no longer ours."""
        ...

    def rebalanced(self) -> None:
        """The group has shared its partitions out anew."""
        ...


class Assignment:
    """Joins the group on construction. `shards` are the restored partitions; `positions` the next offset to take."""

    def __init__(
        self,
        config: Mapping[str, Any],
        topics: Topics,
        shard_of: Callable[[], Shard],
        owner: Owner,
    ) -> None:
        self.shards: dict[Partition, Shard] = {}
        self.positions: dict[Partition, int] = {}
        self._epochs: Counter[Partition] = Counter()
        self._deferred: dict[Partition, float] = {}
        self._began: dict[Partition, float] = {}
        self._ends: dict[Partition, int] = {}
        self._joined = False
        self._topics, self._owner = topics, owner
        self._restore = Restore(config, topics.ledger, shard_of, self._restored)
        self._halts = HaltWatch(config, topics.ledger)
        own = {"enable.auto.commit": False, "auto.offset.reset": "earliest"}
        own |= {"statistics.interval.ms": STATISTICS_MS, "stats_cb": self._heard}
        self._consumer = Consumer(dict(config) | own)
        self._flow = Flow(self._consumer, topics.commands)
        callbacks = {"on_assign": self._assigned, "on_revoke": self._revoked, "on_lost": self._lost}
        self._guard = Guard()
        self._consumer.subscribe([topics.commands], **{name: self._guard(each) for name, each in callbacks.items()})

    def owns(self, partition: Partition, epoch: int) -> bool:
        """Whether that assignment of a restored partition still stands. From any thread."""
        return partition in self.shards and self._epochs[partition] == epoch

    def report(self, turned_at: float, proven_at: float, *, full: bool) -> StreamReport:
        """What there is to know about it now."""
        counts: Counter[str] = Counter()
        standings: Counter[Standing] = Counter()
        for shard in self.shards.values():
            counts.update(shard.counts())
            standings.update(shard.standings())
        intake = Reason.BACKLOG_FULL if full else Reason.REGISTRY_UNAVAILABLE if self._deferred else None
        return StreamReport(
            alive=True,
            turned_at=turned_at,
            proven_at=proven_at if isfinite(proven_at) else None,
            joined=self._joined,
            owned=tuple(sorted(self.shards)),
            restoring=tuple(sorted(self.positions.keys() - self.shards.keys())),
            halted={p: shard.halt.reason for p, shard in self.shards.items() if shard.halt is not None},
            intake=intake,
            standings=standings,
            lag={p: max(0, end - self.positions[p]) for p, end in self._ends.items() if p in self.shards},
            **counts,
        )

    def group(self) -> Any:
        """The member's place in the group, for a transaction; must be taken anew for each."""
        return self._consumer.consumer_group_metadata()

    def read(self) -> list[Record]:
        """The next records, after at most `POLL_S`, and a slice of any restore. Rebalances happen in here."""
        first = self._consumer.poll(POLL_S)
        self._guard.check()
        messages = [] if first is None else [first, *self._consumer.consume(TURN_RECORDS - 1, 0)]
        self._restore.advance()
        records = [record_of(m) for m in messages if usable(m)]
        return [r for r in records if r.partition in self.shards and r.offset >= self.positions[r.partition]]

    def stop(self, partitions: Collection[Partition]) -> None:
        """Read them again from their positions, once they are directed to flow."""
        self._flow.stop(partitions)

    def defer(self, partition: Partition, until: float) -> None:
        """Do not read the partition before that instant of the pacing clock."""
        self._deferred[partition] = until

    def halting(self, partition: Partition) -> None:
        """A halt of the partition is about to be committed: look out for its end."""
        self._halts.watch(partition)

    def not_halted(self, partition: Partition) -> None:
        """It was not committed after all."""
        self._halts.forget(partition)

    def lifted(self) -> set[Partition]:
        """The partitions whose halt a person has lifted since the last call."""
        lifted = self._halts.lifted() & self.shards.keys()
        for partition in lifted:
            self.shards[partition].put_halt(None)
        return lifted

    def direct(self, now: float, *, full: bool) -> None:
        """Let those partitions flow that are restored, not halted and not deferred; none while the backlog is full."""
        self._deferred = {p: until for p, until in self._deferred.items() if until > now}
        ready = {p for p, shard in self.shards.items() if shard.halt is None and p not in self._deferred}
        self._flow.direct(set() if full else ready, self.positions)

    def close(self) -> None:
        """Give everything up and leave the group."""
        self._give_up(list(self.shards))
        for part in (self._consumer, self._restore, self._halts):
            part.close()

    def _heard(self, statistics: str) -> None:
        """Where partitions end, for readers of committed records; -1 where the client does not know."""
        found = orjson.loads(statistics)["topics"].get(self._topics.commands, {}).get("partitions", {})
        self._ends = {Partition(int(p)): told["ls_offset"] for p, told in found.items() if told["ls_offset"] >= 0}

    def _assigned(self, consumer: Consumer, places: list[TopicPartition]) -> None:
        """New partitions stand still until their ledger is restored."""
        self._joined = True
        self._owner.rebalanced()
        if not places:
            return
        found = committed(consumer, places)
        consumer.incremental_assign(found)
        self._flow.assigned(Partition(place.partition) for place in found)
        for place in found:
            partition = Partition(place.partition)
            self._epochs[partition] += 1
            self.positions[partition] = place.offset
            self._began[partition] = time.monotonic()
            self._restore.begin(partition)

    def _restored(self, partition: Partition, shard: Shard) -> None:
        self.shards[partition] = shard
        if shard.halt is not None:
            self._halts.watch(partition)
        took_s = time.monotonic() - self._began.pop(partition)
        self._owner.opened(partition, self._epochs[partition], shard, took_s)

    def _revoked(self, _consumer: Consumer, places: Iterable[TopicPartition]) -> None:
        ours = [Partition(place.partition) for place in places]
        self._owner.closing([p for p in ours if p in self.shards])
        self._give_up(ours)

    def _lost(self, _consumer: Consumer, places: Iterable[TopicPartition]) -> None:
        self._give_up([Partition(place.partition) for place in places])

    def _give_up(self, partitions: Iterable[Partition]) -> None:
        for partition in partitions:
            self._epochs[partition] += 1
            self.positions.pop(partition, None)
            self._deferred.pop(partition, None)
            self._began.pop(partition, None)
            self._flow.forget(partition)
            self._halts.forget(partition)
            self._restore.drop(partition)
            if shard := self.shards.pop(partition, None):
                self._owner.closed(partition)
                shard.close()
