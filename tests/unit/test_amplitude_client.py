"""What the client puts on the wire, and which fault each failure of a socket becomes."""

from __future__ import annotations

import asyncio
import json
import socket
import traceback
from base64 import b64encode

import pytest

from consumer.adapters.amplitude import AmplitudeClient, Timeouts
from consumer.domain.errors import CallFailed, Fault, Reason
from consumer.domain.jobs import Revocation, ScheduleCall
from consumer.domain.subject import AmplitudeId, Day, Millis, Subject
from consumer.ports import Access, Region
from consumer.sandbox.clock import ManualClock
from tests.fakes.amplitude import RawServer, Script, access, always, answer

CLOCK = ManualClock(Millis(1_781_611_200_000))
DAY = Day("2026-06-28")
USER = "jane.doe@example.com"
PERSON = AmplitudeId(1610000000001)
LEAKS = [USER, "jane", str(PERSON), "127.0.0.1", "deletions", "secret-key", b64encode(b"api-key:secret-key").decode()]
SHORT = Timeouts(connect_s=0.3, call_s=0.3, list_s=0.3)


def no_gate() -> None:
    """Let every call leave."""


async def schedule(client: AmplitudeClient, where: Access) -> object:
    return await client.schedule(where, ScheduleCall((Subject(USER),), (PERSON,), "dsr/1"), no_gate)


async def jobs(client: AmplitudeClient, where: Access) -> object:
    return await client.jobs(where, DAY, DAY, no_gate)


async def revoke(client: AmplitudeClient, where: Access) -> object:
    return await client.revoke(where, PERSON, DAY, no_gate)


CALLS = [schedule, jobs, revoke]


def whole_text(error: BaseException) -> str:
    """Everything that a logger could print about an exception, its causes and contexts included."""
    chained = [error.__cause__, error.__context__]
    formatted = "".join(traceback.format_exception(error, chain=True))
    return " ".join([str(error), repr(error), formatted, *(whole_text(each) for each in chained if each)])


async def failure(script: Script, call: object, timeouts: Timeouts = SHORT) -> CallFailed:
    async with RawServer(script) as server, AmplitudeClient(CLOCK, timeouts=timeouts) as client:
        with pytest.raises(CallFailed) as failed:
            await call(client, access(server.base_url))
    assert not [leak for leak in LEAKS if leak in whole_text(failed.value)]
    assert (failed.value.__cause__, failed.value.__context__) == (None, None)
    return failed.value


