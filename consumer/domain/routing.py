"""Which partition an org's commands belong to: Kafka's own murmur2, so any Java or librdkafka producer agrees."""

from __future__ import annotations

from functools import lru_cache

from consumer.domain.subject import OrgId

_M = 0x5BD1E995
_SEED = 0x9747B28C
_WORD = 0xFFFFFFFF

MAX_HOPS = 3
"""A record re-produced more often than this meets members whose settings differ: it is dead-lettered instead."""


def murmur2(data: bytes) -> int:
    """Kafka's 32-bit murmur2 (`org.apache.kafka.common.utils.Utils.murmur2`), unsigned."""
    h = (_SEED ^ len(data)) & _WORD
    whole = len(data) & ~3
    for at in range(0, whole, 4):
        k = int.from_bytes(data[at : at + 4], "little") * _M & _WORD
        h = (h * _M & _WORD) ^ ((k ^ (k >> 24)) * _M & _WORD)
    if tail := data[whole:]:
        h = (h ^ int.from_bytes(tail, "little")) * _M & _WORD
    h = (h ^ (h >> 13)) * _M & _WORD
    return h ^ (h >> 15)


@lru_cache(maxsize=65_536)
def partition_of(org: OrgId, partitions: int) -> int:
    """The org's partition, as Kafka's default partitioner finds it for the org's UTF-8 bytes as key."""
    return (murmur2(org.encode()) & 0x7FFFFFFF) % partitions
