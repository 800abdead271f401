"""The DSAR API's client, on sockets: keys stay with the host they are for, and nothing leaks from what goes wrong."""

# ruff: noqa: SIM117 (one line for each server)

import gzip
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from consumer.adapters.amplitude.activity import ActivityClient
from consumer.adapters.amplitude.client import AmplitudeClient
from consumer.adapters.amplitude.dsar import PATH, DsarClient
from consumer.copy_ports import DsarAsk, DsarJob, DsarStatus, Gone, LinkFailed
from consumer.domain.command import IdentityKind
from consumer.domain.errors import CallFailed, Fault, LeaseLost, Reason
from consumer.domain.subject import OrgId, ProjectId, Secret, Subject
from consumer.ports import Access, KeyPair, Region
from consumer.sandbox.clock import ManualClock
from tests.fakes.commands import NOW

ASK = DsarAsk(IdentityKind.USER_ID, Subject("jane+1@example.com"), "2025-05-01", "2026-06-16")
DATA = gzip.compress(b'{"a":1}\n')


@asynccontextmanager
async def serving(*routes):
    """A server on a port of its own; its URL, and the requests that it saw."""
    seen = []

    @web.middleware
    async def note(request, handler):
        seen.append((request.method, request.path, request.headers.get("Authorization")))
        return await handler(request)

    app = web.Application(middlewares=[note])
    app.add_routes(routes)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", seen
    finally:
        await runner.cleanup()


@asynccontextmanager
async def calling(url):
    keys = KeyPair(Secret("made-up-key"), Secret("hunter2"))
    access = Access(ProjectId("acme"), OrgId("acme"), Region.US, keys, url)
    async with AmplitudeClient(ManualClock(NOW)) as client, DsarClient(client) as dsar:
        yield dsar, access


def answer(method, path, *responses):
    """One response after the other; the last one again and again."""
    left = list(responses)

    async def handler(request):
        made = left.pop(0) if len(left) > 1 else left[0]
        return made(request) if callable(made) else made

    return web.route(method, path, handler)


def free():
    return None


async def read(dsar, access, gate=free):
    async with dsar.output(access, 7, 0, gate) as archive:
        return b"".join([chunk async for chunk in archive.chunks])


def moved(target):
    return lambda _: web.Response(status=302, headers={"Location": target})


async def test_a_question_is_one_post_with_a_json_body():
    """A user id is a string, an Amplitude ID a number; 202 is the documented answer."""
    bodies = []

    async def create(request):
        bodies.append(await request.json())
        return web.json_response({"requestId": 53367}, status=202)

    async with serving(web.post(PATH, create)) as (url, seen), calling(url) as (dsar, access):
        assert await dsar.request(access, ASK, free) == 53367
        by_number = DsarAsk(IdentityKind.AMPLITUDE_ID, Subject("1610000000001"), ASK.start, ASK.end)
        await dsar.request(access, by_number, free)
    days = {"startDate": "2025-05-01", "endDate": "2026-06-16"}
    assert bodies == [{"userId": "jane+1@example.com"} | days, {"amplitudeId": 1610000000001} | days]
    assert all(authorization.startswith("Basic ") for _, _, authorization in seen)


@pytest.mark.parametrize(
    ("told", "job"),
    [
        ({"status": "staging", "urls": [], "expires": None}, DsarJob(DsarStatus.STAGING)),
        ({"status": "Submitted"}, DsarJob(DsarStatus.SUBMITTED)),
        (
            {
                "status": "done",
                "urls": ["https://analytics.amplitude.com/x/outputs/1", "/outputs/0"],
                "expires": "2026-02-05",
            },
            DsarJob(DsarStatus.DONE, (0, 1), "2026-02-05"),
        ),
        ({"status": "done", "urls": []}, DsarJob(DsarStatus.DONE)),
        ({"status": "failed", "failReason": None}, DsarJob(DsarStatus.FAILED, reason=Reason.COPY_FAILED)),
        (
            {"status": "failed", "failReason": "more than 100,000 events in 2026-01"},
            DsarJob(DsarStatus.FAILED, reason=Reason.TOO_MANY_EVENTS),
        ),
    ],
)
async def test_a_job_is_read_in_all_its_states(told, job):
    """Of the links only the numbers count."""
    async with serving(answer("GET", PATH + "/7", lambda _: web.json_response(told))) as (url, _):
        async with calling(url) as (dsar, access):
            assert await dsar.job(access, 7, free) == job


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "{",
        '{"status": "dancing"}',
        '{"status":"done","urls":["https://x/y"]}',
        "[" * 100_000,
        "x" * 2_000_000,
    ],
)
async def test_an_answer_that_is_none_is_lost_and_not_quoted(body):
    """Whatever it is."""
    async with serving(answer("GET", PATH + "/7", lambda _: web.Response(text=body))) as (url, _):
        async with calling(url) as (dsar, access):
            with pytest.raises(CallFailed) as raised:
                await dsar.job(access, 7, free)
    assert raised.value.fault is Fault.LOST
    assert str(raised.value) == "unavailable: lost (HTTP 200)"