def after_request(*chunks: bytes, hang: bool = False) -> Script:
    """Read a request, send some bytes, then close or hang."""

    async def script(server: RawServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await server.request(reader)
        for chunk in chunks:
            writer.write(chunk)
            await writer.drain()
        if hang:
            await reader.read()

    return script


async def test_a_post_is_sent_as_the_api_wants_it() -> None:
    """Booleans as capitalised strings, user ids as strings, Amplitude IDs as integers, Basic auth."""
    body = b'"Nothing scheduled due to invalid amplitude/user ids for app 829000"'
    async with RawServer(always(answer(body=body))) as server, AmplitudeClient(CLOCK) as client:
        await schedule(client, access(server.base_url))
        head, sent = server.requests[0].split(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /api/2/deletions/users HTTP/1.1"
    assert f"Authorization: Basic {b64encode(b'api-key:secret-key').decode()}" in lines
    assert "Content-Type: application/json" in lines
    assert json.loads(sent) == {
        "user_ids": [USER],
        "amplitude_ids": [1610000000001],
        "requester": "dsr/1",
        "ignore_invalid_id": "True",
        "delete_from_org": "False",
        "include_mapped_user_ids": "True",
    }


async def test_an_empty_kind_of_id_is_not_sent() -> None:
    """Only what is to be deleted is named."""
    async with RawServer(always(answer())) as server, AmplitudeClient(CLOCK) as client:
        await client.schedule(access(server.base_url), ScheduleCall((Subject("7"),), (), "dsr/1"), no_gate)
        sent = json.loads(server.requests[0].split(b"\r\n\r\n")[1])
    assert sent["user_ids"] == ["7"]
    assert "amplitude_ids" not in sent


@pytest.mark.parametrize("user", ["ü/ñ?&=%", "line\nbreak", "\ud800", "名前", '"quoted"'])
async def test_every_user_id_arrives_unchanged(user: str) -> None:
    """Ids are opaque: whatever Kafka delivered is what Amplitude is asked for."""
    async with RawServer(always(answer())) as server, AmplitudeClient(CLOCK) as client:
        await client.schedule(access(server.base_url), ScheduleCall((Subject(user),), (), "dsr/1"), no_gate)
        sent = json.loads(server.requests[0].split(b"\r\n\r\n")[1])
    assert sent["user_ids"] == [user]


async def test_list_and_revocation_have_their_paths() -> None:
    """The window is in the query; the revocation names id and day in its path; a base URL may carry a path."""
    async with RawServer(always(answer())) as server, AmplitudeClient(CLOCK) as client:
        await jobs(client, access(server.base_url + "/proxy/"))
        with pytest.raises(CallFailed):
            await revoke(client, access(server.base_url))
        lines = [request.split(b"\r\n")[0].decode() for request in server.requests]
    assert lines == [
        "GET /proxy/api/2/deletions/users?start_day=2026-06-28&end_day=2026-06-28 HTTP/1.1",
        "DELETE /api/2/deletions/users/1610000000001/2026-06-28 HTTP/1.1",
    ]


@pytest.mark.parametrize("day", ["../../x", "2026-06-28?x", ""])
async def test_a_day_cannot_change_the_path(day: str) -> None:
    """What is not a day is not put into a URL."""
    async with AmplitudeClient(CLOCK) as client:
        with pytest.raises(ValueError, match="isoformat"):
            await client.revoke(access("http://127.0.0.1:9"), PERSON, Day(day), no_gate)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    ("status", "fault", "reason"),
    [
        (401, Fault.CREDENTIALS, Reason.CREDENTIALS_REFUSED),
        (403, Fault.CREDENTIALS, Reason.CREDENTIALS_REFUSED),
        (429, Fault.THROTTLED, Reason.THROTTLED),
        (413, Fault.REJECTED, Reason.REJECTED_BY_AMPLITUDE),
        (302, Fault.LOST, Reason.UNAVAILABLE),
        (500, Fault.LOST, Reason.UNAVAILABLE),
        (503, Fault.LOST, Reason.UNAVAILABLE),
    ],
)
async def test_a_status_becomes_its_fault(call: object, status: int, fault: Fault, reason: Reason) -> None:
    """The same table for every method; the body, which may name people, goes nowhere."""
    body = json.dumps({"error": {"metadata": {"details": f"user {USER}"}}}).encode()
    script = always(answer(status, body, Location="http://127.0.0.1/login", Retry_After="3"))
    failed = await failure(script, call)
    assert (failed.fault, failed.reason, failed.status, failed.retry_after_s) == (fault, reason, status, 3.0)


@pytest.mark.parametrize("call", [schedule, jobs])
@pytest.mark.parametrize("status", [400, 404])
async def test_a_bad_request_is_rejected(call: object, status: int) -> None:
    """Understood and not applied."""
    assert (await failure(always(answer(status)), call)).fault is Fault.REJECTED


@pytest.mark.parametrize("status", [400, 404])
async def test_a_revocation_that_is_refused_is_an_answer(status: int) -> None:
    """Frozen, unknown or already gone: only a re-read can tell which."""
    async with RawServer(always(answer(status))) as server, AmplitudeClient(CLOCK) as client:
        assert await revoke(client, access(server.base_url)) is Revocation.REFUSED


@pytest.mark.parametrize(
    "body", [b'{"amplitude_id": 1610000000001}', b'[{"amplitude_id": "1610000000001", "requester": "x"}]']
)
async def test_a_revocation_counts_when_the_reply_names_the_id(body: bytes) -> None:
    """The removed entry, as an object or in an array."""
    async with RawServer(always(answer(body=body))) as server, AmplitudeClient(CLOCK) as client:
        assert await revoke(client, access(server.base_url)) is Revocation.REVOKED


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"null", b"<html>", b'"ok"', b'{"amplitude_id": 5}', b"[" * 20_000, b"[" * 200_000, b" " * 200_000],
)
async def test_a_revocation_without_its_entry_is_lost(body: bytes) -> None:
    """A 200 that does not say what was removed proves nothing."""
    assert (await failure(always(answer(body=body)), revoke)).fault is Fault.LOST


