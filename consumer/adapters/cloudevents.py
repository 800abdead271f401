"""The headers of an outcome: CloudEvents 1.0 in Kafka's binary mode, and the W3C trace context it belongs to."""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import quote

from consumer.domain.deadline import at
from consumer.domain.discovery.outcome import Outcome as DiscoveryOutcome
from consumer.domain.statement import Outcome
from consumer.domain.subject import Millis, ProjectId

Headers = tuple[tuple[str, bytes], ...]

_ALWAYS: Headers = (("ce_specversion", b"1.0"), ("content-type", b"application/avro"))


def headers(outcome: Outcome, context: str | None) -> Headers:
    """`ce_id` is the outcome's id, `ce_subject` the request's; `context` the `traceparent` that it goes out with."""
    project = outcome.entry.project if outcome.entry else None
    return _told("dsr.outcome", outcome, project, outcome.request_id, context)


def discovery_headers(outcome: DiscoveryOutcome) -> Headers:
    """As `headers`; `ce_subject` is the discovery's id."""
    return _told("dsr.discovery", outcome, outcome.project, outcome.discovery_id, outcome.traceparent)


def _told(
    family: str,
    outcome: Outcome | DiscoveryOutcome,
    project: ProjectId | None,
    subject: str | None,
    context: str | None,
) -> Headers:
    told = {
        "ce_id": outcome.outcome_id,
        "ce_type": f"{family}.{outcome.kind.value}",
        "ce_source": _source(project),
        "ce_time": _time(outcome.occurred),
        "ce_subject": subject,
        "traceparent": context,
    }
    return (*_ALWAYS, *((name, value.encode()) for name, value in told.items() if value))


@lru_cache(maxsize=16)
def _time(occurred: Millis) -> str:
    """The same for all outcomes of one turn."""
    return at(occurred).isoformat(timespec="milliseconds")


@lru_cache(maxsize=4096)
def _source(project: ProjectId | None) -> str:
    return f"/amplitude-dsr/projects/{quote(project, safe='')}" if project else "/amplitude-dsr"
