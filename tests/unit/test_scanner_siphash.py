"""SipHash-2-4 in C and in Python: the vectors that its authors published, and each other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.kernel import NATIVE, keyed_hash
from scanner.siphash import KEY_BYTES, siphash
from scanner.sketch import Fingerprints

KEY = bytes(range(KEY_BYTES))
VECTORS = {
    0: "310e0edd47db6f72",
    1: "fd67dc93c539f874",
    2: "5a4fa9d909806c0d",
    3: "2d7efbd796666785",
    4: "b7877127e09427cf",
    5: "8da699cd64557618",
    6: "cee3fe586e46c9cb",
    7: "37d1018bf50002ab",
    8: "6224939a79f5f593",
    9: "b0e4a90bdf82009e",
    15: "e545be4961ca29a1",
    60: "e1915f5cb1eca46c",
    61: "f325965ca16d629f",
    62: "575ff28e60381be5",
    63: "724506eb4c328a95",
}
"""Of `vectors.h` of the reference implementation: the input is so many bytes 00, 01, 02 …, the output little-endian."""

HASHES = [siphash, keyed_hash] if NATIVE else [siphash]


@pytest.mark.parametrize("hashed", HASHES)
@pytest.mark.parametrize("size", VECTORS)
def test_the_published_vectors_come_out(hashed, size):
    assert bytes.fromhex(VECTORS[size]) == hashed(KEY, bytes(range(size))).to_bytes(8, "little")


@pytest.mark.parametrize("hashed", HASHES)
def test_the_vector_of_the_paper_comes_out(hashed):
    assert 0xA129CA6149BE45E5 == hashed(KEY, bytes(range(15)))


@given(st.binary(min_size=KEY_BYTES, max_size=KEY_BYTES), st.binary(max_size=300))
def test_both_say_the_same_of_any_text_under_any_key(key, text):
    assert siphash(key, text) == keyed_hash(key, text)


def test_lengths_that_differ_by_256_are_told_apart():
    texts = [bytes(size) for size in (1, 257, 513)]
    for hashed in HASHES:
        assert 3 == len({hashed(KEY, text) for text in texts})


@pytest.mark.skipif(NATIVE is None, reason="the native kernel is not built")
@pytest.mark.parametrize("size", [0, 15, 17])
def test_the_kernel_takes_no_key_of_another_size(size):
    with pytest.raises(ValueError, match="16 bytes"):
        keyed_hash(bytes(size), b"")


@given(st.text(max_size=40) | st.text(st.characters(categories=["Cs"]), max_size=3))
def test_a_fingerprint_is_the_hash_of_the_text_under_the_secret_key(text):
    prints = Fingerprints(b"a key for tests")
    assert KEY_BYTES == len(prints.secret)
    assert siphash(prints.secret, text.encode("utf-8", "surrogatepass")) == prints(text)
