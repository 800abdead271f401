"""`dsr ledger`: look after the only copy of the open legal duties: verify it, back it up, put a backup back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer

import schemas
from consumer.adapters.avro.codec import Codec
from consumer.adapters.kafka.durability import Durability, durability
from consumer.adapters.kafka.producing import Message
from consumer.adapters.kafka.reading import TopicReader
from consumer.adapters.kafka.refill import free, refill
from consumer.adapters.ledger_backup import About, Backup, Saved, save
from consumer.adapters.sealing import Keys
from consumer.adapters.wire import ledger_in
from consumer.cli.connection import Connection, connect
from consumer.cli.options import AsJson, File, now
from consumer.cli.printing import BAD, GOOD, emit, iso, plural, remark, say, shown
from consumer.domain.audit import SENTENCES, Audit, Defect, Line, Report
from consumer.domain.entry import RequestEntry
from consumer.domain.errors import DsrError, Fatal, Reason
from consumer.domain.subject import Millis
from consumer.ledger import CLOSED, headers_of
from consumer.turn import Record

app = typer.Typer(no_args_is_help=True, help="Verify the ledger, back it up, put a backup back.")

SHOWN = 10


@app.command()
def verify(
    replication: Annotated[int, typer.Option(min=1, help="Replicas that the ledger's topic should have.")] = 3,
    settings: File = None,
    json: AsJson = False,
) -> None:
    """Read the whole ledger as a member would restore it, and say what cannot be right. Changes nothing.

    Checked: replicas, in-sync replicas and what a write waits for; that every
    record can be decoded, stands under its own key and in its org's
    partition, and in one partition only. Safe beside a running service.

    \b
    Examples:
      dsr ledger verify
      dsr ledger verify --replication 1   # on a laptop

    \b
    JSON, once: {"topic","partitions","sound","replicas","in_sync",
      "min_insync_replicas","acks","records","open","closed","projects",
      "halts","forgotten","earliest_deadline","flaws":["..."],
      "flawed":[{"partition","offset","defect"}]}
    Exit codes: 0 sound; 1 something is wrong; 2 usage or settings; 3 Kafka
      could not be reached.
    """
    connection = connect(settings)
    connection.reach()
    topic = connection.kafka.ledger
    copies = durability(connection.config, topic) if connection.kafka.verify_topics else None
    with connection.codec() as codec, connection.ledger() as reader:
        partitions = len(reader.partitions())
        report = _audited(codec, reader, partitions)
    flaws = copies.flaws(replication) if copies else []
    if copies is None:
        remark("this broker cannot describe its topics (kafka.verify_topics = false): nothing is known of replicas")
    if json:
        emit({"topic": topic, "partitions": partitions, **_as_json(copies, report, flaws)})
    else:
        _tell(topic, copies, report, flaws)
    raise typer.Exit(1 if flaws or report.flawed else 0)


def _audited(codec: Codec, reader: TopicReader, partitions: int) -> Report:
    audit = Audit(partitions)
    for record in reader.to_end():
        audit.hear(_line(record, codec))
    return audit.report()


def _line(record: Record, codec: Codec) -> Line:
    closed = next((value for name, value in record.headers if name == CLOSED and value), None)
    about = _about(record.value, codec) if record.value is not None else None
    key = (record.key or b"").decode("utf-8", "replace")
    return Line(record.partition, record.offset, key, Millis(int(closed)) if closed else None, about)


def _about(value: bytes, codec: Codec) -> Any:
    try:
        return ledger_in(codec.decode(schemas.LEDGER, value))
    except (DsrError, ValueError):
        return Defect.UNREADABLE


def _tell(topic: str, copies: Durability | None, report: Report, flaws: list[str]) -> None:
    if copies is None:
        say(topic)
    else:
        say(
            f"{topic}: {plural(copies.partitions, 'partition')}, {plural(copies.replicas, 'replica')} each, "
            f"{copies.in_sync} in sync, acks=all with at least {copies.least_in_sync}"
        )
    first = f", the first deadline {shown(report.earliest)}" if report.earliest is not None else ""
    say(f"  {plural(report.open, 'open request')}{first}")
    say(f"  {plural(report.closed, 'closed request')}, kept so that nothing is done twice")
    say(
        f"  {plural(report.projects, 'project')} with state, {plural(report.halts, 'halt')}, "
        f"{plural(report.records, 'record')} in all"
    )
    for sentence in flaws:
        say(f"  {sentence}", BAD)
    for defect, count in report.by_defect.items():
        places = [f"{each.partition}@{each.offset}" for each in report.flawed if each.defect is defect]
        more = f" and {len(places) - SHOWN:,} more" if len(places) > SHOWN else ""
        said = f"{plural(count, 'record')} ({defect.value}): {SENTENCES[defect]}; {', '.join(places[:SHOWN])}{more}"
        say(f"  {said}", BAD)
    if flaws or report.flawed:
        say("not as it should be", BAD)
    else:
        say("sound", GOOD)


def _as_json(copies: Durability | None, report: Report, flaws: list[str]) -> dict[str, Any]:
    return {
        "sound": not flaws and not report.flawed,
        "replicas": copies.replicas if copies else None,
        "in_sync": copies.in_sync if copies else None,
        "min_insync_replicas": copies.least_in_sync if copies else None,
        "acks": "all",
        "records": report.records,
        "open": report.open,
        "closed": report.closed,
        "projects": report.projects,
        "halts": report.halts,
        "forgotten": report.forgotten,
        "earliest_deadline": iso(report.earliest),
        "flaws": flaws,
        "flawed": [{**each._asdict(), "defect": each.defect.value} for each in report.flawed],
    }


BackupFile = Annotated[Path, typer.Argument(metavar="FILE", help="The backup.", dir_okay=False)]


@app.command()
def export(
    file: BackupFile,
    to: Annotated[list[str], typer.Option("--to", metavar="AGE1...", help="age public key that can read it.")],
    settings: File = None,
    json: AsJson = False,
) -> None:
    """Back the ledger up into one file, encrypted with age: it names every person with an open request.

    Safe beside a running service: each partition is as it was at one instant.
    Everything is held in memory once: some 600 bytes for each open request.
    An existing file is replaced when the new one is whole.

    \b
    Example:
      dsr ledger export ledger.age --to age1ql3z7hjy54pw3hyww5ay...

    \b
    JSON, once: {"file","topic","partitions","records","bytes","taken"}
    Exit codes: 0 written; 1 a record is of a newer version, or damaged; 2 usage
      or settings; 3 Kafka could not be reached, or the file not be written.
    """
    connection = connect(settings)
    connection.reach()
    with connection.codec() as codec, connection.ledger() as reader:
        about = About(connection.kafka.ledger, len(reader.partitions()), now())
        latest = _latest(reader)
        save(file, _saved(latest, codec), about, to)
    size = file.stat().st_size
    if json:
        told = {"file": str(file), "topic": about.topic, "partitions": about.partitions, "records": len(latest)}
        emit(told | {"bytes": size, "taken": iso(about.taken)})
        return
    say(f"{plural(len(latest), 'record')} of {about.topic}, as of {shown(about.taken)}, in {size:,} bytes", GOOD)
    remark("keep the age identity somewhere else than the file: whoever has both reads every open request")


def _latest(reader: TopicReader) -> dict[tuple[int, bytes], bytes]:
    latest: dict[tuple[int, bytes], bytes] = {}
    for record in reader.to_end():
        place = record.partition, record.key or b""
        if record.value is None:
            latest.pop(place, None)
        else:
            latest[place] = record.value
    return latest


def _saved(latest: dict[tuple[int, bytes], bytes], codec: Codec) -> Iterator[Saved]:
    for (partition, key), value in sorted(latest.items()):
        try:
            yield Saved(partition, key.decode(), codec.decode(schemas.LEDGER, value))
        except (DsrError, ValueError):
            sentence = "the ledger holds a record that cannot be decoded; `dsr ledger verify` says where"
            raise Fatal(Reason.UNDECODABLE, sentence) from None


@app.command("import")
def import_(
    file: BackupFile,
    identity: Annotated[Path, typer.Option("--identity", "-i", metavar="FILE", help="age identity file.")],
    settings: File = None,
    json: AsJson = False,
) -> None:
    """Put a backup into an empty ledger, in one transaction: all of it, or nothing.

    Refused while a member is running, where the ledger holds anything, and
    where it has another number of partitions. What was asked after the backup
    is not in it: afterwards have the commands read again from that instant
    (the command is printed). What was done already is not done twice.

    \b
    Example:
      dsr topics create && dsr ledger import ledger.age -i key.txt

    \b
    JSON, once: {"topic","records","taken"}
    Exit codes: 0 written; 2 usage or settings; 3 refused, or Kafka could not
      be reached, or no identity opens the file, or it is damaged.
    """
    connection = connect(settings)
    connection.reach()
    keys = Keys.read(identity)
    with connection.codec() as codec, connection.ledger() as reader, closing(Backup(file, keys)) as backup:
        _fit(backup.about, len(reader.partitions()))
        free(connection.config, connection.kafka.group_id, reader)
        encode = codec.encoder(schemas.LEDGER)
        messages = (_message(each, connection.kafka.ledger, encode) for each in backup.records())
        written = refill(connection.config, connection.kafka.ledger, connection.kafka.group_id, messages)
    if json:
        emit({"topic": connection.kafka.ledger, "records": written, "taken": iso(backup.about.taken)})
        return
    say(f"{plural(written, 'record')} written to {connection.kafka.ledger}, as of {shown(backup.about.taken)}", GOOD)
    remark("before the first `dsr run`, have what came after it read again:")
    remark(f"  {_reset(connection, backup.about.taken)}")


def _fit(about: About, partitions: int) -> None:
    if about.partitions != partitions:
        said = f"the backup has {about.partitions} partitions, the topic {partitions}; they are fixed for life"
        raise Fatal(Reason.PARTITIONS_DIFFER, said)


def _message(saved: Saved, topic: str, encode: Callable[[dict[str, Any]], bytes]) -> Message:
    entry = ledger_in(saved.entry)
    headers = headers_of(entry) if isinstance(entry, RequestEntry) else ()
    return Message(topic, saved.key.encode(), encode(saved.entry), saved.partition, headers)


def _reset(connection: Connection, taken: Millis) -> str:
    kafka = connection.kafka
    return (
        f"kafka-consumer-groups --bootstrap-server {kafka.bootstrap_servers} --group {kafka.group_id} "
        f"--topic {kafka.commands} --reset-offsets --to-datetime {(iso(taken) or '').removesuffix('Z')}.000 --execute"
    )
