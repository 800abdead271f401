"""When the gate is called, on real sockets: once, with the connection in hand, before the server sees the request."""

from __future__ import annotations

import asyncio
import socket

import aiohttp
import pytest

from consumer.adapters.amplitude import AmplitudeClient, open_session
from consumer.domain.errors import CallFailed, Fault, LeaseLost
from consumer.domain.jobs import ScheduleCall
from consumer.domain.subject import AmplitudeId, Day, Millis, Subject
from consumer.ports import Access, Gate
from consumer.sandbox.clock import ManualClock
from tests.fakes.amplitude import RawServer, access, always, answer

CLOCK = ManualClock(Millis(1_781_611_200_000))
DAY = Day("2026-06-28")
REMOVED = b'{"amplitude_id": 1610000000001}'
METHODS = ["POST", "GET", "DELETE"]


async def call(client: AmplitudeClient, method: str, where: Access, gate: Gate) -> None:
    if method == "POST":
        await client.schedule(where, ScheduleCall((Subject("u-1"),), (), "dsr/1"), gate)
    elif method == "GET":
        await client.jobs(where, DAY, DAY, gate)
    else:
        await client.revoke(where, AmplitudeId(1610000000001), DAY, gate)


def usable(method: str) -> bytes:
    return answer(body=REMOVED if method == "DELETE" else b"[]")


@pytest.mark.parametrize("method", METHODS)
async def test_the_gate_comes_after_the_connection_and_before_the_request(method: str) -> None:
    """At the gate the server has seen nothing of the request, also on a reused connection; once per request."""
    seen: list[int] = []
    async with RawServer(always(usable(method))) as server, AmplitudeClient(CLOCK) as client:
        for _ in range(3):
            await call(client, method, access(server.base_url), lambda: seen.append(len(server.requests)))
        assert seen == [0, 1, 2]
        assert server.connections == 1


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("reused", [False, True], ids=["new", "reused"])
async def test_a_closed_gate_sends_nothing_and_its_exception_passes_unchanged(method: str, reused: bool) -> None:
    """`LeaseLost` arrives as the same object, the server got no request and the connection is closed."""
    lost = LeaseLost()

    def closed() -> None:
        raise lost

    ended = asyncio.Event()

    async def script(server: RawServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await server.request(reader)
                writer.write(usable(method))
        finally:
            ended.set()

    async with RawServer(script) as server, AmplitudeClient(CLOCK) as client:
        if reused:
            await call(client, method, access(server.base_url), lambda: None)
        with pytest.raises(LeaseLost) as raised:
            await call(client, method, access(server.base_url), closed)
        assert raised.value is lost
        await asyncio.wait_for(ended.wait(), 5)
        assert len(server.requests) == int(reused)
        assert server.connections == 1
        await call(client, method, access(server.base_url), lambda: None)
        assert len(server.requests) == int(reused) + 1


@pytest.mark.parametrize("method", METHODS)
async def test_no_connection_means_no_gate(method: str) -> None:
    """A call that cannot leave does not pass the gate and is certainly not applied."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        passed: list[int] = []
        async with AmplitudeClient(CLOCK) as client:
            with pytest.raises(CallFailed) as failed:
                await call(client, method, access(url), lambda: passed.append(1))
    assert (failed.value.fault, passed) == (Fault.UNREACHABLE, [])


@pytest.mark.parametrize("method", METHODS)
async def test_a_broken_reused_connection_is_one_attempt_and_a_lost_answer(method: str) -> None:
    """aiohttp would repeat GET and DELETE by itself; a call is one request, and the caller decides."""

    async def script(server: RawServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await server.request(reader)
        writer.write(usable(method))
        await server.request(reader)

    passed: list[int] = []
    async with RawServer(script) as server, AmplitudeClient(CLOCK) as client:
        await call(client, method, access(server.base_url), lambda: passed.append(1))
        with pytest.raises(CallFailed) as failed:
            await call(client, method, access(server.base_url), lambda: passed.append(2))
        assert (failed.value.fault, passed) == (Fault.LOST, [1, 2])
        assert (len(server.requests), server.connections) == (2, 1)


async def test_aiohttp_alone_does_repeat_a_get() -> None:
    """The negative control of the test above: without our connector the server sees the request twice."""

    async def script(server: RawServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await server.request(reader)

    async with RawServer(script) as server, aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientError):
            await session.get(server.base_url)
        assert len(server.requests) == 2


async def test_concurrent_calls_pass_their_own_gates() -> None:
    """Every task's call meets the gate it was given."""
    passed: list[str] = []
    async with RawServer(always(answer())) as server, AmplitudeClient(CLOCK) as client:
        where = access(server.base_url)
        await asyncio.gather(*(call(client, "GET", where, lambda n=n: passed.append(str(n))) for n in range(20)))
    assert sorted(passed) == sorted(map(str, range(20)))


async def test_a_foreign_session_is_refused() -> None:
    """A session without our connector would never call the gate."""
    async with aiohttp.ClientSession() as session:
        with pytest.raises(TypeError, match="open_session"):
            AmplitudeClient(CLOCK, session=session)


async def test_a_session_that_was_handed_in_stays_open() -> None:
    """Whoever opens a session closes it."""
    async with RawServer(always(answer())) as server, open_session() as session:
        async with AmplitudeClient(CLOCK, session=session) as client:
            await call(client, "GET", access(server.base_url), lambda: None)
        assert not session.closed