GARBLED = {
    "closed before the head": after_request(),
    "half a head": after_request(b"HTTP/1.1 200 OK\r\nContent-Le"),
    "no HTTP": after_request(b"SSH-2.0-OpenSSH\r\n"),
    "half a body": after_request(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[{"),
    "half a chunked body": after_request(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n[{\r\n"),
    "wrong compression": after_request(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope"),
    "a login page": after_request(answer(body=b"<!DOCTYPE html><html>jane</html>")),
    "no JSON": after_request(answer(body=b"jane.doe@example.com")),
    "another API's reply": after_request(answer(body=b'{"requestId": "jane"}')),
    "silence": after_request(hang=True),
    "silence after the head": after_request(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", hang=True),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("script", GARBLED.values(), ids=GARBLED.keys())
async def test_an_unusable_answer_is_lost(call: object, script: Script) -> None:
    """Sent and not understood: it may or may not have been applied."""
    failed = await failure(script, call)
    assert (failed.fault, failed.reason) == (Fault.LOST, Reason.UNAVAILABLE)


async def test_a_bare_message_is_no_list_of_jobs() -> None:
    """A GET that answers with a message must not look as if all jobs had disappeared."""
    assert (await failure(always(answer(body=b'"try later"')), jobs)).fault is Fault.LOST


async def test_a_body_over_the_limit_is_lost() -> None:
    """Memory is bounded by a setting."""
    script = always(answer(body=b"[" + b" " * 5000 + b"]"))
    async with RawServer(script) as server, AmplitudeClient(CLOCK, limit_bytes=1000) as client:
        with pytest.raises(CallFailed) as failed:
            await jobs(client, access(server.base_url))
    assert (failed.value.fault, failed.value.status) == (Fault.LOST, 200)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("url", ["http://amplitude.invalid", "http://", "ftp://127.0.0.1", "nonsense", "http://[::1"])
async def test_a_host_that_cannot_be_reached_is_unreachable(call: object, url: str) -> None:
    """No name, no connection, no usable URL: certainly not applied."""
    async with AmplitudeClient(CLOCK, timeouts=Timeouts(connect_s=2)) as client:
        with pytest.raises(CallFailed) as failed:
            await call(client, access(url))
    assert (failed.value.fault, failed.value.reason, failed.value.status) == (Fault.UNREACHABLE, Reason.UNAVAILABLE, 0)
    assert "invalid" not in whole_text(failed.value)


@pytest.mark.parametrize("call", CALLS)
async def test_a_failed_tls_handshake_is_unreachable(call: object) -> None:
    """The request is only written after TLS is up."""

    async def script(server: RawServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with RawServer(script) as server, AmplitudeClient(CLOCK) as client:
        with pytest.raises(CallFailed) as failed:
            await call(client, access(server.base_url.replace("http:", "https:")))
    assert failed.value.fault is Fault.UNREACHABLE


async def test_a_connection_that_is_never_accepted_is_unreachable_in_time() -> None:
    """The time-out of the connection is its own, and nothing has left then."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(address)
        async with AmplitudeClient(CLOCK, timeouts=SHORT) as client:
            with pytest.raises(CallFailed) as failed:
                await jobs(client, access(f"http://127.0.0.1:{address[1]}"))
        for filler in fillers:
            filler.close()
    assert failed.value.fault is Fault.UNREACHABLE


async def test_a_cancelled_call_stays_cancelled() -> None:
    """Cancellation is not a failed call."""
    arrived = asyncio.Event()

    async def script(server: RawServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await server.request(reader)
        arrived.set()
        await reader.read()

    async with RawServer(script) as server, AmplitudeClient(CLOCK) as client:
        task = asyncio.create_task(schedule(client, access(server.base_url)))
        await arrived.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_no_cookie_travels_from_one_project_to_another() -> None:
    """Amplitude sets one with every answer; projects share the session."""
    async with RawServer(always(answer(Set_Cookie="SERVERID=1"))) as server, AmplitudeClient(CLOCK) as client:
        await jobs(client, access(server.base_url))
        await jobs(client, access(server.base_url, project="other", region=Region.EU))
        assert b"cookie" not in server.requests[1].lower()


async def test_a_client_can_be_used_without_a_context_and_closed_twice() -> None:
    """The session is opened at the first call."""
    async with RawServer(always(answer())) as server:
        client = AmplitudeClient(CLOCK)
        await jobs(client, access(server.base_url))
        await client.close()
        await client.close()
