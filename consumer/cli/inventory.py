"""`dsr inventory`: what is known of a project: which fields hold which kinds of personal data."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, NamedTuple

import typer

from consumer.adapters.avro.codec import Codec
from consumer.adapters.avro.source import DirectorySource
from consumer.adapters.discovery_ledger import ShelfReader
from consumer.adapters.kafka.remembering import read_back
from consumer.cli.connection import Connection, connect
from consumer.cli.options import Embedded, File
from consumer.cli.printing import DIM, remark
from consumer.discovery.draft import Shelf
from consumer.discovery.inventory import Inventory
from consumer.domain.errors import Reason, Refused
from consumer.domain.hours import count
from consumer.domain.hours import text as hour_text
from consumer.domain.routing import partition_of
from consumer.domain.subject import OrgId, ProjectId
from consumer.turn import Partition
from scanner.cli import options
from scanner.cli.options import GradeName
from scanner.cli.printing import errors_told
from scanner.cli.scan import Telling, origin_of
from scanner.ports import Scanned
from scanner.rules import load
from scanner.summary import Summary, Tally


def inventory(
    project: Annotated[str, typer.Argument(metavar="PROJECT", help="The project's name in the settings.")],
    format: options.FormatOption = None,  # noqa: A002 (the option's name)
    output: options.Output = None,
    allow: options.Allow = None,
    baseline: options.BaselineFile = None,
    fail_on: options.FailOn = GradeName.LIKELY,
    min_grade: options.MinGrade = GradeName.POSSIBLE,
    settings: File = None,
    embedded: Embedded = False,
) -> None:
    """Say which fields of a project hold which kinds of personal data, as far as its exports were scanned.

    Values are never shown: nobody has them. What was scanned, and how far, is
    said below the table; `dsr submit discover` scans more.

    \b
    Examples:
      dsr inventory shop
      dsr inventory shop -o shop.html
      dsr inventory shop -f json -o last.json
      dsr inventory shop --baseline last.json

    \b
    Formats as of `dsr scan`.
    Exit codes: 0 clean, 1 findings at or above --fail-on, or nothing was scanned
      yet; 2 usage or settings; 3 Kafka could not be reached.
    """
    connection = connect(settings, use_embedded=embedded)
    if not connection.has(project):
        raise Refused(Reason.UNKNOWN_PROJECT)
    connection.reach()
    known = of_project(connection, project)
    if known is None:
        remark(f"nothing of {project} was scanned yet: `dsr submit discover -p {project}` asks for it")
        raise typer.Exit(1)
    told = Telling(format, output, allow, baseline, fail_on, min_grade)
    with errors_told():
        rules = load(connection.settings.discovery.rules)
        code = told.tell(known.scanned, rules, told.judgement(), origin_of([project]))
    remark(_covered(known.inventory), DIM)
    raise typer.Exit(code)


class Known(NamedTuple):
    """What is known of a project: its inventory, and the same as if it had been one scan."""

    inventory: Inventory
    scanned: Scanned


def of_project(connection: Connection, project: str) -> Known | None:
    """Read what Kafka remembers of the project; None if nothing of it was scanned. Blocks."""
    shelf = _shelf(connection, project)
    found = shelf.inventories.get(ProjectId(project))
    return Known(found, _scanned(found, shelf)) if found is not None and found.covered else None


def _shelf(connection: Connection, project: str) -> Shelf:
    """Everything in the project's partition, read to its end."""
    kafka = connection.kafka
    partition = Partition(partition_of(OrgId(project), kafka.partitions))
    with connection.codec() as public:
        reader = ShelfReader(Codec(DirectorySource()), public)
        sinks = {kafka.discovery_ledger: reader.entry, kafka.inventory: reader.line}
        read_back(connection.config | {"group.id": "dsr-reader"}, partition, sinks)
        return reader.shelf()


def _scanned(found: Inventory, shelf: Shelf) -> Scanned:
    """The inventory as if it were one scan, with the bytes and lines of all discoveries that are remembered. How fast
    it was, and by which engines, nobody knows."""
    account: Counter[str] = Counter()
    for discovery in shelf.discoveries.values():
        if discovery.project == found.project:
            account.update(discovery.account)
    tally = Tally(found.tally.seen, found.tally.rows, dict(account))
    return Scanned(Summary(frozenset(), "", found.fingerprints, tally), "", 0.0)


def _covered(found: Inventory) -> str:
    spans = [f"{hour_text(span.first)} to {hour_text(span.last)}" for span in found.covered]
    more = f" and {len(spans) - 3} more spans" if len(spans) > 3 else ""
    return f"scanned so far: {count(found.covered):,} upload hours: {', '.join(spans[:3])}{more}"
