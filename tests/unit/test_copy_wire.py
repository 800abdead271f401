"""A copy in the ledger: there and back, and glanced at as it is."""

from hypothesis import given
from hypothesis import strategies as st

from consumer.adapters.avro.codec import Codec
from consumer.adapters.avro.source import DirectorySource
from consumer.adapters.ledger_codec import ledger_codec
from consumer.domain.copying import Copy, CopyFile, CopyPage, Errand, Package, Source
from consumer.domain.glance import State, glance_at
from consumer.domain.lifecycle import COPY_NEXT
from consumer.domain.subject import Secret
from consumer.ledger import Shard
from tests.fakes.commands import NOW
from tests.unit.test_copies_domain import complete, fresh, ready

LEDGER = ledger_codec(Codec(DirectorySource()))
NUMBERS = st.integers(0, 2**50)
WORDS = st.text(max_size=12)


def some(**parts):
    return lambda kind: st.builds(kind, **parts)


FILES = st.builds(CopyFile, NUMBERS, WORDS, NUMBERS, WORDS, NUMBERS, NUMBERS)
ERRANDS = st.builds(
    Errand,
    position=st.integers(0, 9),
    project=st.none() | WORDS,
    job=st.none() | NUMBERS,
    asked=st.none() | NUMBERS,
    posts=st.integers(0, 9),
    renewals=st.integers(0, 9),
    damaged=st.integers(0, 9),
    outputs=st.none() | st.lists(NUMBERS, max_size=90).map(tuple),
    expires=st.none() | WORDS,
    files=st.lists(FILES, max_size=4).map(tuple),
)
COPIES = st.builds(
    Copy,
    projects=st.lists(WORDS, max_size=3).map(tuple),
    source=st.none() | st.sampled_from(Source),
    start=st.none() | WORDS,
    end=st.none() | WORDS,
    errands=st.lists(ERRANDS, max_size=70).map(tuple),
    seal=st.none() | st.builds(Secret, WORDS),
    page=st.none() | st.builds(CopyPage, WORDS, NUMBERS, WORDS),
    package=st.none() | st.builds(Package, WORDS, WORDS, st.integers(0, 99), NUMBERS, NUMBERS, NUMBERS),
    before=st.lists(WORDS, max_size=3).map(tuple),
)


@given(COPIES, st.booleans(), st.sampled_from(sorted(COPY_NEXT)))
def test_every_copy_comes_back_as_it_was_and_is_glanced_at_as_it_is(copy, after_copy, stage):
    """Also one with more errands or outputs than are skimmed."""
    entry = fresh("u-1")._replace(copy=copy, after_copy=after_copy, stage=stage)
    entry = entry._replace(identities=tuple(i.copied(stage) for i in entry.identities))
    value = LEDGER.encode(entry)
    assert LEDGER.decode(value) == entry
    assert LEDGER.glance(value) == glance_at(entry)


def test_the_ledger_knows_after_a_restore_whose_copies_are_open():
    """An erasure that comes then waits as it would have before."""
    waiting, done = ready(fresh("u-1")), complete("u-2")
    before = Shard(LEDGER, 10**12)
    entries = [entry._replace(request_id=f"request-{n}") for n, entry in enumerate((waiting, done))]
    values = [(entry.key.encode(), LEDGER.encode(entry), None) for entry in entries]
    before.load(values)
    while not before.settle(10):
        pass
    assert before.copying("acme", waiting.identities[0]) == [entries[0].key]
    assert before.copying("acme", done.identities[0]) == [entries[1].key]
    assert before.copying("other", done.identities[0]) == []
    before.remove(entries[1].key)
    assert before.copying("acme", done.identities[0]) == []
    assert [entry.key for entry in before.active()] == [entries[0].key]
    assert glance_at(waiting).state is State.ACTIVE
    assert waiting.accepted == NOW
