"""The coordinator's decisions, without Kafka: what a command, a result and the clock change in a draft."""

import json
from dataclasses import replace

import pytest

from consumer.discovery.desk import Conditions, DiscoveryDesk
from consumer.discovery.draft import Draft, Shelf
from consumer.discovery.results import Assembly, Result
from consumer.domain.discovery.discovery import Answer, Stage, State
from consumer.domain.discovery.outcome import Kind
from consumer.domain.errors import Poison, Reason
from consumer.domain.hours import HOUR_MS, Hour, Span, count, newest_final, start_of
from consumer.domain.routing import partition_of
from consumer.domain.subject import Millis
from consumer.turn import Partition, Record
from scanner.evidence import Evidence, Field, Hits, Key, Origin
from scanner.findings import Reason as Why
from scanner.rules import load
from scanner.summary import Tally

NOW = Millis(start_of(Hour(495_000)) + 1_000)
NEWEST = newest_final(NOW)
PARTITIONS = 3
HOME = Partition(partition_of("shop", PARTITIONS))
IDS = [f"{n:08x}-0000-4000-8000-000000000000" for n in range(20)]
MAIL = Key("sign_up", "/event_properties/contact", "EMAIL")
RULES = load()


def decode(value):
    if value == b"poison":
        raise Poison(Reason.UNDECODABLE)
    return json.loads(value)


class Story:
    """One partition's coordinator, a turn after the other. Every turn is committed."""

    def __init__(self, slots=1):
        self.slots = {"shop": slots, "game": 1}
        conditions = Conditions(lambda: self.slots, RULES, PARTITIONS)
        self.desk = DiscoveryDesk(decode, conditions)
        self.shelves = {HOME: Shelf()}
        self.now, self.tasks, self.said, self.applied = NOW, [], [], []

    def turn(self, *steps):
        draft = Draft(self.shelves, self.now)
        for step in steps:
            step(draft)
        self.desk.tick(draft, [HOME])
        draft.keep()
        self.tasks += draft.tasks
        self.said += draft.outcomes
        self.applied += [state for _, state in draft.applied]
        return draft

    def order(self, partition=HOME, **fields):
        given = {"command_id": IDS[0], "command": "start", "discovery_id": IDS[1], "project": "shop"}
        given |= {
            "from_hour": start_of(Hour(NEWEST - 9)),
            "to_hour": start_of(NEWEST),
            "continuous": False,
            "sample": 1.0,
        }
        given |= {"restart": False, "rules": None, "requested_by": None}
        value = json.dumps(given | fields).encode()
        return self.turn(lambda draft: self.desk.order(draft, "commands", Record(partition, 0, None, value)))

    def result(self, task, state=State.SCANNED, tally=None, **more):
        answer = Answer(task.span, state, more.pop("reason", None), "ab", {"input_bytes": 100 * task.span.hours})
        result = Result(task.task_id, task.discovery_id, task.project, task.slot, answer, tally or Tally(), "r", "k")
        return self.turn(lambda draft: self.desk.result(draft, HOME, replace(result, **more)))

    def finish(self, tally=None):
        """Answer every task."""
        while self.tasks:
            self.result(self.tasks.pop(0), tally=tally)

    def stages(self):
        return [o.stage for o in self.said if o.kind is Kind.STAGE]

    @property
    def inventory(self):
        return self.shelves[HOME].inventories["shop"]


def found(events=10, hits=4, key=MAIL, **origin):
    evidence = Evidence(Hits(confirmed=hits), Why.FORMAT | Why.CHECKSUM)
    return Tally({key.field: events}, {key: evidence}, origins={key: Origin("2026-06-16 09", **origin)})


def test_a_discovery_is_accepted_planned_scanned_and_done():
    story = Story()
    story.order(requested_by="desk")
    assert [o.stage for o in story.said] == [Stage.ACCEPTED]
    assert [task.span.hours for task in story.tasks] == [1, 1]
    story.finish(found())
    assert story.stages() == [Stage.ACCEPTED, Stage.SCANNING, Stage.DONE]
    last = story.said[-1]
    assert (last.hours.total, last.hours.scanned, last.hours.open) == (10, 10, 0)
    assert (last.dirty_fields, last.account["input_bytes"], last.requested_by) == (1, 1_000, "desk")
    assert [o.sequence for o in story.said] == list(range(1, len(story.said) + 1))
    assert count(story.inventory.covered) == 10


