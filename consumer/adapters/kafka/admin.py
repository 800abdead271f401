"""Making the topics the service needs, and finding out what is wrong with those that exist.

Nothing here changes a topic that exists: partition counts are fixed for life, and the rest is the operators' to decide.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import ceil, inf, isinf
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # imported there, not listed for type checkers
    AdminClient,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from consumer.adapters.kafka.topics import COMMAND_BYTES, DEAD_LETTER_ROOM_BYTES, EQUAL, FIXED, Role, TopicSpec
from consumer.domain.deadline import DAY_MS
from consumer.domain.errors import Fatal, Reason

TIMEOUT_S = 15.0
APPEARS_S = 3.0


class Flaw(StrEnum):
    """What `check` can find."""

    MISSING = "topic_missing"
    PARTITIONS_DIFFER = "partitions_differ"
    CLEANUP_POLICY = "cleanup_policy"
    MESSAGE_LIMIT = "message_limit"
    RETENTION_TOO_SHORT = "retention_too_short"
    DEDUPE_TOO_SHORT = "dedupe_too_short"


FATAL = {Flaw.MISSING: Reason.TOPIC_MISSING, Flaw.PARTITIONS_DIFFER: Reason.PARTITIONS_DIFFER}
FATAL |= {Flaw.DEDUPE_TOO_SHORT: Reason.DEDUPE_TOO_SHORT}
"""The flaws with which the service does not start: a command would be lost, or carried out twice."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with one topic. `wanted` and `found` are for people."""

    topic: str
    flaw: Flaw
    wanted: str = ""
    found: str = ""


@dataclass(frozen=True, slots=True)
class _Topic:
    partitions: int
    config: Mapping[str, str]


def create(conf: Mapping[str, Any], specs: Iterable[TopicSpec], replication: int = -1) -> tuple[str, ...]:
    """Make the topics that do not exist yet; returns their names. Those that exist are left as they are.

    `replication` -1 is the cluster's default. Blocks up to `TIMEOUT_S` for each topic.
    `Fatal(BROKER_UNREACHABLE)` when the cluster does not answer or refuses.
    """
    wanted = [NewTopic(spec.name, spec.partitions, replication, config=spec.config()) for spec in specs]
    if not wanted:
        return ()
    client = AdminClient(dict(conf))  # must stay referenced until the last result: its end cancels the futures
    made = []
    for name, future in client.create_topics(wanted, request_timeout=TIMEOUT_S).items():
        try:
            future.result(TIMEOUT_S)
            made.append(name)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise _refused("the topics were not made", error) from None
        except TimeoutError:
            raise Fatal(Reason.BROKER_UNREACHABLE, "no answer in time") from None
    return tuple(made)


def check(conf: Mapping[str, Any], specs: Iterable[TopicSpec], dedupe_ms: int | None = None) -> tuple[Finding, ...]:
    """What is wrong with the topics, in the order of `specs`; empty when all is well. Changes nothing.

    A limit or retention larger than asked for is no flaw. `dedupe_ms`, how long a request that has ended is
    remembered, must outlast every copy of its command. Blocks up to twice `TIMEOUT_S`.
    `Fatal(BROKER_UNREACHABLE)` when the cluster does not answer or refuses.
    """
    specs = tuple(specs)
    found = _look(conf, [spec.name for spec in specs])
    by_role = {spec.role: found[spec.name] for spec in specs if spec.name in found}
    findings = [finding for spec in specs for finding in _judge(spec, found.get(spec.name), by_role)]
    if dedupe_ms is not None and (needed := _replayable_ms(by_role)) > dedupe_ms:
        days = "for ever" if isinf(needed) else str(ceil(needed / DAY_MS))
        findings.append(Finding("dedupe_days", Flaw.DEDUPE_TOO_SHORT, days, str(dedupe_ms // DAY_MS)))
    return tuple(findings)


def _replayable_ms(by_role: Mapping[Role, _Topic]) -> float:
    """How old a command can be that is read once more: kept, dead-lettered and re-driven, and a week for people."""
    kept = [_retention(by_role[role]) for role in (Role.COMMANDS, Role.DEAD_LETTERS) if role in by_role]
    return sum(ms if ms >= 0 else inf for ms in kept) + 7 * DAY_MS


def _judge(spec: TopicSpec, topic: _Topic | None, by_role: Mapping[Role, _Topic]) -> Iterable[Finding]:
    if topic is None:
        yield Finding(spec.name, Flaw.MISSING)
        return
    commands, like = by_role.get(Role.COMMANDS), by_role.get(EQUAL.get(spec.role, spec.role))
    wanted = spec.partitions if spec.role in FIXED else like.partitions if like else topic.partitions
    if topic.partitions != wanted:
        yield Finding(spec.name, Flaw.PARTITIONS_DIFFER, str(wanted), str(topic.partitions))
    policy = topic.config.get("cleanup.policy", "")
    if policy != spec.cleanup:
        yield Finding(spec.name, Flaw.CLEANUP_POLICY, spec.cleanup.value, policy)
    limit, floor = _limit(topic), _least_limit(spec, commands)
    if limit < floor:
        yield Finding(spec.name, Flaw.MESSAGE_LIMIT, str(floor), str(limit))
    retention_ms = _retention(topic)
    if spec.retention_ms is not None and 0 <= retention_ms < spec.retention_ms:
        yield Finding(spec.name, Flaw.RETENTION_TOO_SHORT, str(spec.retention_ms), str(retention_ms))


def _least_limit(spec: TopicSpec, commands: _Topic | None) -> int:
    """Dead letters must hold whatever the commands' topic takes, also when its limit was raised or lowered."""
    if spec.role is Role.DEAD_LETTERS and commands is not None:
        return _limit(commands) + DEAD_LETTER_ROOM_BYTES
    return spec.max_message_bytes


def _retention(topic: _Topic) -> int:
    return int(topic.config.get("retention.ms", "-1"))


def _limit(topic: _Topic) -> int:
    return int(topic.config.get("max.message.bytes", str(COMMAND_BYTES)))


def _look(conf: Mapping[str, Any], names: list[str]) -> dict[str, _Topic]:
    client = AdminClient(dict(conf))
    try:
        listed = _listed(client, names)
        there = {name: len(listed[name].partitions) for name in names if name in listed and not listed[name].error}
        resources = [ConfigResource(ResourceType.TOPIC, name) for name in there]
        answers = client.describe_configs(resources, request_timeout=TIMEOUT_S) if resources else {}
        configs = {resource.name: future.result(TIMEOUT_S) for resource, future in answers.items()}
    except KafkaException as error:
        raise _refused("the topics could not be looked at", error) from None
    except TimeoutError:
        raise Fatal(Reason.BROKER_UNREACHABLE, "no answer in time") from None
    return {
        name: _Topic(there[name], {entry.name: entry.value for entry in config.values() if entry.value is not None})
        for name, config in configs.items()
    }


def _listed(client: AdminClient, names: Iterable[str]) -> Mapping[str, Any]:
    """Every topic's metadata. What is missing is looked for again for a moment: a controller says that it has made a
    topic before every broker has heard of it."""
    until = time.monotonic() + APPEARS_S
    while True:
        listed: Mapping[str, Any] = client.list_topics(timeout=TIMEOUT_S).topics
        if set(names) <= listed.keys() or time.monotonic() > until:
            return listed
        time.sleep(0.1)


def _refused(what: str, error: KafkaException) -> Fatal:
    return Fatal(Reason.BROKER_UNREACHABLE, f"{what}: {error.args[0].name()}")  # Kafka's code, never its message
