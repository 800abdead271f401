"""What the coordinator writes is what it reads back, whatever was found and however much of it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import schemas
from consumer.adapters.avro.codec import Codec
from consumer.adapters.avro.source import DirectorySource
from consumer.adapters.discovery_ledger import ShelfReader
from consumer.adapters.discovery_messages import DiscoveryTopics, messages_of
from consumer.adapters.discovery_wire import inventory_key, result_in, results_out, task_in
from consumer.adapters.kafka.topics import COMMAND_BYTES
from consumer.adapters.tally_wire import PART_BYTES
from consumer.discovery.draft import Shelf
from consumer.discovery.results import Assembly, Result
from consumer.domain.discovery.discovery import Answer, State
from consumer.domain.errors import Reason
from consumer.domain.hours import Hour, Span
from scanner.evidence import Evidence, Field, Hits, Key, Origin, Shape
from scanner.findings import Reason as Why
from scanner.findings import Via
from scanner.sketch import Sketch
from scanner.summary import Tally
from tests.unit.test_discovery_desk import HOME, IDS, MAIL, NOW, Story, found

CODEC, TOPICS = Codec(DirectorySource()), DiscoveryTopics()
SPAN = Span(Hour(495_000), Hour(495_003))


class Kept:
    """The compacted topics, as a restart finds them."""

    def __init__(self):
        self.reader, self.sizes = ShelfReader(CODEC, CODEC), []
        self.tasks, self.outcomes = [], []

    def write(self, draft):
        for message in messages_of(draft, TOPICS, CODEC.encode):
            self.sizes.append(len(message.value or b""))
            if message.topic == TOPICS.ledger:
                self.reader.entry(message.key, message.value)
            elif message.topic == TOPICS.inventory:
                self.reader.line(message.key, message.value)
            elif message.topic == TOPICS.tasks:
                self.tasks.append(task_in(CODEC.decode(schemas.DISCOVERY_TASKS, message.value)))
            elif message.topic == TOPICS.outcomes:
                self.outcomes.append(CODEC.decode(schemas.DISCOVERY_OUTCOMES, message.value))


class Written(Story):
    """A story whose drafts are written."""

    def __init__(self, **more):
        super().__init__(**more)
        self.kept = Kept()

    def turn(self, *steps):
        draft = super().turn(*steps)
        self.kept.write(draft)
        return draft


def shelves_agree(one: Shelf, other: Shelf):
    assert one.discoveries == other.discoveries
    assert one.inventories.keys() == other.inventories.keys()
    for project, inventory in one.inventories.items():
        back = other.inventories[project]
        assert (back.covered, back.fingerprints, back.marks) == (
            inventory.covered,
            inventory.fingerprints,
            inventory.marks,
        )
        assert back.tally.seen == inventory.tally.seen
        assert back.tally.rows.items() >= inventory.tally.rows.items()
        assert back.dirty_fields == inventory.dirty_fields


def test_a_restart_at_any_moment_finds_what_there_was():
    story = Written(slots=2)
    story.order(requested_by="desk", sample=0.5, rules="ab")
    tallies = [found(10, 4, app_version="4.2.0"), Tally({Field("sign_up", "/ip_address"): 3}), Tally()]
    turn = 0
    while story.tasks:
        task = story.tasks.pop(0)
        state = [State.SCANNED, State.EMPTY, State.REFUSED, State.SCANNED][turn % 4]
        story.result(task, state, tallies[turn % 3] if state is State.SCANNED else None, reason=Reason.UNAVAILABLE)
        turn += 1
        shelves_agree(story.shelves[HOME], story.kept.reader.shelf())
    assert [task.task_id for task in story.kept.tasks] == [task.task_id for task in dict.fromkeys(story.kept.tasks)]
    assert story.kept.outcomes[-1]["hours"]["open"] == 0
    assert story.kept.outcomes[-1]["refused"]


def test_a_restart_after_a_new_beginning_finds_nothing_of_the_old():
    story = Written()
    story.order()
    story.finish(found())
    story.order(command_id=IDS[4], discovery_id=IDS[5], restart=True)
    shelves_agree(story.shelves[HOME], story.kept.reader.shelf())
    assert story.kept.reader.shelf().inventories["shop"].tally == Tally()


def test_an_inventory_goes_on_after_a_restart_as_if_there_had_been_none():
    story, restarted = Written(), Written()
    for each in (story, restarted):
        each.order()
    restarted.shelves[HOME] = restarted.kept.reader.shelf()
    while story.tasks:
        for each in (story, restarted):
            each.result(each.tasks.pop(0), tally=found())
            restarted.shelves[HOME] = restarted.kept.reader.shelf()
    shelves_agree(story.shelves[HOME], restarted.shelves[HOME])


def big_tally(fields, rows):
    seen = {Field(f"type {n % 50}", f"/event_properties/{'x' * 80}{n}"): n + 1 for n in range(fields)}
    registers = Sketch(registers=bytes([1]) * 1024)
    evidence = Evidence(
        Hits(1, 2, 3), Why.FORMAT, Via.JSON, registers, (Shape(1 << 63, "a" * 40),) * 1, "2026-06-16 07", ""
    )
    return Tally(seen, {Key(*place, "EMAIL"): evidence for place in list(seen)[:rows]})


def test_records_stay_below_a_megabyte_whatever_the_number_of_fields():
    """And the parts are the whole again, in whatever order they come."""
    tally = big_tally(20_000, 2_000)
    story = Written()
    story.order(from_hour=story.now - story.now % 3_600_000 - 4 * 3_600_000)
    task = story.tasks[0]
    answer = Answer(task.span, State.SCANNED, None, "ab", {"lines": 3})
    result = Result(task.task_id, task.discovery_id, "shop", 0, answer, tally, "r", "k", "native", 1.5)
    parts = [CODEC.encode(schemas.DISCOVERY_RESULTS, record) for record in results_out(result, NOW)]
    assert len(parts) > 3
    assert max(map(len, parts)) < COMMAND_BYTES
    assembly, whole = Assembly(), None
    for offset, value in enumerate(reversed(parts)):
        whole = assembly.take(result_in(CODEC.decode(schemas.DISCOVERY_RESULTS, value)), offset)
    assert whole.tally == tally
    assert dict(whole.answer.account) == {"lines": 3}
    story.turn(lambda draft: story.desk.result(draft, HOME, whole))
    assert max(story.kept.sizes) < PART_BYTES
    shelves_agree(story.shelves[HOME], story.kept.reader.shelf())


text = st.text(st.characters(), max_size=6)


@settings(max_examples=100)
@given(st.dictionaries(st.tuples(text, text), st.integers(1, 9), max_size=5), st.integers(0, (1 << 64) - 1))
def test_names_of_any_kind_travel(seen, print_):
    """Lone surrogates, which JSON may hold and UTF-8 may not, are escaped; the rest is as it was."""
    tally = Tally({Field(*place): n for place, n in seen.items()})
    tally += Tally(
        rows={Key("e", "/\ud800", "EMAIL"): Evidence(shapes=(Shape(print_, "\udfff"),))},
        origins={Key("e", "/\ud800", "EMAIL"): Origin("", "1", "")},
    )
    result = Result("t", "d", "shop", 0, Answer(SPAN, State.SCANNED), tally)
    [record] = results_out(result, NOW)
    back = result_in(CODEC.decode(schemas.DISCOVERY_RESULTS, CODEC.encode(schemas.DISCOVERY_RESULTS, record)))
    [key] = back.tally.rows
    assert key == Key("e", "/\\ud800", "EMAIL")
    assert back.tally.rows[key].shapes == (Shape(print_, "\\udfff"),)
    assert back.tally.origins[key].app_version == "1"
    assert sum(back.tally.seen.values()) == sum(tally.seen.values())
    assert inventory_key("shop", Key("\ud800", "/", "EMAIL")) == b'["shop", "\\\\ud800", "/", "EMAIL"]'


@pytest.mark.parametrize("state", [State.EMPTY, State.REFUSED, State.SPLIT])
def test_answers_without_findings_travel(state):
    answer = Answer(SPAN, state, None if state is State.EMPTY else Reason.WINDOW_TOO_LARGE)
    [record] = results_out(Result("t", "d", "shop", 2, answer), NOW)
    back = result_in(CODEC.decode(schemas.DISCOVERY_RESULTS, CODEC.encode(schemas.DISCOVERY_RESULTS, record)))
    assert (back.answer, back.slot, back.tally) == (answer, 2, Tally())


def test_the_inventory_line_says_what_the_row_says():
    story = Written()
    story.order()
    story.result(story.tasks[0], tally=found(10, 4, app_version="4.2.0", library="http/2.0"))
    [line] = [
        CODEC.decode(schemas.INVENTORY, CODEC.encode(schemas.INVENTORY, told))
        for told in story.kept.reader._lines.values()
    ]
    assert (line["project"], line["event_type"], line["path"], line["data_type"]) == ("shop", *MAIL)
    assert (line["grade"], line["state"], line["expected"]) == ("confirmed", "dirty", False)
    assert (line["events_seen"], line["hits"]) == (10, [0, 0, 4])
    assert (line["app_version"], line["library"]) == ("4.2.0", "http/2.0")
