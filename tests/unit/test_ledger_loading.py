"""Filling a partition's ledger from the records of its topic."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import schemas
from consumer.adapters.avro.codec import Codec
from consumer.adapters.avro.skim import Unusual, skimmer
from consumer.adapters.avro.source import DirectorySource, admit
from consumer.adapters.ledger_codec import ledger_codec
from consumer.adapters.wire import halt_out, project_out
from consumer.domain.errors import Fatal, Poison, Reason
from consumer.domain.glance import Danger, Standing, State, glance_at
from consumer.domain.halt import HALT_KEY, Halt
from consumer.domain.lifecycle import Stage
from consumer.domain.project import ProjectState
from consumer.domain.statement import next_notice
from consumer.ledger import CLOSED, PROJECT_KEY, Shard, headers_of
from consumer.ledger.resting import NEVER, UNKNOWN, due_of, label, rest, retimed, standing_of, timer, value_of
from tests.fakes.commands import NOW, accepted
from tests.fakes.entries import DAY, LATER_DAY, SHARED_ID, lives, said, scheduled

KEEP_MS = 1_000_000
MUCH_LATER = NOW + 10**12
HALT = Halt(Reason.TOO_MANY_DEAD_LETTERS, NOW, 101)

codec = Codec(DirectorySource())
ledger = ledger_codec(codec)
LIVES = [lives(number) for number in range(1, 5)]
KINDS = sorted(LIVES[0])


class Newer(DirectorySource):
    """Its newest ledger schema has a field more than we know."""

    def by_id(self, schema_id):
        schema = schemas.load(schemas.LEDGER)
        schema["fields"].append({"name": "note", "type": "string", "default": ""})
        return admit(schema_id, schema)


def as_read(entry, header=True):
    """The record of a request."""
    closed = dict(headers_of(entry)).get(CLOSED) if header else None
    return entry.key.encode(), ledger.encode(entry), int(closed) if closed else None


def project_record(state):
    return f"{PROJECT_KEY}{state.project}".encode(), codec.encode(schemas.LEDGER, project_out(state)), None


def loaded(*batches):
    shard = Shard(ledger, KEEP_MS)
    for batch in batches:
        shard.load(batch)
    while not shard.settle(3):
        pass
    return shard


def whole_walk(shard, project):
    found, cursor = shard.scheduled(project, 0, 2)
    while cursor:
        more, cursor = shard.scheduled(project, cursor, 2)
        found += more
    return found


def seen(shard):
    """Everything that can be asked of a shard."""
    keys = [each["accepted"].key for each in LIVES]
    places = [(i, d) for i in (SHARED_ID, 1, 2, 3, 4) for d in (DAY, LATER_DAY, "2026-08-30")]
    return {
        "get": [shard.get(key) for key in keys],
        "counts": shard.counts(),
        "standings": shard.standings(),
        "due": {
            e.key: [t for t in (0, KEEP_MS, 10**10) if e in shard.due(NOW + t, 99)] for e in shard.due(MUCH_LATER, 99)
        },
        "active": {entry.key for entry in shard.active()},
        "watched": shard.watched(),
        "scheduled": {entry.key for entry in whole_walk(shard, "shop")},
        "sharing": [shard.sharing("shop", i, d, key) for i, d in places for key in keys],
        "projects": {state.project: state for state in shard.projects()},
        "halt": shard.halt,
    }


REQUEST = st.tuples(st.integers(0, 3), st.sampled_from([*KINDS, None]), st.booleans())
PROJECT = st.builds(
    lambda project, counted: ProjectState(project, counted=counted), st.sampled_from(["shop", "app"]), st.integers(0, 9)
)
STEP = st.one_of(REQUEST, REQUEST, REQUEST, PROJECT, st.sampled_from([HALT, "resumed"]))


def record_of(step):
    if isinstance(step, ProjectState):
        return project_record(step)
    if isinstance(step, Halt):
        return HALT_KEY.encode(), codec.encode(schemas.LEDGER, halt_out(step)), None
    if step == "resumed":
        return HALT_KEY.encode(), None, None
    number, kind, header = step
    entries = LIVES[number]
    return as_read(entries[kind], header) if kind else (entries["accepted"].key.encode(), None, None)


def put(shard, step):
    if isinstance(step, ProjectState):
        shard.put_project(step)
    elif step == HALT or step == "resumed":
        shard.put_halt(step if step == HALT else None)
    else:
        number, kind, with_value = step
        if kind is None:
            shard.remove(LIVES[number]["accepted"].key)
        else:
            entry = LIVES[number][kind]
            shard.put(entry, ledger.encode(entry) if with_value else None)


@given(st.lists(STEP, max_size=30), st.integers(1, 7))
def test_loading_every_version_is_putting_every_version_is_putting_the_last_ones(history, batch):
    """However versions, tombstones, headers and batches are interleaved."""
    records = [record_of(step) for step in history]
    last = {record[0]: step for record, step in zip(records, history, strict=True)}
    finals, every = Shard(ledger, KEEP_MS), Shard(ledger, KEEP_MS)
    for step in last.values():
        put(finals, step)
    for step in history:
        put(every, step)
    read = loaded(*[records[at : at + batch] for at in range(0, len(records), batch)])
    assert seen(finals) == seen(every)
    assert seen(finals) == seen(read)
    for shard in (finals, every, read):
        for entries in LIVES:
            shard.remove(entries["accepted"].key)
        assert (0, 0, 0) == tuple(shard.counts().values())
        assert ([], []) == (shard.watched(), shard.due(MUCH_LATER, 9))


def test_a_request_that_is_only_read_can_be_put_again():
    """A restored shard goes on like any other: the new version replaces the old one in every look-up."""
    entries = LIVES[0]
    shard = loaded([as_read(entries["scheduled"])])
    shard.put(entries["closed"], ledger.encode(entries["closed"]))
    assert ([], {"active": 0, "resting": 0, "closed": 1}) == (shard.watched(), shard.counts())
    shard.put(entries["accepted"], ledger.encode(entries["accepted"]))
    assert {"active": 1, "resting": 0, "closed": 0} == shard.counts()


@pytest.mark.parametrize("kind", KINDS)
def test_a_glance_sees_what_a_look_at_the_whole_request_sees(kind):
    """The skimmed bytes and the decoded request give the same state, timer and places."""
    entry = LIVES[1][kind]
    assert glance_at(entry) == ledger.glance(ledger.encode(entry))


@given(
    st.sampled_from(KINDS),
    st.text(max_size=200, alphabet=st.characters(exclude_categories=["Cs"])),
    st.integers(0, 2**62),
    st.lists(st.text("0123456789abcdef", min_size=36, max_size=36), max_size=70),
)
def test_a_glance_is_right_whatever_the_rest_of_the_request_is(kind, text, instant, batches):
    """Long texts, large numbers and many items take more bytes to step over."""
    entry = LIVES[1][kind]._replace(requested_by=text, submitted=instant, deadline=instant, batches=tuple(batches))
    assert glance_at(entry) == ledger.glance(ledger.encode(entry))


def test_a_timer_hangs_on_the_deadline_alone():
    """What a glance takes for granted of `next_notice`: the rest of a request moves it by a constant."""
    for entry in LIVES[0].values():
        for later in (1, 10**9):
            moved = entry._replace(deadline=entry.deadline + later, accepted=entry.accepted + 5, submitted=0, attempt=7)
            before = next_notice(entry)
            assert (before + later if before is not None else None) == next_notice(moved)


def test_a_record_of_a_newer_writer_is_glanced_at_too():
    """In a rolling upgrade: decoded as a whole, since its fields may stand elsewhere."""
    newer = ledger_codec(Codec(Newer()))
    entry = LIVES[0]["scheduled"]
    value = b"\0\0\0\0\7" + ledger.encode(entry)[5:] + b"\x0chello!"
    assert glance_at(entry) == newer.glance(value)


def test_a_glance_at_damaged_bytes_is_refused_as_a_decoder_refuses_them():
    """Cut short anywhere, or with something after the end: never a wrong answer."""
    value = ledger.encode(LIVES[0]["scheduled"])
    for damaged in [*(value[:end] for end in range(5, len(value))), value + b"\0"]:
        with pytest.raises((Poison, Fatal)):
            ledger.glance(damaged)


def test_something_else_under_a_requests_key_stops_the_restore():
    """A ledger that cannot be understood is not guessed at."""
    _, value, _ = project_record(ProjectState("shop"))
    with pytest.raises(Fatal) as stopped:
        loaded([(b"r-1/shop", value, None)])
    assert Reason.UNDECODABLE == stopped.value.reason


def test_only_what_can_be_skimmed_is():
    """Fields and types are checked when the walk is made, branches and counts when it is taken."""
    with pytest.raises(ValueError, match="no such fields"):
        skimmer([{"name": "a", "type": "long"}], {"b": None})
    for schema in (["null", "long", "string"], {"type": "map", "values": "long"}):
        with pytest.raises(ValueError, match=r"cannot|option"):
            skimmer([{"name": "a", "type": schema}], {})
    option, array = {"name": "a", "type": ["null", "long"]}, {"name": "a", "type": {"type": "array", "items": "long"}}
    for field, body in ((option, b"\x04\x02"), (array, b"\x01\x02\x02\x00")):
        with pytest.raises(Unusual):
            skimmer([field], {})(body, 0)


def test_only_the_record_of_a_closed_request_has_a_header():
    """It says when, so that restoring need not look."""
    assert () == headers_of(LIVES[0]["erased"])
    assert (("dsr.closed", str(NOW + 1).encode()),) == headers_of(LIVES[0]["closed"])


def test_requests_wait_for_a_lane_for_amplitude_or_for_the_end_of_the_window():
    """The three states, of each kind of request."""
    resting = {"scheduled", "proven by a marker", "breached", "erased"}
    ended = {"closed", "closed again", "not yet forgotten"}
    states = {
        kind: State.RESTING if kind in resting else State.ENDED if kind in ended else State.ACTIVE for kind in KINDS
    }
    assert states == {kind: glance_at(LIVES[0][kind]).state for kind in KINDS}


def test_timers_beyond_the_hour_are_found_when_their_hour_comes():
    """Only the next hour is kept sorted; what is put with an earlier timer meanwhile is not missed."""
    shard, first = Shard(ledger, KEEP_MS), said(accepted("u-1"))
    shard.put(first)
    notice = next_notice(first)
    assert [] == shard.due(notice - 3_600_001, 9)
    sooner = said(accepted("u-2"))._replace(deadline=first.deadline - 3_600_002)
    shard.put(sooner)
    assert [sooner] == shard.due(notice - 3_600_001, 9)
    assert [] == [e for e in shard.due(notice - 1, 9) if e != sooner]
    assert [sooner, first] == shard.due(notice, 9)
    shard.put(sooner._replace(breached_said=True))
    shard.put(first._replace(at_risk_said=True))
    assert [] == shard.due(notice, 9)


def test_active_requests_may_change_while_they_are_looked_through():
    """They are decoded one at a time; one that stopped being active before its turn is left out."""
    shard = Shard(ledger, KEEP_MS)
    entries = [said(accepted(f"u-{n}")) for n in range(3)]
    for entry in entries:
        shard.put(entry)
    walk = shard.active()
    assert entries[0] == next(walk)
    shard.remove(entries[1].key)
    shard.put(scheduled("u-9"))
    assert [entries[2]] == list(walk)


@given(
    st.binary(max_size=2_000),
    st.one_of(st.none(), st.integers(0, NEVER - 1)),
    st.builds(Standing, st.sampled_from(Stage), st.sampled_from(Danger)),
)
def test_what_is_laid_to_rest_comes_back_in_few_sizes(value, due, standing):
    """With its timer and its label, whatever its length."""
    resting = rest(value, timer(due) + label(standing))
    assert (value, NEVER if due is None else due) == (value_of(resting), due_of(resting))
    assert standing == standing_of(resting)
    unseen = rest(value, timer(0) + UNKNOWN)
    assert standing_of(unseen) is None
    assert resting == retimed(unseen, timer(due) + label(standing))
    assert 303 % 64 == len(resting) % 64
    assert 0 <= len(resting) - max(303, len(value) + 11) < 64


def test_where_open_requests_stand_is_counted_as_they_move():
    """A request is counted once, wherever it goes; one that has ended or was forgotten not at all."""
    shard = Shard(ledger, KEEP_MS)
    everything = LIVES[0]
    for kind in KINDS:
        shard.put(everything[kind])
        open_ones = glance_at(everything[kind]).state is not State.ENDED
        assert ({glance_at(everything[kind]).standing: 1} if open_ones else {}) == shard.standings()
    shard.put(everything["breached"])
    assert {Standing(Stage.SCHEDULED, Danger.BREACHED): 1} == shard.standings()
    shard.put(everything["erased"])
    assert {Standing(Stage.SCHEDULED, Danger.NONE): 1} == shard.standings()
    shard.remove(everything["erased"].key)
    assert {} == shard.standings()
