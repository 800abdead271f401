"""A list of 100,000 ids, 10 MB: read in bounded pieces, with the event loop free in between."""

from __future__ import annotations

import asyncio
import json
import time
import tracemalloc

from consumer.adapters.amplitude import AmplitudeClient
from consumer.adapters.amplitude.client import CHUNK_BYTES
from consumer.adapters.amplitude.reply import ReplyReader
from consumer.domain.subject import Day, Millis
from consumer.sandbox.clock import ManualClock
from tests.fakes.amplitude import RawServer, access, answer

IDS = 100_000
DAY = Day("2026-06-28")


def big_list() -> bytes:
    """As recorded: the ids come before the day and the status."""
    entries = [
        {"amplitude_id": 1_610_000_000_000 + n, "requested_on_day": "2026-06-16", "requester": f"dsr/{n // 100:016x}"}
        for n in range(IDS)
    ]
    job = {"active_scrub_done_date": None, "amplitude_ids": entries, "app": "829000", "day": DAY, "status": "staging"}
    return json.dumps([job]).encode()


BODY = big_list()
CHUNKS = [BODY[start : start + CHUNK_BYTES] for start in range(0, len(BODY), CHUNK_BYTES)]


def test_a_chunk_takes_a_few_milliseconds() -> None:
    """Half of the chunks take less than a fifth of the 50 ms that the loop may be blocked."""
    reader = ReplyReader(1 << 29)
    spent_s = []
    for chunk in CHUNKS:
        since = time.thread_time()
        reader.feed(chunk)
        spent_s.append(time.thread_time() - since)
    assert sorted(spent_s)[len(spent_s) // 2] < 0.010
    assert len(reader.finish().jobs[0].members) == IDS


def test_memory_follows_the_members_and_not_the_text() -> None:
    """Building the whole JSON takes 45 MB, the members themselves 10."""
    tracemalloc.start()
    try:
        reader = ReplyReader(1 << 29)
        for chunk in CHUNKS:
            reader.feed(chunk)
        members = reader.finish().jobs[0].members
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len({id(member.requester) for member in members}) == IDS // 100
    assert peak_bytes < 20_000_000


async def test_the_loop_turns_between_the_chunks() -> None:
    """Other lanes get their turn for every chunk that is parsed."""
    turns = 0

    async def script(server: RawServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await server.request(reader)
        writer.write(answer(body=BODY))
        await writer.drain()

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    clock = ManualClock(Millis(1_781_611_200_000))
    async with RawServer(script) as server, AmplitudeClient(clock) as client:
        counting = asyncio.create_task(count())
        (job,) = await client.jobs(access(server.base_url), DAY, DAY, lambda: None)
        counting.cancel()
    assert len(job.members) == IDS
    assert turns >= len(BODY) // CHUNK_BYTES
