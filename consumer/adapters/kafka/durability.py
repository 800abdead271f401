"""How many copies of a topic there are, and how many a write needs: what stands between it and a lost disk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from confluent_kafka import KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # imported there, not listed for type checkers
    AdminClient,
    ConfigResource,
    ResourceType,
)

from consumer.adapters.kafka.reading import lost
from consumer.domain.errors import Fatal, Reason

TIMEOUT_S = 15.0


class Durability(NamedTuple):
    """Of the partition that is worst off: `replicas`, and how many of them are `in_sync` now. `least_in_sync`: without
    so many no write is taken. Writes here always wait for all that are in sync (acks=all): they are transactions."""

    partitions: int
    replicas: int
    in_sync: int
    least_in_sync: int

    def flaws(self, wanted: int) -> list[str]:
        """What is wrong, in sentences, where `wanted` replicas are."""
        enough = min(2, wanted)
        told = {
            f"{self.replicas} replicas; {wanted} are wanted": self.replicas < wanted,
            f"a write waits for {self.least_in_sync} replicas only; min.insync.replicas should be {enough}": (
                self.least_in_sync < enough
            ),
            f"only {self.in_sync} of {self.replicas} replicas are in sync": self.in_sync < self.replicas,
            f"min.insync.replicas = {self.least_in_sync} of {self.replicas}: no broker may be restarted": (
                1 < self.replicas <= self.least_in_sync
            ),
        }
        return [sentence for sentence, is_true in told.items() if is_true]


def durability(config: Mapping[str, Any], topic: str) -> Durability:
    """Ask the cluster. Blocks up to half a minute. `Fatal(TOPIC_MISSING)`, `Fatal(BROKER_UNREACHABLE)`."""
    client = AdminClient({**config, "log_level": 0})
    try:
        found = client.list_topics(topic, timeout=TIMEOUT_S).topics[topic]
        if found.error is not None:
            raise Fatal(Reason.TOPIC_MISSING, f"{topic} does not exist; `dsr topics create` makes it")
        resource = ConfigResource(ResourceType.TOPIC, topic)
        answer = client.describe_configs([resource], request_timeout=TIMEOUT_S)[resource].result(TIMEOUT_S)
    except KafkaException as error:
        raise Fatal(Reason.BROKER_UNREACHABLE, lost(error.args[0])) from None
    except TimeoutError:
        raise Fatal(Reason.BROKER_UNREACHABLE, "no answer in time") from None
    partitions = found.partitions.values()
    least = answer.get("min.insync.replicas")
    return Durability(
        len(partitions),
        min(len(each.replicas) for each in partitions),
        min(len(each.isrs) for each in partitions),
        int(least.value) if least is not None else 1,
    )
