"""The ledger of one partition, in memory, and its wire form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import schemas
from consumer.adapters.avro.codec import Codec
from consumer.adapters.avro.source import DirectorySource
from consumer.adapters.ledger_codec import ledger_codec
from consumer.adapters.wire import entry_in, entry_out, outcome_out, project_in, project_out
from consumer.domain.deadline import FIRST_ESTIMATE_MS
from consumer.domain.erasure import cancel, dispatch, forget
from consumer.domain.errors import Reason
from consumer.domain.lifecycle import Stage
from consumer.domain.project import ProjectState
from consumer.domain.statement import next_notice, speak
from consumer.ledger import Shard
from consumer.ledger.shard import RECENT
from tests.fakes.commands import NOW, accepted
from tests.fakes.entries import BATCH, DAY, said, scheduled

KEEP_MS = 1_000_000

codec = Codec(DirectorySource())
ledger = ledger_codec(codec)


def encode(entry):
    return codec.encode(schemas.LEDGER, entry_out(entry))


def decode(value):
    return entry_in(codec.decode(schemas.LEDGER, value))


@pytest.fixture
def shard():
    shard = Shard(ledger, KEEP_MS)
    yield shard
    shard.close()


@given(st.lists(st.text(min_size=1, alphabet=st.characters(exclude_categories=["Cs"])), min_size=1, max_size=5))
def test_an_entry_survives_the_wire_whatever_the_user_ids_are(names):
    """Encoding and decoding lose nothing, in any script."""
    entry = said(accepted(*[f"u{name}" for name in names]))
    assert entry == decode(encode(entry))


@pytest.mark.parametrize(
    "entry",
    [
        said(accepted("u-1", over_cap=True)),
        said(dispatch(accepted("u-1"), [0], BATCH, NOW)),
        scheduled(),
        said(cancel(scheduled(), "c-2")),
        said(forget(cancel(accepted("u-1"), "c-2"), NOW)),
        scheduled()._replace(erased=NOW, frozen_since=DAY, regulation=None, requested_by=None, at_risk_said=True),
    ],
    ids=["held", "dispatching", "scheduled", "cancelling", "forgotten", "rare fields"],
)
def test_every_kind_of_entry_survives_the_wire(entry):
    """Each field comes back as it was."""
    assert entry == decode(encode(entry))


def test_a_project_survives_the_wire():
    """And is told apart from a request."""
    state = ProjectState("shop", ("c-1",), True, Reason.CREDENTIALS_REFUSED, NOW, "2026-06-16", 7, (5, 6))
    record = codec.decode(schemas.LEDGER, codec.encode(schemas.LEDGER, project_out(state)))
    assert state == project_in(record)
    assert entry_in(record) is None


def test_an_outcome_names_identities_by_position_and_holds_no_identifier():
    """Neither user id nor Amplitude ID leaves, in any stage."""
    for entry in (accepted("jane-roe"), scheduled("jane-roe", 1610000000001), cancel(accepted("jane-roe"), "c-2")):
        _, outcome = speak(None, entry, None, NOW, FIRST_ESTIMATE_MS)
        record = outcome_out(outcome)
        assert [result["position"] for result in record["results"]] == [0]
        assert "jane" not in str(record)
        assert "1610000000001" not in str(record)
        assert record == codec.decode(schemas.OUTCOMES, codec.encode(schemas.OUTCOMES, record))


def test_what_was_put_last_is_what_is_found(shard):
    """By key; an unknown key is None."""
    entry = said(accepted("u-1"))
    shard.put(entry)
    shard.put(entry._replace(approved=True))
    assert shard.get(entry.key) == entry._replace(approved=True)
    assert shard.get("nobody/shop") is None
    shard.remove(entry.key)
    assert shard.get(entry.key) is None


def test_only_requests_with_something_to_do_are_active(shard):
    """Those that wait for Amplitude rest, those that ended are only remembered."""
    open_one, resting, closed = said(accepted("u-1")), scheduled(), said(forget(cancel(accepted("u-3"), "c"), NOW))
    for entry in (open_one, resting, closed):
        shard.put(entry)
    assert [open_one] == list(shard.active())
    assert shard.counts() == {"active": 1, "resting": 1, "closed": 1}
    revoking = said(cancel(resting, "c-2"))
    assert revoking.reached is Stage.CANCELLING
    shard.put(revoking)
    assert {open_one.key, revoking.key} == {e.key for e in shard.active()}


def test_the_timer_of_an_open_request_is_its_next_notice_and_of_a_closed_one_the_end_of_the_window(shard):
    """Both come out in order, and only when they are due."""
    open_one, closed = said(accepted("u-1")), said(forget(cancel(accepted("u-3"), "c"), NOW))
    shard.put(open_one)
    shard.put(closed)
    assert shard.due(NOW + KEEP_MS - 1, 10) == []
    assert shard.due(NOW + KEEP_MS, 10) == [closed]
    assert shard.due(next_notice(open_one), 10) == [closed, open_one]
    assert shard.due(next_notice(open_one), 1) == [closed]


def test_the_tracker_learns_which_days_to_ask_for(shard):
    """First and last day of a project's open jobs; ended requests do not keep a window open."""
    for entry in (scheduled("u-1", 1), scheduled("u-2", 2, "2026-07-02"), scheduled("u-3", 3, "2026-08-30")):
        shard.put(entry)
    assert shard.watched() == [("shop", DAY, "2026-08-30")]
    ended = entry._replace(identities=tuple(i.moved(Stage.FAILED) for i in entry.identities))
    shard.put(ended)
    assert shard.watched() == [("shop", DAY, "2026-07-02")]


def test_a_project_is_walked_in_slices_while_it_changes(shard):
    """Each scheduled request once."""
    entries = [scheduled(f"u-{n}", n) for n in range(1, 8)]
    for entry in entries:
        shard.put(entry)
    seen, cursor = [], 0
    while True:
        found, cursor = shard.scheduled("shop", cursor, 3)
        seen += [e.key for e in found]
        for entry in found:
            shard.put(entry._replace(at_risk_said=True))
        if not cursor:
            break
    assert [e.key for e in entries] == seen
    assert shard.scheduled("app", 0, 3) == ([], 0)


def test_a_place_is_shared_only_with_another_open_request(shard):
    """Its own entry does not count, nor another person, day or project, nor one that has ended."""
    mine, theirs = scheduled("u-1", 1), scheduled("u-1", 1)
    shard.put(mine)
    assert not shard.sharing("shop", 1, DAY, mine.key)
    shard.put(theirs)
    assert shard.sharing("shop", 1, DAY, mine.key)
    assert not shard.sharing("shop", 2, DAY, mine.key)
    assert not shard.sharing("shop", 1, "2026-06-29", mine.key)
    assert not shard.sharing("app", 1, DAY, mine.key)
    shard.put(theirs._replace(identities=tuple(i.moved(Stage.FAILED) for i in theirs.identities)))
    assert not shard.sharing("shop", 1, DAY, mine.key)


def test_what_is_no_longer_recent_is_unpacked_and_the_same(shard):
    """The last few are kept as they were put; nobody can tell which."""
    entries = [scheduled(f"u-{n}", n) if n % 3 == 0 else said(accepted(f"u-{n}")) for n in range(1, RECENT + 300)]
    for entry in entries:
        shard.put(entry)
    shard.put(entries[-1]._replace(at_risk_said=True))
    assert [*entries[:-1], entries[-1]._replace(at_risk_said=True)] == [shard.get(entry.key) for entry in entries]
    shard.remove(entries[-1].key)
    assert shard.get(entries[-1].key) is None
