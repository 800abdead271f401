"""The AsyncAPI 3 document of all topics, made from the tables that the service itself uses.

Pure: topic specs in, a document out. `schemas/asyncapi.yaml` is the one of the default settings.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import schemas
from consumer.adapters.kafka.topics import Cleanup, Role, TopicSpec

Document = dict[str, Any]


class Way(NamedTuple):
    """What a topic is to others. `action` is the service's own: it receives commands, and sends what others read;
    None: it is the service's alone."""

    subject: str | None
    action: str | None
    key: str
    tells: str


WAYS = {
    Role.COMMANDS: Way(
        schemas.COMMANDS,
        "receive",
        "Org or project; any key is correct.",
        "What to do: erase, copy, cancel and more. Each command is answered on the outcomes' topic.",
    ),
    Role.OUTCOMES: Way(
        schemas.OUTCOMES,
        "send",
        "Subject request id.",
        "What became of requests, exactly once for read_committed readers.",
    ),
    Role.DEAD_LETTERS: Way(
        None, "send", "As received.", "Records that nobody can answer, as they came. May hold anything: protect it."
    ),
    Role.LEDGER: Way(
        schemas.LEDGER,
        None,
        "Request and project, copy and org, or project.",
        "The service's memory, and the only copy of open legal duties: replicate it.",
    ),
    Role.DISCOVERY_COMMANDS: Way(
        schemas.DISCOVERY_COMMANDS, "receive", "Project.", "Which hours of a project to scan."
    ),
    Role.DISCOVERY_TASKS: Way(schemas.DISCOVERY_TASKS, None, "Project and slot.", "Windows of hours for workers."),
    Role.DISCOVERY_RESULTS: Way(schemas.DISCOVERY_RESULTS, None, "Project.", "What workers found in a window."),
    Role.DISCOVERY_LEDGER: Way(
        schemas.DISCOVERY_LEDGER, None, "Project and part.", "What was covered, and what is open."
    ),
    Role.DISCOVERY_OUTCOMES: Way(
        schemas.DISCOVERY_OUTCOMES,
        "send",
        "Discovery id.",
        "Progress and ends of discoveries; fields that became dirty or clean.",
    ),
    Role.INVENTORY: Way(
        schemas.INVENTORY,
        "send",
        "Project, event type, field and data type.",
        "Which fields hold which kinds of personal data, as far as is known now.",
    ),
}

_CLOUDEVENT = {
    "ce_specversion": "Always 1.0.",
    "ce_id": "The outcome's id: deterministic, so safe to deduplicate on.",
    "ce_type": "dsr.outcome or dsr.discovery, and the kind.",
    "ce_source": "The project.",
    "ce_time": "When it was said.",
    "ce_subject": "The request's, or the discovery's, id.",
    "traceparent": "W3C trace context: the command's, or, where that is traced, that of a span of ours below it.",
}
_WHY_DEAD = {
    "dsr.reason": "Why nobody can answer it.",
    "dsr.attempts": "How often it was dead-lettered.",
    "dsr.failed_at": "When.",
}


HEADERS = {Role.OUTCOMES: _CLOUDEVENT, Role.DISCOVERY_OUTCOMES: _CLOUDEVENT, Role.DEAD_LETTERS: _WHY_DEAD}
AVRO = "application/vnd.apache.avro;version=1.9.0"


def document(specs: Iterable[TopicSpec], version: str) -> Document:
    """The document for these topics."""
    found = list(specs)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Amplitude DSR",
            "version": version,
            "description": "Privacy requests against Amplitude that finish by themselves.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/avro",
        "channels": {_name(spec.role): _channel(spec) for spec in found},
        "operations": {
            f"{action}_{_name(spec.role)}": _operation(spec, action)
            for spec in found
            if (action := WAYS[spec.role].action) is not None
        },
        "components": {"messages": {_name(spec.role): _message(spec) for spec in found}},
    }


def _name(role: Role) -> str:
    return role.name.lower()


def _channel(spec: TopicSpec) -> Document:
    topic: Document = {"cleanup.policy": [spec.cleanup.value], "max.message.bytes": spec.max_message_bytes}
    if spec.cleanup is Cleanup.DELETE:
        topic["retention.ms"] = spec.retention_ms
    return {
        "address": spec.name,
        "description": WAYS[spec.role].tells,
        "messages": {_name(spec.role): {"$ref": f"#/components/messages/{_name(spec.role)}"}},
        "bindings": {"kafka": {"topic": spec.name, "partitions": spec.partitions, "topicConfiguration": topic}},
    }


def _operation(spec: TopicSpec, action: str) -> Document:
    return {"action": action, "channel": {"$ref": f"#/channels/{_name(spec.role)}"}, "summary": WAYS[spec.role].tells}


def _message(spec: TopicSpec) -> Document:
    way = WAYS[spec.role]
    told: Document = {
        "name": way.subject or spec.name,
        "contentType": "application/avro",
        "bindings": {"kafka": {"key": {"type": "string", "description": way.key}}},
    }
    if way.subject is not None:
        told["bindings"]["kafka"] |= {"schemaIdLocation": "payload", "schemaIdPayloadEncoding": "confluent"}
        told["payload"] = {
            "schemaFormat": "application/vnd.apache.avro;version=1.9.0",
            "schema": schemas.load(way.subject),
        }
    if headers := HEADERS.get(spec.role):
        properties = {name: {"type": "string", "description": text} for name, text in headers.items()}
        told["headers"] = {"type": "object", "properties": properties}
    return told
