"""Packages sealed with age, as streams."""

import asyncio
import threading

import pytest
from pyrage import decrypt, x25519

from consumer.adapters.sealing import AgeSealer, Keys
from consumer.copies import Unsealed
from consumer.domain.errors import Fatal

KEY = x25519.Identity.generate()
PIECES = [bytes([n]) * 70_001 for n in range(40)]


async def source(pieces=PIECES, then=None):
    for piece in pieces:
        yield piece
    if then is not None:
        await then()


async def gathered(chunks):
    return b"".join([chunk async for chunk in chunks])


def sealer():
    return AgeSealer([str(KEY.to_public())])


async def test_what_is_sealed_opens_with_the_recipients_key_and_with_the_copys_own():
    """And with nobody else's."""
    seal = sealer().new_seal()
    sealed = await gathered(sealer().closing(source(), seal))
    assert decrypt(sealed, [KEY]) == b"".join(PIECES)
    assert await gathered(sealer().opening(source([sealed]), seal)) == b"".join(PIECES)
    assert await gathered(Keys(f"# a comment\n{KEY}\n").opening(source([sealed]))) == b"".join(PIECES)
    with pytest.raises(Unsealed):
        await gathered(sealer().opening(source([sealed]), sealer().new_seal()))


async def test_an_empty_file_and_empty_chunks():
    """Chunks may be empty without being the end."""
    seal = sealer().new_seal()
    assert decrypt(await gathered(sealer().closing(source([]), seal)), [KEY]) == b""
    assert decrypt(await gathered(sealer().closing(source([b"", b"a", b"", b"b"]), seal)), [KEY]) == b"ab"


@pytest.mark.parametrize("spoil", [lambda d: d[:-1], lambda d: d[:-1] + b"\0", lambda d: b"x" + d, lambda d: b""])
async def test_what_is_not_what_was_sealed_is_noticed(spoil):
    """And says nothing."""
    seal = sealer().new_seal()
    sealed = await gathered(sealer().closing(source(), seal))
    with pytest.raises(Unsealed) as raised:
        await gathered(sealer().opening(source([spoil(sealed)]), seal))
    assert str(raised.value) == ""


async def test_what_the_source_raises_passes_unchanged():
    """A broken line while a file is fetched."""

    async def breaks():
        raise KeyError("ours")

    with pytest.raises(KeyError, match="ours"):
        await gathered(sealer().closing(source(then=breaks), sealer().new_seal()))


async def test_a_reader_that_goes_away_and_a_task_that_is_cancelled_leave_no_thread_behind():
    """Whether the thread waits for bytes or for room."""
    began = threading.active_count()
    chunks = sealer().closing(source(PIECES * 50), sealer().new_seal())
    await anext(chunks)
    await chunks.aclose()
    stuck = asyncio.Event()
    task = asyncio.create_task(gathered(sealer().closing(source(then=stuck.wait), sealer().new_seal())))
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.to_thread(lambda: None)  # the pool's threads stay, but none of them is busy with ours
    assert threading.active_count() <= began + 4


def test_without_recipients_nothing_is_sealed():
    """The default."""
    assert AgeSealer([]).new_seal() is None


@pytest.mark.parametrize("text", ["", "age1qqqq", "AGE-SECRET-KEY-1QQQ", "nobody@example.com"])
def test_what_is_no_recipient_is_an_error_of_the_settings_that_quotes_nothing(text):
    """It names the place."""
    with pytest.raises(Fatal, match=r"copies\.recipients\.1") as raised:
        AgeSealer([str(KEY.to_public()), text])
    assert not text or text not in str(raised.value)
    assert raised.value.__context__ is None


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "hunter2", f"{KEY}\nhunter2"], ids=["empty", "comment", "other", "one of two"]
)
def test_what_is_no_identity_file_is_an_error_that_quotes_nothing(text):
    """It may be a secret all the same."""
    with pytest.raises(Fatal) as raised:
        Keys(text)
    assert "hunter2" not in str(raised.value)
    assert raised.value.__context__ is None
