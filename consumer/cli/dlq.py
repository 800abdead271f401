"""`dsr dlq`: look at what could not be understood, and produce it again once the cause is mended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from consumer.adapters.kafka.reading import TopicReader
from consumer.adapters.kafka.redrive import Progress, Redrive, progress
from consumer.adapters.kafka.redrive import letters as read_letters
from consumer.cli import letters
from consumer.cli.connection import Connection, connect
from consumer.cli.options import AsJson, Embedded, File
from consumer.cli.printing import BAD, DIM, emit, plural, remark, say, show, shown, table
from consumer.domain.errors import Reason
from consumer.domain.letter import Letter

app = typer.Typer(no_args_is_help=True, help="Dead letters: look at them, produce them again.")

DEAD = (Reason.UNDECODABLE, Reason.UNKNOWN_SCHEMA, Reason.TRAILING_BYTES, Reason.EMPTY_RECORD, Reason.ROUTING_LOOP)
"""Why a record can be dead-lettered."""


def reason_of(text: str) -> str:
    """A reason for which records are dead-lettered; a usage error, which lists them, for anything else."""
    if text not in DEAD:
        raise typer.BadParameter(f"dead letters have one of these reasons: {', '.join(DEAD)}")
    return text


Why = Annotated[
    str | None,
    typer.Option("--reason", "-r", parser=reason_of, metavar="REASON", help="Only those with this reason."),
]
WHERE = "Like 17, or 3/17 for partition 3 if several have that offset."


@dataclass(frozen=True, slots=True)
class Place:
    """Where a person says that a letter is; without a partition, wherever that offset is."""

    offset: int
    partition: int | None = None


def place_of(text: str) -> Place:
    """`17` or `3/17`; a usage error for anything else."""
    partition, _, offset = text.rpartition("/")
    if not offset.isdecimal() or (partition and not partition.isdecimal()):
        raise typer.BadParameter("an OFFSET looks like 17 or 3/17")
    return Place(int(offset), int(partition) if partition else None)


Places = Annotated[list[Place] | None, typer.Argument(metavar="OFFSET", parser=place_of, help=WHERE)]


@app.command("list")
def list_letters(
    reason: Why = None,
    everything: Annotated[bool, typer.Option("--all", "-a", help="Also those that were produced again.")] = False,
    settings: File = None,
    embedded: Embedded = False,
    json: AsJson = False,
) -> None:
    """List the dead letters that wait: where, why, since when, from where. Never what is in them.

    \b
    Examples:
      dsr dlq list
      dsr dlq list --reason unknown_schema --all

    \b
    JSON, one a letter: {"partition","offset","reason","attempts","failed_at",
      "topic","topic_partition","topic_offset","size_bytes","redriven"}
    Exit codes: 0 listed; 2 usage or settings; 3 Kafka could not be reached.
    """
    connection = connect(settings, use_embedded=embedded)
    connection.reach()
    with connection.dead_letters() as reader:
        found, done = read_letters(reader), _progress(connection, reader)
    chosen = [letter for letter in found if reason in {None, letter.reason}]
    chosen = [letter for letter in chosen if everything or not _redriven(letter, done)]
    if json:
        for letter in chosen:
            emit(letters.as_json(letter, redriven=_redriven(letter, done)))
        return
    if not chosen:
        remark("no dead letters" if not found else f"none waits (of {len(found):,} in the topic; --all shows them)")
        return
    filled = table("place", "reason", "attempts", "failed at", "from", "bytes", "again", right=("attempts", "bytes"))
    for letter in chosen:
        again = "produced again" if _redriven(letter, done) else ""
        filled.add_row(
            f"{letter.partition}/{letter.offset}",
            letter.reason,
            str(letter.attempts),
            shown(letters.failed_at(letter)),
            "/".join(filter(None, letters.origin(letter))),
            f"{letter.size_bytes:,}",
            again,
        )
    show(filled)


@app.command("show")
def show_letter(
    place: Annotated[Place, typer.Argument(metavar="OFFSET", parser=place_of, help=WHERE)],
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Also what is in it: key, other headers, payload. Personal data.")
    ] = False,
    settings: File = None,
    embedded: Embedded = False,
    json: AsJson = False,
) -> None:
    """One dead letter: our headers, and with --reveal its content, in hex and decoded if it can be.

    \b
    Examples:
      dsr dlq show 17
      dsr dlq show 3/17 --reveal

    \b
    JSON: as `dsr dlq list`, and "headers"; with --reveal also
      "key_hex","value_hex","other_headers","decoded"
    Exit codes: 0 shown; 1 there is no such letter; 2 usage or settings; 3 Kafka
      could not be reached.
    """
    connection = connect(settings, use_embedded=embedded)
    connection.reach()
    with connection.codec() as codec, connection.dead_letters() as reader:
        done = _progress(connection, reader)
        (letter,) = _named(read_letters(reader), [place])
        told = letters.as_json(letter, redriven=_redriven(letter, done)) | {"headers": letter.ours()}
        if reveal:
            told |= letters.content(letter, codec)
    if json:
        emit(told)
        return
    headers = told.pop("headers")
    for name, value in told.items():
        say(f"{name:<16} {_SHOWN.get(value, value) if isinstance(value, bool | None) else value}")
    for name, value in headers.items():
        say(f"{name:<38} {value}")
    if not reveal:
        say("the content is not shown; --reveal shows it (personal data)", DIM)


_SHOWN = {None: "-", True: "yes", False: "no"}


@app.command()
def redrive(
    places: Places = None,
    reason: Why = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Say what would be produced, and stop.")] = False,
    settings: File = None,
    embedded: Embedded = False,
    json: AsJson = False,
) -> None:
    """Produce dead letters to the commands' topic again: all that wait, or the given ones, or those with a reason.

    Key, value and the producer's own headers are unchanged. Each letter is
    produced again once, whatever is killed when: records and progress are one
    transaction (progress is the committed offset of the group
    `<group>-redrive`). Naming an OFFSET that was produced again before produces
    it once more.

    \b
    Examples:
      dsr dlq redrive --dry-run
      dsr dlq redrive
      dsr dlq redrive --reason unknown_schema
      dsr dlq redrive 17 3/18

    \b
    JSON: as `dsr dlq list`, one a letter (to be) produced.
    Exit codes: 0 produced, or nothing waits; 1 there is no such letter; 2 usage
      or settings; 3 Kafka refused.
    """
    if places and reason:
        raise typer.BadParameter("name letters by OFFSET or by --reason, not both")
    connection = connect(settings, use_embedded=embedded)
    connection.reach()
    kafka = connection.kafka
    if connection.on_embedded or not kafka.verify_topics:
        remark("the embedded broker cannot remember what was produced again: a second redrive repeats it", DIM)
    with connection.dead_letters() as reader:
        if dry_run:
            _tell(_chosen(read_letters(reader), _progress(connection, reader), places, reason), json=json, dry_run=True)
            return
        targets = (kafka.commands, kafka.discovery_commands, kafka.discovery_tasks, kafka.discovery_results)
        with Redrive(connection.config, kafka.dead_letters, _group(connection), targets) as run:
            done = run.progress(reader.partitions())
            there = read_letters(reader)
            chosen = _chosen(there, done, places, reason)
            run.send(chosen, there, done)
    _tell(chosen, json=json, dry_run=False)


def _chosen(there: list[Letter], done: Progress, places: list[Place] | None, reason: str | None) -> list[Letter]:
    if places:
        return _named(there, places)
    return [letter for letter in there if not _redriven(letter, done) and reason in {None, letter.reason}]


def _tell(chosen: list[Letter], *, json: bool, dry_run: bool) -> None:
    if json:
        for letter in chosen:
            emit(letters.as_json(letter, redriven=not dry_run))
        return
    for letter in chosen:
        say(f"{letter.partition}/{letter.offset}  {letter.reason}")
    verb = "would be produced again" if dry_run else "produced again"
    remark(f"{plural(len(chosen), 'dead letter')} {verb}")


def _named(there: list[Letter], places: list[Place]) -> list[Letter]:
    """The letters at these places, each once and in the topic's order."""
    found = {id(letter): letter for place in places for letter in [_at(there, place)]}
    return sorted(found.values(), key=lambda letter: (letter.partition, letter.offset))


def _at(there: list[Letter], place: Place) -> Letter:
    fitting = [letter for letter in there if letter.offset == place.offset]
    fitting = [letter for letter in fitting if place.partition in {None, letter.partition}]
    if not fitting:
        remark("there is no such dead letter (any more)", BAD)
        raise typer.Exit(1)
    if len(fitting) > 1:
        named = ", ".join(f"{letter.partition}/{letter.offset}" for letter in fitting)
        raise typer.BadParameter(f"several partitions have that offset: {named}")
    return fitting[0]


def _group(connection: Connection) -> str:
    return f"{connection.kafka.group_id}-redrive"


def _progress(connection: Connection, reader: TopicReader) -> Progress:
    return progress(connection.config, connection.kafka.dead_letters, _group(connection), reader.partitions())


def _redriven(letter: Letter, done: Progress) -> bool:
    return letter.partition in done and letter.offset in done[letter.partition]