def test_a_repeated_result_changes_nothing():
    story = Story()
    story.order()
    task = story.tasks[0]
    story.result(task, tally=found())
    before, said = story.inventory, len(story.said)
    draft = story.result(task, tally=found())
    assert (story.inventory, len(story.said)) == (before, said)
    assert draft.applied == [("shop", "ignored")]
    assert not draft.discoveries


def test_hours_that_are_known_or_being_scanned_are_not_read_again():
    story = Story()
    story.order()
    story.order(command_id=IDS[2], discovery_id=IDS[3], from_hour=start_of(Hour(NEWEST - 19)))
    second = story.shelves[HOME].discoveries["shop", IDS[3]]
    assert (second.total, second.known, second.open) == (20, 10, 10)
    story.finish()
    assert count(story.inventory.covered) == 20
    story.order(command_id=IDS[4], discovery_id=IDS[5])
    assert (story.said[-1].stage, story.said[-1].hours.known) == (Stage.DONE, 10)


def test_refused_hours_may_be_asked_for_again():
    story = Story()
    story.order(from_hour=start_of(NEWEST))
    story.result(story.tasks.pop(), State.REFUSED, reason=Reason.ARCHIVE_DAMAGED)
    assert (story.said[-1].hours.refused, story.said[-1].refused) == (1, {Reason.ARCHIVE_DAMAGED: 1})
    story.order(command_id=IDS[2], discovery_id=IDS[3], from_hour=start_of(NEWEST))
    assert [task.span for task in story.tasks] == [Span(NEWEST, NEWEST)]


def test_a_window_that_is_too_large_comes_back_as_halves():
    story = Story()
    story.order()
    story.result(story.tasks.pop(0))
    story.result(story.tasks.pop(0))
    large = story.tasks.pop(0)
    assert large.span.hours == 2
    story.result(large, State.SPLIT, reason=Reason.WINDOW_TOO_LARGE)
    assert {task.span for task in story.tasks} >= set(large.span.halves())
    story.finish()
    assert story.said[-1].hours.scanned == 10


def test_cancelled_hours_that_are_still_being_scanned_are_nobody_elses():
    story = Story()
    story.order()
    first, second = story.tasks
    story.order(command="cancel", command_id=IDS[2])
    assert story.stages()[-1] is Stage.CANCELLED
    story.tasks.clear()
    story.order(command_id=IDS[4], discovery_id=IDS[5])
    story.result(first, tally=found())
    story.result(second, tally=found())
    story.finish(found())
    assert count(story.inventory.covered) == 10
    assert story.applied.count("scanned") * 10 == story.inventory.tally.seen[MAIL.field]
    assert story.shelves[HOME].discoveries["shop", IDS[5]].scanned == 8


def test_restart_forgets_the_inventory_and_reads_everything_again():
    story = Story()
    story.order()
    story.order(command_id=IDS[2], discovery_id=IDS[3], restart=True)
    assert story.said[-1].reason is Reason.STILL_OPEN
    story.finish(found())
    draft = story.order(command_id=IDS[4], discovery_id=IDS[5], restart=True)
    assert draft.lines == {(HOME, "shop", MAIL): None}
    assert draft.buckets
    assert story.inventory.tally == Tally()
    assert story.shelves[HOME].discoveries["shop", IDS[5]].known == 0


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"project": "nobody"}, Reason.UNKNOWN_PROJECT),
        ({"command": "unknown"}, Reason.CONTRADICTORY_COMMAND),
        ({"discovery_id": None}, Reason.MISSING_FIELD),
        ({"discovery_id": "mine"}, Reason.INVALID_REQUEST_ID),
        ({"from_hour": None}, Reason.INVALID_WINDOW),
        ({"from_hour": start_of(NEWEST) + 1}, Reason.INVALID_WINDOW),
        ({"from_hour": start_of(Hour(NEWEST + 1))}, Reason.INVALID_WINDOW),
        ({"to_hour": start_of(Hour(NEWEST + 99))}, Reason.INVALID_WINDOW),
        ({"from_hour": start_of(Hour(NEWEST - 400 * 24))}, Reason.INVALID_WINDOW),
        ({"continuous": True}, Reason.CONTRADICTORY_COMMAND),
        ({"sample": 0}, Reason.INVALID_SAMPLE),
        ({"sample": 1.5}, Reason.INVALID_SAMPLE),
        ({"command": "cancel"}, Reason.UNKNOWN_DISCOVERY),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_reason(fields, reason):
    story = Story()
    partition = Partition(partition_of(fields.get("project", "shop"), PARTITIONS))
    story.shelves.setdefault(partition, Shelf())
    story.order(partition, **fields)
    [refusal] = story.said
    assert (refusal.stage, refusal.reason) == (Stage.REFUSED, reason)
    assert refusal.kind is (Kind.REPLY if fields.get("command") else Kind.STAGE)
    assert not story.tasks