@pytest.mark.parametrize("status", [404, 410])
async def test_what_is_gone_is_gone(status):
    """A job as a file."""
    gone = lambda _: web.Response(status=status)  # noqa: E731
    async with serving(answer("GET", PATH + "/7", gone), answer("GET", PATH + "/7/outputs/0", gone)) as (url, _):
        async with calling(url) as (dsar, access):
            with pytest.raises(Gone):
                await dsar.job(access, 7, free)
            with pytest.raises(Gone):
                await read(dsar, access)


async def test_the_keys_are_not_sent_where_the_answer_redirects_to():
    """Not to another port, and not further on."""
    async with serving(answer("GET", "/there", lambda _: web.Response(body=DATA))) as (last, seen_last):
        async with serving(answer("GET", "/link", moved(f"{last}/there"))) as (second, seen_second):
            async with serving(answer("GET", PATH + "/7/outputs/0", moved(f"{second}/link?sig=a%2Fb"))) as (url, seen):
                async with calling(url) as (dsar, access):
                    assert await read(dsar, access) == DATA
    assert [authorization is not None for *_, authorization in seen] == [True]
    assert [authorization for *_, authorization in (*seen_second, *seen_last)] == [None, None]


@pytest.mark.parametrize(
    "target", ["", "ftp://example.com/x", "file:///etc/passwd", "http://[", "//127.0.0.1:1/x", "https://127.0.0.1:1/x"]
)
async def test_a_link_that_leads_nowhere_is_a_failure_of_the_link(target):
    """Asking again gives another one."""
    async with serving(answer("GET", PATH + "/7/outputs/0", moved(target))) as (url, _), calling(url) as (dsar, access):
        with pytest.raises(LinkFailed) as raised:
            await read(dsar, access)
    assert str(raised.value) == "unavailable"
    assert raised.value.__context__ is None or raised.value.__suppress_context__


async def test_redirects_without_end_are_given_up():
    """After three."""
    async with serving(answer("GET", "/round", moved("/round"))) as (there, seen):
        async with serving(answer("GET", PATH + "/7/outputs/0", moved(f"{there}/round"))) as (url, _):
            async with calling(url) as (dsar, access):
                with pytest.raises(LinkFailed):
                    await read(dsar, access)
    assert len(seen) == 3


async def test_a_body_that_breaks_off_is_a_failure_of_the_link():
    """However it is cut."""

    async def broken(request):
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b"abc")
        request.transport.abort()
        return response

    async with serving(web.get("/link", broken)) as (there, _):
        async with serving(answer("GET", PATH + "/7/outputs/0", moved(f"{there}/link"))) as (url, _):
            async with calling(url) as (dsar, access):
                with pytest.raises(LinkFailed):
                    await read(dsar, access)


async def test_a_file_that_says_that_it_is_encoded_comes_as_it_was_stored():
    """S3 repeats the encoding with which a file was uploaded."""
    encoded = lambda _: web.Response(body=DATA, headers={"Content-Encoding": "gzip"})  # noqa: E731
    async with serving(answer("GET", "/link", encoded)) as (there, _):
        async with serving(answer("GET", PATH + "/7/outputs/0", moved(f"{there}/link"))) as (url, _):
            async with calling(url) as (dsar, access):
                assert await read(dsar, access) == DATA


async def test_a_lost_lease_stops_every_call_before_it_leaves():
    """Nothing is sent."""

    def gate():
        raise LeaseLost

    async with serving(answer("GET", PATH + "/7", lambda _: web.json_response({"status": "done"}))) as (url, seen):
        async with calling(url) as (dsar, access):
            for step in (dsar.request(access, ASK, gate), dsar.job(access, 7, gate), read(dsar, access, gate)):
                with pytest.raises(LeaseLost):
                    await step
    assert seen == []


async def test_a_search_takes_the_very_same_user_id_only():
    """Case counts; a prefix is another person; ids may come as text."""
    matches = [
        {"user_id": "jane", "amplitude_id": 3},
        {"user_id": "jane", "amplitude_id": "1"},
        {"user_id": "Jane", "amplitude_id": 4},
        {"user_id": "jane2", "amplitude_id": 5},
        {"user_id": None, "amplitude_id": 6},
        {"user_id": "jane", "amplitude_id": None},
        "nonsense",
    ]
    found = lambda _: web.json_response({"type": "match_user_prefix", "matches": matches})  # noqa: E731
    async with serving(answer("GET", "/api/2/usersearch", found)) as (url, _):
        keys = KeyPair(Secret("made-up-key"), Secret("hunter2"))
        access = Access(ProjectId("shop"), OrgId("acme"), Region.US, keys, url)
        async with AmplitudeClient(ManualClock(NOW)) as client:
            assert await ActivityClient(client).search(access, Subject("jane"), free) == (1, 3)
