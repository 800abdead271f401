"""Every byte is in one place, and the chunking of an input changes nothing."""

import gzip
import hashlib
import string

from hypothesis import given, settings
from hypothesis import strategies as st

from scanner.archive import Account, Limits
from tests.fakes.archives import DEFLATED, STORED, Entry, export_of, pieces, read, zip_of

SMALL = Limits(compressed=64, text=200, line=90, ratio=30, slack=4_000, grace=100)

line = st.text(st.sampled_from(string.ascii_letters + string.digits + '{}":, PK\x03'), max_size=120).map(str.encode)
text = st.lists(line, max_size=12).map(b"\n".join)
content = st.one_of(
    text,
    text.map(gzip.compress),
    st.tuples(text, text).map(lambda both: gzip.compress(both[0]) + gzip.compress(both[1]) + bytes(7)),
    text.map(lambda t: export_of(t, b"inner\n")),
    st.binary(max_size=300),
    st.just(gzip.compress(b"0" * 20_000)),
    st.just(b"PK\x07\x08 PK\x03\x04" * 9),
)
entry = st.builds(
    Entry,
    content,
    method=st.sampled_from([STORED, STORED, DEFLATED, 12]),
    streamed=st.booleans(),
    signed=st.booleans(),
    wide=st.booleans(),
    name=st.sampled_from([b"a.json.gz", "é/ü.gz".encode(), b"folder/"]),
    flags=st.sampled_from([0, 0, 0, 1, 0x800]),
)
archive = st.one_of(st.lists(entry, max_size=4).map(lambda e: zip_of(*e)), content)


@st.composite
def hurt(draw):
    """An archive, cut off or with a few bytes changed."""
    data = bytearray(draw(archive))
    for _ in range(draw(st.integers(0, 3)) if data else 0):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.integers(0, len(data)))] if draw(st.booleans()) else data)


def balanced(account, lines):
    assert account.text.inflated == account.text.delivered + sum(account.text.skipped.values())
    added = sum(map(len, (each for member in lines for each in member))) - account.text.delivered
    assert added >= 0  # newlines that the last lines did not have
    assert all(size > 0 for size in (*account.split.skipped.values(), *account.text.skipped.values()))
    assert account.clean or account.troubles
    if account.split.skipped or account.broken or account.text.skipped:
        assert account.troubles


@given(hurt(), st.integers(1, 70))
@settings(max_examples=300)
def test_any_chunking_of_any_input_gives_the_same_lines_faults_and_account(data, size):
    whole = read([data], SMALL)
    assert whole == read(pieces(data, size), SMALL)
    assert whole == read(pieces(data, 1), SMALL)
    lines, account, digest = whole
    assert len(data) == account.split.size
    assert hashlib.sha256(data).hexdigest() == digest
    balanced(account, lines)


@given(
    st.lists(text.map(b"{".__add__), min_size=1, max_size=4),
    st.booleans(),
    st.booleans(),
    st.sampled_from([STORED, DEFLATED]),
    st.booleans(),
)
def test_every_legal_form_of_a_zip_gives_every_line(texts, streamed, wide, method, signed):
    entries = [Entry(gzip.compress(each), method, streamed, signed, wide) for each in texts]
    lines, account, _ = read([zip_of(*entries)])
    assert texts == [b"".join(member)[: len(each)] for member, each in zip(lines, texts, strict=True)]
    assert account.clean
    assert len(texts) == account.members
    assert sum(map(len, texts)) == account.text.delivered


accounts = st.lists(hurt(), min_size=3, max_size=3).map(lambda three: [read([each], SMALL)[1] for each in three])


@given(accounts)
def test_accounts_add_up_in_any_order(three):
    one, two, three = three
    assert one.merge(two).merge(three) == three.merge(one.merge(two)) == one.merge(two.merge(three))
    assert one == one.merge(Account()) == Account().merge(one)
