"""`dsr watch`: what is being said, as it is said."""

from __future__ import annotations

import signal
from typing import Annotated, Any
from uuid import UUID

import typer
from confluent_kafka import OFFSET_BEGINNING

from consumer.adapters.kafka.reading import Positions, TopicReader
from consumer.cli import discovery_stories, stories
from consumer.cli.connection import connect
from consumer.cli.options import AsJson, Embedded, File, Since
from consumer.cli.printing import DIM, emit, remark
from consumer.domain.errors import Reason, Refused
from consumer.domain.subject import Millis


def watch(
    request: Annotated[UUID | None, typer.Argument(metavar="REQUEST", help="Only this request (or discovery).")] = None,
    project: Annotated[str | None, typer.Option("--project", "-p", metavar="NAME", help="Only this project.")] = None,
    since: Since = None,
    of_discoveries: Annotated[
        bool, typer.Option("--discoveries", help="What is said about discoveries and fields instead.")
    ] = False,
    settings: File = None,
    embedded: Embedded = False,
    json: AsJson = False,
) -> None:
    """Follow the outcomes as the service publishes them, one line each, until Ctrl-C.

    Of one REQUEST everything that was said so far comes first. No identifier is
    ever in an outcome: identities are named by their position in the command.

    \b
    Examples:
      dsr watch
      dsr watch 6f0c6a52-5d0e-4c1c-9a0b-3b6f2f0a7d11
      dsr watch --project shop --since 2h
      dsr watch --discoveries
      dsr watch --json | jq -r 'select(.stage == "held") | .subject_request_id'

    \b
    JSON: one DsrOutcome a line (or DiscoveryOutcome), its times in ISO 8601.
    Exit codes: 0 ended by you; 1 there is no such project; 2 usage or settings;
      3 Kafka could not be reached.
    """
    connection = connect(settings, use_embedded=embedded)
    if not connection.has(project):
        raise Refused(Reason.UNKNOWN_PROJECT)
    ended: list[int] = []
    signal.signal(
        signal.SIGTERM, lambda number, _: ended.append(number)
    )  # raised in the Kafka client it could get lost
    try:
        connection.reach()
        told = discovery_stories if of_discoveries else stories
        topic = connection.discoveries() if of_discoveries else connection.outcomes()
        about = str(request) if request else None
        with connection.codec() as codec, topic as reader:
            start = _start(reader, request, since)
            remark("following the outcomes; Ctrl-C ends it", DIM)
            for record in reader.follow(start):
                if ended:
                    break
                outcome = told.outcome_of(codec, record.value) if record else None
                if outcome is None or about not in {None, told.subject_of(outcome)}:
                    continue
                if project in {None, outcome["project"]} and _after(outcome, since):
                    emit(told.as_json(outcome)) if json else told.tell(outcome)
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


def _start(reader: TopicReader, request: UUID | None, since: int | None) -> Positions | None:
    """Where to begin; None is the end."""
    if since is not None:
        return reader.since(Millis(since))
    return dict.fromkeys(reader.partitions(), OFFSET_BEGINNING) if request else None


def _after(outcome: dict[str, Any], since: int | None) -> bool:
    """A record may have been written later than what it says was decided."""
    return since is None or outcome["occurred_time"] >= since
