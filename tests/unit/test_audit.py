"""Whether a ledger is sound, record by record."""

from dataclasses import replace

import pytest

from consumer.domain.audit import SENTENCES, Audit, Defect, Line
from consumer.domain.errors import Reason
from consumer.domain.halt import HALT_KEY, Halt
from consumer.domain.project import ProjectState
from consumer.domain.routing import partition_of
from tests.fakes.commands import NOW, accepted
from tests.fakes.entries import lives

PARTITIONS = 6
OPEN = accepted("u-1")
HOME = partition_of(OPEN.org, PARTITIONS)
CLOSED = lives(1)["closed"]


def line(about, key=None, partition=HOME, offset=0, closed=None):
    return Line(partition, offset, key or about.key, closed, about)


def report(*lines):
    audit = Audit(PARTITIONS)
    for each in lines:
        audit.hear(each)
    return audit.report()


def test_a_sound_ledger_is_counted():
    """Open and closed, projects, halts and what was forgotten; only the last version of each counts."""
    found = report(
        line(OPEN),
        line(OPEN._replace(deadline=OPEN.deadline - 1), offset=1),
        line(CLOSED._replace(request_id="other"), offset=2, closed=CLOSED.closed),
        line(ProjectState("shop"), "project/shop", offset=3),
        line(Halt(Reason.TOO_MANY_DEAD_LETTERS, NOW, 7), HALT_KEY, offset=4),
        line(accepted("u-9")._replace(request_id="gone"), offset=5),
        line(None, "gone/shop", offset=6),
    )
    assert (7, 1, 1, 1, 1, 1) == (
        found.records,
        found.open,
        found.closed,
        found.projects,
        found.halts,
        found.forgotten,
    )
    assert OPEN.deadline - 1 == found.earliest
    assert () == found.flawed


@pytest.mark.parametrize(
    ("defect", "lines"),
    [
        (Defect.UNREADABLE, [line(Defect.UNREADABLE, "k")]),
        (Defect.KEY_DIFFERS, [line(OPEN, "another")]),
        (Defect.KEY_DIFFERS, [line(ProjectState("shop"), "project/other")]),
        (Defect.WRONG_PARTITION, [line(OPEN, partition=(HOME + 1) % PARTITIONS)]),
        (Defect.CLOSED_DIFFERS, [line(CLOSED, closed=CLOSED.closed + 1)]),
        (Defect.CLOSED_DIFFERS, [line(OPEN, closed=NOW)]),
    ],
)
def test_every_defect_is_found_and_a_later_version_mends_it(defect, lines):
    """A tombstone, too."""
    found = report(*lines)
    assert [defect] == [each.defect for each in found.flawed]
    assert {defect: 1} == dict(found.by_defect)
    assert defect in SENTENCES
    (bad,) = lines
    assert () == report(bad, bad._replace(about=None, closed=None)).flawed


def test_a_request_that_is_open_in_two_partitions_has_two_owners():
    """One that ended under another org is none: it only is remembered there."""
    org = next(f"org-{n}" for n in range(99) if partition_of(f"org-{n}", PARTITIONS) != HOME)
    elsewhere = OPEN._replace(org=org)
    there = partition_of(org, PARTITIONS)
    found = report(line(OPEN, offset=4), line(elsewhere, partition=there, offset=9))
    assert sorted([(HOME, 4), (there, 9)]) == [(each.partition, each.offset) for each in found.flawed]
    assert {Defect.TWO_PARTITIONS} == {each.defect for each in found.flawed}
    ended = elsewhere._replace(closed=NOW, identities=tuple(replace(i, value=None) for i in elsewhere.identities))
    assert () == report(line(OPEN), line(ended, partition=there, closed=NOW)).flawed


def test_a_record_without_the_header_of_its_closing_is_restored_all_the_same():
    """Only slower; so it is no defect."""
    assert () == report(line(CLOSED)).flawed