def test_duplicates_are_answered_and_conflicts_refused():
    story = Story()
    story.order()
    story.order()
    assert (story.said[-1].kind, story.said[-1].duplicate_of) == (Kind.REPLY, IDS[0])
    story.order(command_id=IDS[2])
    assert story.said[-1].duplicate_of == IDS[0]
    story.order(command_id=IDS[3], sample=0.5)
    assert (story.said[-1].kind, story.said[-1].reason) == (Kind.REPLY, Reason.CONFLICTING_DUPLICATE)


def test_records_of_other_partitions_and_poison():
    story = Story()
    elsewhere = Partition((HOME + 1) % PARTITIONS)
    story.shelves[elsewhere] = Shelf()
    draft = story.order(elsewhere)
    assert [reroute.partition for reroute in draft.rerouted] == [HOME]
    poison = Record(HOME, 0, None, b"poison")
    draft = story.turn(lambda draft: story.desk.order(draft, "commands", poison))
    assert [(topic, letter.reason) for topic, letter in draft.dead] == [("commands", Reason.UNDECODABLE)]


def test_fingerprints_of_another_key_are_refused_and_nothing_is_mixed():
    story = Story()
    story.order()
    story.result(story.tasks.pop(0), tally=found())
    before = story.inventory.tally
    story.result(story.tasks.pop(0), tally=found(), fingerprints="another")
    assert story.inventory.tally == before
    assert story.shelves[HOME].discoveries["shop", IDS[1]].refused == {Reason.FINGERPRINT_KEY_CHANGED: 1}


def test_continuous_scans_every_hour_once_it_is_final_and_only_then():
    story = Story()
    story.order(continuous=True, from_hour=None, to_hour=None)
    assert [task.span for task in story.tasks] == [Span(NEWEST, NEWEST)]
    story.finish()
    story.turn()
    assert not story.tasks
    story.now = Millis(NOW + HOUR_MS)
    story.turn()
    assert [task.span for task in story.tasks] == [Span(Hour(NEWEST + 1), Hour(NEWEST + 1))]
    story.finish()
    assert Stage.DONE not in story.stages()
    story.order(command="cancel", command_id=IDS[5])
    story.now = Millis(NOW + 5 * HOUR_MS)
    story.turn()
    assert not story.tasks


def test_a_field_turns_dirty_and_clean_again_after_a_day_without():
    story = Story()
    story.order(from_hour=start_of(Hour(NEWEST - 59)))
    story.result(story.tasks.pop(0), tally=found(app_version="4.2.0"))
    [change] = [o.field for o in story.said if o.kind is Kind.FIELD]
    assert (change.event_type, change.path, change.dirty) == (MAIL.event_type, MAIL.path, True)
    assert (change.data_types, change.grade, change.app_version) == (("EMAIL",), "confirmed", "4.2.0")
    story.finish(Tally({MAIL.field: 5}))
    changes = [o.field for o in story.said if o.kind is Kind.FIELD]
    assert [each.dirty for each in changes] == [True, False]
    assert story.said[-1].dirty_fields == 0


def test_amplitudes_own_fields_are_expected_and_no_discovery():
    story = Story()
    story.order(from_hour=start_of(NEWEST))
    draft = story.result(story.tasks.pop(), tally=Tally({Field("sign_up", "/ip_address"): 9}))
    [line] = draft.lines.values()
    assert (line.row.key.data_type, line.mark.expected, sum(line.row.hits)) == ("IP_ADDRESS", True, 9)
    assert story.said[-1].dirty_fields == 0


def test_parts_of_a_result_count_when_all_are_there():
    assembly = Assembly()
    answer = Answer(Span(NEWEST, NEWEST), State.SCANNED)
    part = Result("t", "d", "shop", 0, answer, found(1, 1), parts=3)
    assert assembly.take(replace(part, part=1), 10) is None
    assert assembly.take(replace(part, part=3), 12) is None
    assert assembly.take(replace(part, part=3), 12) is None, "read again"
    assert assembly.resume_at(13) == 10
    whole = assembly.take(replace(part, part=2), 14)
    assert whole.tally.seen == {MAIL.field: 3}
    assert assembly.resume_at(15) == 15
